"""The session that kopf sends requests with: kopf keeps the watches alive, and objects go past it.

kopf lists a kind before each new watch of it, all of it. Its list has no bound in bytes, and each listed
object would leave a record with kopf for as long as it exists. So that list is made by the resync, in small
parts, and kopf gets an empty one with the version from which to watch on. What a watch reports is taken in by
`stream`.

An error of a watch would end the process, and with it the rollbacks of all namespaces, though only one kind
or one namespace is refused. So kopf gets an error of the connection, after which it tries again in seconds.

kopf watches what the API server serves when it starts, and would have to watch all CRDs to learn of more. So
it reads here that every kind is served, always. A list of one that is not waits until it is.

An API server that was restored from a backup is at a lower version than before. It reports nothing to a watch
from a higher one, and no error. So each watch begins with a look at the version.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from http import HTTPStatus
from typing import Any, Final, Protocol, Self
from urllib.parse import parse_qs, urlsplit

import aiohttp

from agentrollouts.adapters.cluster.errors import ClusterError, NotServedError
from agentrollouts.adapters.cluster.resources import KINDS, Manifest
from agentrollouts.shell.inputs.stream import Expired, Stream

TakeInKind = Callable[[str, str, Manifest], None]
"""Takes in one change of an object: its kind, ADDED, MODIFIED or DELETED, and the object."""


class Lists(Protocol):
    """The lists of the resync. Both methods raise `ClusterError`."""

    async def anew(self, kind: str, namespace: str | None) -> str:
        """Take in all objects of a kind, in one namespace or in all; the version from which to watch on.

        Waits while the kind is not served.
        """

    async def has(self, kind: str, namespace: str | None, version: str) -> bool:
        """Whether the API server has come to a version."""


class Answer:
    """An answer, as far as kopf looks at it."""

    status: Final = HTTPStatus.OK

    def __init__(self, content: dict[str, Any]) -> None:
        self._content = content

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """There is no connection to give back."""

    async def json(self) -> dict[str, Any]:
        """The content."""
        return self._content


def empty_list(version: str) -> Answer:
    """A list without objects."""
    return Answer({"metadata": {"resourceVersion": version}, "items": []})


def discovery(kinds: Iterable[str]) -> dict[str, dict[str, Any]]:
    """By path, what kopf reads to find out which kinds there are: these, and three of its own."""
    versions = defaultdict[str, list[dict[str, Any]]](list)
    for kind in kinds:
        versions[KINDS[kind].api_version].append(_resource(kind, KINDS[kind].plural, is_namespaced=True))
    versions["v1"] += [
        _resource("Namespace", "namespaces", is_namespaced=False),
        _resource("Event", "events", is_namespaced=True),
    ]
    definition = _resource("CustomResourceDefinition", "customresourcedefinitions", is_namespaced=False)
    versions["apiextensions.k8s.io/v1"].append(definition)
    named = [name.partition("/") for name in versions if "/" in name]
    groups = [
        {"name": group, "versions": [{"version": version}], "preferredVersion": {"version": version}}
        for group, _, version in named
    ]
    paths = {
        f"/{'apis' if '/' in name else 'api'}/{name}": {"resources": found}
        for name, found in versions.items()
    }
    return {"/api": {"versions": ["v1"]}, "/apis": {"groups": groups}, **paths}


def _resource(kind: str, plural: str, *, is_namespaced: bool) -> dict[str, Any]:
    verbs = ["list", "watch", "patch"]
    return {"kind": kind, "name": plural, "singularName": "", "namespaced": is_namespaced, "verbs": verbs}


class InputSession:
    """A session for kopf.

    Args:
        session: Sends what is not a list of a kind that is watched.
        server: URL that the API server's paths are below.
        kinds: Those that are watched.
        lists: Makes the lists.
        take_in: Where a change of an object of a kind goes.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        server: str,
        kinds: frozenset[str],
        lists: Lists,
        take_in: TakeInKind,
    ) -> None:
        self._session = session
        self._below = urlsplit(server).path.rstrip("/")
        self._kinds = kinds
        self._discovery = discovery(kinds)
        self._lists = lists
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
        if path in self._discovery and method.lower() == "get":
            return Answer(self._discovery[path])
        if kind is None or method.lower() != "get":
            return await self._session.request(method, url, **given)
        query = parse_qs(urlsplit(url).query)
        try:
            if "watch" not in query:
                return empty_list(await self._lists.anew(kind, namespace))
            version = query.get("resourceVersion", [""])[0]
            if version.isdecimal() and not await self._lists.has(kind, namespace, version):
                return Expired()
        except NotServedError:
            return Expired()
        except ClusterError as error:
            raise aiohttp.ClientConnectionError(str(error)) from None
        return self._watched(kind, await self._session.request(method, url, **given))

    def _watched(self, kind: str, response: aiohttp.ClientResponse) -> Any:  # noqa: ANN401 as far as kopf looks
        """The answer to a watch; the one error that kopf has to see is that it must log in again."""
        status = response.status
        if status < HTTPStatus.BAD_REQUEST:
            return Stream(response, partial(self._take_in, kind))
        if status == HTTPStatus.UNAUTHORIZED:
            return response
        response.close()
        if status == HTTPStatus.GONE:
            return Expired()
        raise aiohttp.ClientConnectionError(f"HTTP {status} for the watch of {kind}")
