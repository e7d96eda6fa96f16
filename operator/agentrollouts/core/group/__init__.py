"""Several agents of one namespace: what their releases require of each other.

Knows what other rollouts serve, as plain values.
Does not know the attempt, its gates or its traffic.
"""
