"""AgentRelease: from a spec to an immutable bundle.

Knows the components of a release, how a bundle is named by its digest, and the snapshot that holds it.
Does not know rollouts, traffic or metrics.
"""
