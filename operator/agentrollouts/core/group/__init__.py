"""Groups: rollouts that ship together and roll back together.

Knows the persisted status of each member, and nothing else of it.
Does not know traffic, gates, or how a rollback is done.
"""
