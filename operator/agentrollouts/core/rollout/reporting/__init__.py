"""What a decision says to people and to controllers: conditions, sentences, Warning Events.

Knows the next status and why it is so.
Does not know the moves that are left: without this chapter the same traffic moves.
"""
