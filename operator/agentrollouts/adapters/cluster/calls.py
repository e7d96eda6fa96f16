"""One request to the API server and one answer, and what the answer means: an object, or an error with words.

Below `cluster`, which puts them on the wire.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from agentrollouts.adapters.cluster.errors import error_of
from agentrollouts.adapters.cluster.resources import Manifest
from agentrollouts.api.model.nested import read_json

_ESCAPED: Final = re.compile(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""What a YAML reader refuses or changes unless it is escaped; JSON escapes the control characters itself."""
_HALVES: Final = re.compile(r"[\ud800-\udfff]")


class Response(NamedTuple):
    """Status, header and body as they came."""

    status: int
    retry_after: str | None
    body: bytes
    is_too_long: bool = False
    """Whether there was more than may be read; then nothing of it is here."""


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
    at_most: int | None = None
    """Bytes of the answer that are read; of a longer one, nothing is. None for as many as there are."""

    @property
    def what(self) -> str:
        """The opening of an error's text."""
        return f"Failed to {self.verb.replace('_', ' ')} {self.target}"

    @property
    def content(self) -> bytes | None:
        """The body on the wire; None without one."""
        return None if self.body is None else encoded(self.body)


def encoded(body: object) -> bytes:
    """JSON in UTF-8 that is YAML as well, since server-side apply reads it as YAML.

    Characters above U+FFFF are written as they are: the API server's YAML reader refuses the pair of escapes
    that JSON has for them (Kubernetes 1.36). Half of such a pair is not a character; U+FFFD takes its place.
    """
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    if (
        text.isascii() and "\x7f" not in text
    ):  # most of them; looking at a MiB character by character takes 50 ms
        return text.encode()
    text = _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    return _HALVES.sub("\ufffd", text).encode()


def content_of(call: Call, response: Response) -> Manifest:
    """The object in a good answer.

    Raises:
        ClusterError: the answer is not a good one.
    """
    try:
        content = read_json(response.body)
    except ValueError:
        content = None
    if response.status < HTTPStatus.MULTIPLE_CHOICES and isinstance(content, dict):
        return content
    raise error_of(call.what, response.status, content, response.retry_after)
