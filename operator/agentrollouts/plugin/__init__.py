"""`kubectl agentrollout`: what the rollouts do, and what a person requests of them, through kubectl."""
