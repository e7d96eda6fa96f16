"""The request of a webhook, and what became of it: values that an adapter carries out and returns."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

MAX_BODY: Final = 64 * 1024
"""Bytes of a request or of a response; more is neither sent nor read."""
MAX_QUOTE: Final = 120
"""Characters of a response that a status repeats."""


class CallKey(NamedTuple):
    """Which request it is: repeated by another process, it is the same one."""

    id: str
    """Idempotency key of the hook, the header `webhook-id`; the same for every try."""
    number: int
    """Number of the try."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request of a webhook."""

    key: CallKey
    endpoint: str
    """Name of the endpoint in the settings."""
    body: str
    """Input of the hook, as JSON."""
    seconds: float
    """Limit of the request, with everything."""


@dataclass(frozen=True, slots=True)
class Response:
    """What became of a request."""

    status: int | None = None
    """Status code; None if there was no response."""
    text: str = ""
    """Beginning of the body, as `quoted`; without a response, what happened instead, as a verb phrase."""


Responses = Mapping[CallKey, Response]


def quoted(body: bytes) -> str:
    """The beginning of a body as one line without quotes: it is the text of a stranger."""
    text = body[: 8 * MAX_QUOTE].decode(errors="replace").replace('"', "'")
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return line if len(line) <= MAX_QUOTE else f"{line[: MAX_QUOTE - 3]}..."
