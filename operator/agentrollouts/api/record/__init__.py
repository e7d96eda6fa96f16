"""What happened to a rollout, entry by entry, and what those entries consist of."""
