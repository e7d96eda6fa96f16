"""kopf's own lists, answered by the resync: kopf lists a kind before each new watch of it, all of it.

Its list has no bound in bytes, and each listed object would leave a record with kopf for as long as it
exists. So the session that kopf sends requests with makes that list by the resync, in small parts, and gives
kopf an empty one with the version from which to watch on.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

import aiohttp

from agentrollouts.adapters.cluster.errors import ClusterError
from agentrollouts.adapters.cluster.resources import KINDS

ListAnew = Callable[[str, str | None], Awaitable[str]]
"""Takes in all objects of a kind, in one namespace or in all; the version from which to watch on."""

_OK: Final = 200


class EmptyList:
    """An answer without objects, as far as kopf looks at it."""

    status: Final = _OK

    def __init__(self, version: str) -> None:
        self._version = version

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """There is no connection to give back."""

    async def json(self) -> dict[str, Any]:
        """The list."""
        return {"metadata": {"resourceVersion": self._version}, "items": []}


class ListingSession:
    """A session for kopf.

    Args:
        session: Sends what is not a list of a kind that is watched.
        server: URL that the API server's paths are below.
        kinds: Those that are watched.
        list_anew: Makes the lists. Raises `ClusterError`.
    """

    def __init__(
        self, session: aiohttp.ClientSession, server: str, kinds: frozenset[str], list_anew: ListAnew
    ) -> None:
        self._session = session
        self._below = urlsplit(server).path.rstrip("/")
        self._kinds = kinds
        self._list_anew = list_anew

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 everything else that a session has
        return getattr(self._session, name)

    async def request(self, method: str, url: str, **given: Any) -> Any:  # noqa: ANN401 the session's signature
        """Send a request, or list what it requests.

        Raises:
            aiohttp.ClientConnectionError: there is no answer; kopf tries again.
        """
        listed = self._listed(method, url)
        if listed is None:
            return await self._session.request(method, url, **given)
        try:
            return EmptyList(await self._list_anew(*listed))
        except ClusterError as error:
            raise aiohttp.ClientConnectionError(str(error)) from None

    def _listed(self, method: str, url: str) -> tuple[str, str | None] | None:
        """The kind and namespace that a request lists; None if it does something else."""
        parts = urlsplit(url)
        if method.lower() != "get" or "watch" in parse_qs(parts.query):
            return None
        path = parts.path.removeprefix(self._below)
        namespace = path.partition("/namespaces/")[2].partition("/")[0] or None
        return next(((kind, namespace) for kind in self._kinds if KINDS[kind].path(namespace) == path), None)
