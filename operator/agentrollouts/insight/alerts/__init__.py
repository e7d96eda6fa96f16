"""Which alerts are true of a rollout, and how long.

Knows the status of a rollout, and decides nothing.
Does not know where they go, nor who is notified.
"""
