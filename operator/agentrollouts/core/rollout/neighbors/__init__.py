"""Other rollouts that bear on this one: those of its group, and those that claim the same agent or rule.

Knows what is observed of them.
Does not know gates, or what is decided about them.
"""
