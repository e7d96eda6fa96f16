"""What happens next: what a rollout can come to by itself, from any state.

Knows the rollout, and the states of an attempt.
Does not know what anyone can do, and decides nothing.
"""
