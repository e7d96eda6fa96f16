"""The decisions: pure functions over frozen values; no I/O, no clock, no logging."""
