"""What a rollout did, as values: the report of an attempt, and figures over many.

Knows records and statuses, and decides nothing.
Does not know where records come from, nor where a report is printed.
"""
