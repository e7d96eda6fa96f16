"""AgentRollout: the decision. One observation in, one decision out.

Knows what is desired, the state of the rollout, and the order in which the other chapters are used.
Does not know how a verdict is found or how a route is written.
"""
