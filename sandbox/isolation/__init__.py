"""Namespaces of the kernel, in which the sandbox runs without a network and without rights."""
