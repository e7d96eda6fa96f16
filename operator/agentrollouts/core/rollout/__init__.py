"""AgentRollout: the decision. One observation in, one decision out.

Knows what is desired, where the rollout stands, and in which order the other chapters are asked.
Does not know how a verdict is found or how a route is written.
"""
