"""What people request: AgentRolloutActions, each taken at most once.

Knows who requested what, and which facts of a status it becomes.
Does not know the consequences.
"""
