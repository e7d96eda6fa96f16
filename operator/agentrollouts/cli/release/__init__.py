"""The commands that make a release from others."""
