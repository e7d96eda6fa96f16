"""What surrounds the traffic of one agent: repairs of data by hooks, and other agents that depend on it.

Knows the status of rollouts, and what Jobs and siblings look like.
Does not know gates, traffic, or the order of checks.
"""
