"""What the terminal shows: each screen draws values, and asks nothing of the cluster."""
