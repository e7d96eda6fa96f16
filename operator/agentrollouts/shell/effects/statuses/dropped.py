"""What the API server did not store of a status: an older CRD drops the fields that it does not have."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

LISTED: Final = 5
"""Fields that a sentence names."""


def dropped_fields(sent: Any, stored: Any, at: str = "status") -> Iterator[str]:  # noqa: ANN401 any JSON
    """The paths of fields that were sent and are not stored, without the numbers of items.

    One path can come several times. Other values than were sent are not reported: an admission webhook may
    set them.
    """
    if sent == stored:
        return
    if isinstance(sent, Mapping):
        there = stored if isinstance(stored, Mapping) else {}
        for key, value in sent.items():
            if key in there:
                yield from dropped_fields(value, there[key], f"{at}.{key}")
            elif value is not None:
                yield f"{at}.{key}"
    elif isinstance(sent, list | tuple) and isinstance(stored, list):
        for one, other in zip(sent, stored, strict=False):
            yield from dropped_fields(one, other, f"{at}[]")


def sentence_of(kind: str, fields: frozenset[str]) -> str:
    """What is missing, why, and what to do."""
    named = sorted(fields)[:LISTED]
    more = f" and {len(fields) - LISTED} more fields" if len(fields) > LISTED else ""
    return (
        f"The API server does not store {', '.join(named)}{more}: the CustomResourceDefinition of {kind} is "
        "older than the operator; apply the CRDs of its version"
    )
