"""What the administrator does not permit a release: one too many, or a bundle for which no room is left.

It stops new releases. One that has its snapshot is served and rolled back to as before.
"""

from agentrollouts.api.reasons import Reason
from agentrollouts.core.effects import Problem


def too_many(kind: str, setting: str, namespace: str, most: int) -> Problem:
    """What to say to each object of a kind that is younger than as many as the settings permit."""
    return Problem(
        Reason.LIMIT_EXCEEDED,
        f"namespace {namespace} has more than {most} {kind}s, and {most} older ones are served "
        f"(limits.{setting} in the operator's settings); delete one of them, or ask the "
        "administrator for more",
    )


def no_room(namespace: str, size: int, room: int, limit: str) -> Problem:
    """What to say to a release whose bundle is larger than what the releases of its namespace may still take.

    Args:
        namespace: Of the release.
        size: Bytes of its bundle.
        room: Bytes that are left.
        limit: Where the limit is set, and its value.
    """
    return Problem(
        Reason.LIMIT_EXCEEDED,
        f"the bundle has {size:,} bytes, and those of namespace {namespace} may have {max(0, room):,} more "
        f"({limit}); delete releases that are no longer needed, or ask the administrator for more",
    )
