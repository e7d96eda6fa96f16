"""The content of releases: which release is examined next, and the process that does it."""
