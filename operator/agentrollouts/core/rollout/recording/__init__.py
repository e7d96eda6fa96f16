"""What a decision leaves behind: the entries of its one status write, chained, and what is still unwritten.

Knows the status before and after, the move between them and what it was decided on.
Does not know how a record is stored: without this chapter the same traffic moves.
"""
