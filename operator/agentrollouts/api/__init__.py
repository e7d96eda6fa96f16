"""What users write and read: our kinds as frozen values, and their CRDs.

The lowest layer. All other layers use these types. Nothing here does I/O, knows the time or decides
anything.
"""
