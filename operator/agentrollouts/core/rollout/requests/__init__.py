"""What people requested, once the move is known: which requests it answers, and which of them wait.

Knows the situation and the move.
Does not know how a move is made, and decides none.
"""
