"""The wiring of a rollout: what of it is right, what is not, and what to do.

`check` finds the lines from objects alone. What was not read is said, and is never a problem.
"""
