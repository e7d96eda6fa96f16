"""What a user wants checked, as values: a gate with its defaults filled in, and counts to check it on.

Knows the types of gates, the built-in templates and the selectors of a tenant.
Does not know Prometheus, verdicts or rollouts.
"""
