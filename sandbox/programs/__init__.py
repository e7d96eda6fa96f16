"""The programs that run in a sandbox, and how they are started, asked and ended."""
