"""Versions and ranges of versions, as users write them; what cannot be read is None.

The schema enforces both forms. An object that was stored before that can still have another one.
"""

from semantic_version import SimpleSpec, Version


def version_of(text: str) -> Version | None:
    """The semantic version; None if it is not one."""
    try:
        return Version(text)
    except ValueError:
        return None


def range_of(text: str) -> SimpleSpec | None:
    """The range; None if it is not one."""
    try:
        return SimpleSpec(text.replace(" ", ""))
    except ValueError:
        return None


def fits(version: str, versions: str) -> bool:
    """Whether a version is in a range. Of what cannot be read, nothing fits."""
    return version_of(version) in (range_of(versions) or ())
