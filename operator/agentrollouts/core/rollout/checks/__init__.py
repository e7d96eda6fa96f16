"""The checks of the chains in `decide`: each answers with a move, or with None.

Knows where the rollout stands and what is desired: here a canary may advance or has to roll back.
Does not know what a move does to the status, or how it is reported.
"""
