"""What snapshots say about a release beside its bundle: facts that outlive it, and who keeps it.

Knows the observation, and what the status says of releases.
Does not know what is decided, nor how a bundle is made.
"""
