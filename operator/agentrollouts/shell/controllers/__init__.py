"""One controller for each kind: observe, decide, act."""
