"""What people order.

Knows the annotations by which a person approves, rolls back or retries.
Does not know what the order leads to.
"""
