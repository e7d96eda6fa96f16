"""How the cache finds rollouts that concern each other, beyond what they name."""
