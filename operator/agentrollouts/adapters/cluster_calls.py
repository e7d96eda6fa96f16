"""One request to the API server and one answer, and what the answer means: an object, or an error with words.

Below `cluster`, which puts them on the wire.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NamedTuple

from agentrollouts.adapters.cluster_errors import error_of
from agentrollouts.adapters.resources import Manifest


class Answer(NamedTuple):
    """Status, header and body as they came."""

    status: int
    retry_after: str | None
    body: bytes


@dataclass(frozen=True, slots=True)
class Call:
    """One request, and the words for its error."""

    verb: str
    kind: str
    target: str
    method: str
    path: str
    query: Mapping[str, str] | None = None
    body: Manifest | Sequence[Mapping[str, Any]] | None = None
    content_type: str = "application/json"

    @property
    def what(self) -> str:
        """The opening of an error's text."""
        return f"Failed to {self.verb.replace('_', ' ')} {self.target}"


def content_of(call: Call, answer: Answer) -> Manifest:
    """The object in a good answer.

    Raises:
        ClusterError: the answer is not a good one.
    """
    try:
        content = json.loads(answer.body)
    except ValueError:
        content = None
    if answer.status < HTTPStatus.MULTIPLE_CHOICES and isinstance(content, dict):
        return content
    raise error_of(call.what, answer.status, content, answer.retry_after)
