"""What `check` reads: objects, the rights of the caller, and with `--probe` the heads of two answers."""
