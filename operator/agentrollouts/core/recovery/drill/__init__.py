"""Drills: when the next one is due, and what its plan is.

Knows `spec.drill`, and what the status says of the last drill.
Does not know gates, traffic, or whether a drill can begin now.
"""
