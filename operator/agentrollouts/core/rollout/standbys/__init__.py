"""Standbys of a rollout: which release may serve in the place of stable, from when and until when.

Knows the situation, and what proves that a release can serve.
Does not know what a detour does to the status, nor how traffic is written.
"""
