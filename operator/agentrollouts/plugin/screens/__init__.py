"""What the terminal shows: each screen draws values, and reads nothing from the cluster."""
