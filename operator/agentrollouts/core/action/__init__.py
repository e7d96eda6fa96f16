"""What people request by annotation.

Knows the annotations that approve, roll back or retry.
Does not know the consequences.
"""
