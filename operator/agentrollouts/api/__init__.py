"""What users write and what they read back: the two kinds as frozen values, and their CRDs.

The lowest layer. Everything above speaks in these types; nothing here does I/O, knows the time or decides
anything.
"""
