"""From counts to a verdict with a sentence that a person can check.

Knows one gate, its counts and the table of rules; everything it needs is in its arguments.
Does not know Prometheus, the status or rollouts.
"""
