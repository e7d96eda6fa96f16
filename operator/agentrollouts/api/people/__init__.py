"""What people write beside the plan of a rollout: actions and freezes."""
