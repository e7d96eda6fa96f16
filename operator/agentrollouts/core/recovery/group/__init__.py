"""Several agents of one namespace: what their releases require of each other, and which roll back together.

Knows what other rollouts serve and have tried, as plain values.
Does not know traffic, gates, or how a rollback is done.
"""
