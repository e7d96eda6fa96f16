"""How models are built; a program that needs less of them changes it before the first one is imported."""

has_descriptions = True
"""Whether the docstrings of fields are read, which become `kubectl explain`."""
is_deferred = False
"""Whether what reads and writes a model is built when it is first needed, instead of at the import."""
