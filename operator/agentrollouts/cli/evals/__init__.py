"""The results of eval tools as counts, for `agentrollouts judge`. The operator reads no such format."""
