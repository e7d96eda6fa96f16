"""From weights to objects: what routes and ConfigMaps must say, and what they are seen to say.

Knows the weights of a status, gateways, endpoints, the mark of a rollback and foreign writes.
Does not know gates, metrics, or why a weight was chosen.
"""
