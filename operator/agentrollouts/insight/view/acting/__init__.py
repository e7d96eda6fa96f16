"""What the reader can do: every action that would have an effect now, with its consequence and its command.

Knows what the operator does with each type of action.
Does not know who the reader is, or what happens by itself.
"""
