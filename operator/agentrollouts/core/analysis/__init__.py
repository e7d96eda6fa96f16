"""Which gates and caps are evaluated now, and what the newest result means for the status.

Knows the three subjects: the canary beside stable, stable by itself, and stable after a rollback.
Does not know how traffic moves, or what follows from a verdict.
"""
