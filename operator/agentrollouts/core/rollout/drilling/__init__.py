"""Drills of a rollout: when one begins, how it ends, and what `Ready` says meanwhile.

Knows the situation, and the checks of an attempt in progress and at rest.
Does not know what a move does to the status, nor how traffic is written.
"""
