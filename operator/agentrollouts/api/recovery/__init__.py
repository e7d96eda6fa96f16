"""What people configure around the traffic of an agent, beside its attempts, and what a status says of it."""
