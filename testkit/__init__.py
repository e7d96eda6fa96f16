"""What tests and campaigns share: builders, a world with invariants, and agents that only count."""
