"""The attempt as a state machine: its plan, its clocks, and what each move does to the status.

Knows phases, ramp steps, approvals, rollback and history.
Does not know why a move is made: no gate is judged here, no object is written.
"""
