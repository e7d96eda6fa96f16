"""The session that kopf sends requests with: kopf keeps the watches alive, and objects go past it.

kopf lists a kind before each new watch of it, all of it. Its list has no bound in bytes, and each listed
object would leave a record with kopf for as long as it exists. So that list is made by the resync, in small
parts, and kopf gets an empty one with the version from which to watch on. What a watch reports is taken in by
`stream`.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

import aiohttp

from agentrollouts.adapters.cluster.errors import ClusterError
from agentrollouts.adapters.cluster.resources import KINDS, Manifest
from agentrollouts.shell.inputs.stream import Stream

ListAnew = Callable[[str, str | None], Awaitable[str]]
"""Takes in all objects of a kind, in one namespace or in all; the version from which to watch on."""

TakeInKind = Callable[[str, str, Manifest], None]
"""Takes in one change of an object: its kind, ADDED, MODIFIED or DELETED, and the object."""

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


class InputSession:
    """A session for kopf.

    Args:
        session: Sends what is not a list of a kind that is watched.
        server: URL that the API server's paths are below.
        kinds: Those that are watched.
        list_anew: Makes the lists. Raises `ClusterError`.
        take_in: Where a change of an object of a kind goes.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        server: str,
        kinds: frozenset[str],
        list_anew: ListAnew,
        take_in: TakeInKind,
    ) -> None:
        self._session = session
        self._below = urlsplit(server).path.rstrip("/")
        self._kinds = kinds
        self._list_anew = list_anew
        self._take_in = take_in

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 everything else that a session has
        return getattr(self._session, name)

    async def request(self, method: str, url: str, **given: Any) -> Any:  # noqa: ANN401 the session's signature
        """Send a request, or list what it requests.

        Raises:
            aiohttp.ClientConnectionError: there is no answer; kopf tries again.
        """
        path = urlsplit(url).path.removeprefix(self._below)
        namespace = path.partition("/namespaces/")[2].partition("/")[0] or None
        kind = next((kind for kind in self._kinds if KINDS[kind].path(namespace) == path), None)
        if kind is None or method.lower() != "get":
            return await self._session.request(method, url, **given)
        if "watch" in parse_qs(urlsplit(url).query):
            return Stream(await self._session.request(method, url, **given), partial(self._take_in, kind))
        try:
            return EmptyList(await self._list_anew(kind, namespace))
        except ClusterError as error:
            raise aiohttp.ClientConnectionError(str(error)) from None
