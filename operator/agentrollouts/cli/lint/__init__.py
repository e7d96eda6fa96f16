"""`agentrollouts lint`: what is wrong with files of objects, line by line, before they reach a cluster."""
