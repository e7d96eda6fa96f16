"""The names and the time in which all builders agree, and what follows from the name of a release."""

import hashlib
from datetime import UTC, datetime
from typing import Final

START: Final = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)

AGENT: Final = "support-agent"

NAMESPACE: Final = "support"

UID: Final = "uid-of-rollout"

OLDEST, OLD, NEW, NEXT = (f"{AGENT}-4.{minor}.0" for minor in range(4))
"""Names of releases; a test mostly has `OLD` as stable and `NEW` as canary."""


def digest_of(release: str) -> str:
    """The digest of a release that holds nothing but its name."""
    return f"sha256:{hashlib.sha256(release.encode()).hexdigest()}"


def snapshot_of(release: str) -> str:
    """The name of its snapshot."""
    return f"{AGENT}-{digest_of(release).removeprefix('sha256:')[:16]}"


def service_of(release: str) -> str:
    """The name of its service."""
    return release.replace(".", "-")
