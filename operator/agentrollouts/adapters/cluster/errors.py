"""What can go wrong between the operator and the API server, as one family of exceptions.

Raised by `cluster` only. The classes differ where the caller acts differently: read again (Conflict), report
what is missing (NotServed), report what is wrong (Invalid), retry later (Unavailable). None of them is final
for a rollout. The text is the message of the API server, bounded and on one line, since it can become part of
a condition.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from agentrollouts.api.model.text import writable

_MESSAGE_MAX: Final = 500
"""Characters of the API server's message that are kept; it repeats an invalid object's values at length."""


class ClusterError(Exception):
    """A call to the API server that did not do what it should; the text says which call and why."""


class NoCredentialsError(ClusterError):
    """There is no usable way to reach an API server; raised before the first call."""


class ConflictError(ClusterError):
    """409: the object has changed since it was read, already exists, or a field is owned by someone else."""


class AlreadyExistsError(ConflictError):
    """409: there is an object of that name, so that it was not created."""


class NotFoundError(ClusterError):
    """404: the kind is served, but the object, or the namespace that should hold it, is not there."""


class NotServedError(ClusterError):
    """404: the API server does not know the kind; its CustomResourceDefinition is not installed."""


class ForbiddenError(ClusterError):
    """401 or 403: our credentials are refused or do not allow this, or the namespace is being deleted."""


class InvalidError(ClusterError):
    """400, 422 or another 4xx: the API server refuses the content; the same content will be refused again."""


class UnavailableError(ClusterError):
    """5xx, 429, a timeout, no connection: the outcome is unknown, the write may well have been done."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds that the API server requests to wait, if it sends them."""


_CLASSES: Final[Mapping[int, type[ClusterError]]] = {
    HTTPStatus.UNAUTHORIZED: ForbiddenError,
    HTTPStatus.FORBIDDEN: ForbiddenError,
    HTTPStatus.NOT_FOUND: NotFoundError,
    HTTPStatus.CONFLICT: ConflictError,
}
_REFUSED_AS_500: Final = ("failed to create typed patch object", "etcdserver: request is too large")
"""A field of the wrong type in server-side apply, and an object above 1.5 MiB (seen with Kubernetes 1.36)."""
_DENIED: Final = 'admission webhook "'
"""How the message begins if a webhook said no; it says so with any status."""
_LATER: Final = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}


def error_of(what: str, status: int, content: object, retry_after: str | None) -> ClusterError:
    """The error that an answer stands for.

    Args:
        what: The opening of the text, e.g. `Failed to get HTTPRoute support/agent`.
        status: The HTTP status; anything that is not a good answer.
        content: The parsed body, normally a `Status` object; None if it is not JSON.
        retry_after: The header of that name.
    """
    api_status = content if isinstance(content, dict) and content.get("kind") == "Status" else {}
    text = f"{what}: {_message(status, api_status)}"
    if status in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT} and text.startswith(f"{what}: {_DENIED}"):
        status = HTTPStatus.FORBIDDEN
    if status == HTTPStatus.NOT_FOUND and not (api_status.get("details") or {}).get("name"):
        cure = "the API server does not serve this kind; install its CustomResourceDefinition"
        return NotServedError(f"{what}: {cure}")
    if status == HTTPStatus.INTERNAL_SERVER_ERROR and any(words in text for words in _REFUSED_AS_500):
        return InvalidError(text)
    if status == HTTPStatus.CONFLICT and api_status.get("reason") == "AlreadyExists":
        return AlreadyExistsError(text)
    if status in _CLASSES:
        return _CLASSES[status](text)
    if status in _LATER or not HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return UnavailableError(text, _seconds(retry_after))
    return InvalidError(text)


def _message(status: int, api_status: dict[str, Any]) -> str:
    """The API server's message; without one (a proxy's page, say) the status and nothing of the body.

    A redirect is answered by no API server. It is not followed: the body, a whole bundle, and the token would
    go to whatever host it names.
    """
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return f"HTTP {status}, a redirect, is not followed; name the API server's own address, not a proxy's"
    words = " ".join(str(api_status.get("message") or "").split())
    words = writable(words, len(words))
    if not words:
        return f"HTTP {status} and no message from the API server"
    return words if len(words) <= _MESSAGE_MAX else f"{words[:_MESSAGE_MAX]}..."


def _seconds(retry_after: str | None) -> float | None:
    return float(retry_after) if retry_after and retry_after.isdecimal() else None
