"""What surrounds an attempt: hooks that repair data, other agents that depend on it, and drills.

Knows the status of rollouts, and what Jobs and siblings look like.
Does not know gates, traffic, or the order of checks.
"""
