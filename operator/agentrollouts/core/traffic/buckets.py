"""`spec.traffic.httpRoute.bucketHeader`: the canary's share by user instead of by request.

The edge gives every user one of 100 buckets. Those below the weight get the canary, so a larger weight adds
users and takes none away. Nothing is remembered at the gateway, so a rollback moves everyone at once.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from agentrollouts.core.traffic.cohorts import backend
from agentrollouts.core.traffic.weights import FULL, Split

BUCKETS: Final = tuple(f"{number:02}" for number in range(FULL))
"""All values of the header."""
_REGULAR: Final = "RegularExpression"


def below(weight: int) -> str:
    """A regular expression that matches exactly the buckets below a weight of 1 to 99.

    `below(25)` is `^([0-1][0-9]|2[0-4])$`.
    """
    tens, ones = divmod(weight, 10)
    parts = [f"[0-{tens - 1}][0-9]"] if tens else []
    parts += [f"{tens}[0-{ones - 1}]"] if ones else []
    return f"^({'|'.join(parts)})$"


def bucketed(header: str | None, split: Split, main: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The main rule, and before it the one of the canary's buckets while both releases have a share.

    Args:
        header: Name of the header; None splits by request.
        split: The desired split.
        main: The main rule by weights.
    """
    stable, canary = (record.service if record else None for record, _ in split.sides)
    weight = split.weights.canary
    if header is None or stable is None or canary is None or split.weights.diverted or not 0 < weight < FULL:
        yield main
        return
    match = {"type": _REGULAR, "name": header, "value": below(weight)}
    yield {
        **main,
        "matches": [{**each, "headers": [match]} for each in main["matches"]],
        "backendRefs": [backend(canary, FULL)],
    }
    yield {**main, "backendRefs": [backend(stable, FULL), backend(canary, 0)]}


def bucket_count(rule: Mapping[str, Any]) -> int:
    """How many of the 100 buckets a rule takes; 0 for a rule that is not about buckets."""
    patterns = [
        str(header.get("value"))
        for match in _mappings(rule.get("matches"))
        for header in _mappings(match.get("headers"))
        if header.get("type") == _REGULAR
    ]
    try:
        return sum(any(re.search(pattern, bucket) for pattern in patterns) for bucket in BUCKETS)
    except re.error:  # someone else wrote it
        return 0


def _mappings(values: Iterable[Any] | None) -> Iterator[Mapping[str, Any]]:
    return (value for value in values or () if isinstance(value, Mapping))
