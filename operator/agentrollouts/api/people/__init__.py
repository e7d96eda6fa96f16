"""What people write beside the plan of a rollout."""
