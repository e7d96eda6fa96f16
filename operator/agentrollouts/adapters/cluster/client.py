"""The API server as the shell sees it: few verbs, plain dicts in and out, one hard timeout around every call.

The outermost layer on the way in (`observe` gets and lists) and on the way out (`act` applies and replaces).
Dicts and not the client's models: those drop the fields that they do not know, so writing one back would
erase newer fields of a HTTPRoute. Nothing is retried here, since only the caller can tell what is still true
after a failure; the one exception is an expired token, which is read again and the call repeated. Every
error is a `ClusterError` whose text is fit for a condition. `kubernetes.aio` serves for credentials and TLS.
Its API classes are not used, nor is its transport: server-side apply refuses how that one escapes text.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio.client import Configuration

from agentrollouts.adapters.cluster.calls import Call, Response, content_of
from agentrollouts.adapters.cluster.credentials import bearer_token, read_credentials, transport_of
from agentrollouts.adapters.cluster.errors import (
    ConflictError,
    InvalidError,
    NoCredentialsError,
    NotFoundError,
    UnavailableError,
)
from agentrollouts.adapters.cluster.pages import Lists, read_at_most
from agentrollouts.adapters.cluster.resources import KINDS, Manifest, Ref
from agentrollouts.adapters.cluster.slots import CALLER, Slots
from agentrollouts.api.names import FIELD_MANAGER

OnCall = Callable[[str, str, str, float], None]
"""Called for every request: verb, kind, code (HTTP status, "timeout" or "unreachable"), seconds."""

MayWrite = Callable[[], bool]
"""Whether this replica holds the Lease."""

_APPLY: Final = "application/apply-patch+yaml"
_JSON_PATCH: Final = "application/json-patch+json"
_MISFIT: Final = "the server rejected our request due to an error in our request"
"""The whole text of the 422 for a failed `test` or a missing path (seen with Kubernetes 1.36)."""
_KEEP_ALIVE_SECONDS: Final = 75
"""How long an idle connection is kept, so that a rollback needs no handshake; the API server keeps it 90."""
_RENEWAL_PAUSE_SECONDS: Final = 10
"""The least time between two readings of the credentials for a 401; reading them may start a program."""


class Cluster(Lists):
    """A connection to one API server; built by `connect`, used by many tasks at once, ended by `close`.

    A dozen calls are on the wire at a time, by turns (`slots`), beside those that hang; waiting for a turn
    counts against the timeout.
    """

    def __init__(
        self,
        credentials: Callable[[], Awaitable[Configuration]],
        configuration: Configuration,
        *,
        on_call: OnCall,
        may_write: MayWrite,
        timeout_seconds: float,
    ) -> None:
        self._credentials = credentials
        self._configuration = configuration
        self._on_call = on_call
        self._may_write = may_write
        self._timeout_seconds = timeout_seconds
        self._renewal = asyncio.Lock()
        self._renewable_at = 0.0
        self._slots = Slots(configuration.connection_pool_maxsize)
        trust, self._route = transport_of(configuration)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,  # `Slots` bounds them
                keepalive_timeout=_KEEP_ALIVE_SECONDS,
                ssl=trust,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": FIELD_MANAGER},
            timeout=aiohttp.ClientTimeout(total=timeout_seconds),
        )

    @classmethod
    async def connect(
        cls,
        kubeconfig: Path | None = None,
        *,
        on_call: OnCall = lambda *_: None,
        may_write: MayWrite = lambda: True,
        timeout_seconds: float = 10.0,
        connections: int = 12,
    ) -> Self:
        """Reads credentials and opens the connection pool; no request is sent yet.

        Args:
            kubeconfig: Path of the file. Defaults to `$KUBECONFIG`, then the pod's service account, then
                `~/.kube/config`.
            on_call: Called for every request, for metrics.
            may_write: Called before every write; False refuses it.
            timeout_seconds: Hard limit of each request, from requesting a connection to the last byte.
            connections: Number of concurrent requests, but for those that hang; each takes half a MiB.

        Raises:
            NoCredentialsError: there is no usable kubeconfig, and this is not a pod.
        """

        async def credentials() -> Configuration:
            return await read_credentials(kubeconfig, timeout_seconds)

        configuration = await credentials()
        configuration.connection_pool_maxsize = connections
        try:
            return cls(
                credentials,
                configuration,
                on_call=on_call,
                may_write=may_write,
                timeout_seconds=timeout_seconds,
            )
        except OSError as error:  # a certificate or key that TLS cannot read; ssl.SSLError is an OSError
            raise NoCredentialsError(f"Failed to load the cluster's certificates: {error}") from error

    async def close(self) -> None:
        """Closes all connections; requests in progress fail."""
        await self._session.close()

    async def get(self, ref: Ref) -> Manifest | None:
        """The object as it is now (no cache), or None when there is none.

        Raises:
            NotServedError: the API server does not know the kind at all.
            ClusterError: any other failure.
        """
        try:
            return await self._send(Call("get", ref.kind, str(ref), "GET", ref.path))
        except NotFoundError:
            return None

    async def apply(
        self, manifest: Manifest, *, manager: str = FIELD_MANAGER, force: bool = True
    ) -> Manifest:
        """Server-side apply: creates the object, or makes the fields that `manager` owns equal to these.

        Args:
            manifest: All fields that the object should have. A field that was applied before and is missing
                now is removed.
            manager: Field manager that owns the fields.
            force: Take over fields that someone else owns. Only for objects that are wholly ours.

        Raises:
            ConflictError: not forced, and someone else owns one of the fields.
            NotServedError: the API server does not know the kind, e.g. the Gateway API is not installed.
            ClusterError: any other failure.
        """
        ref = Ref.of(manifest)
        query = {"fieldManager": manager} | ({"force": "true"} if force else {})
        return await self._send(Call("apply", ref.kind, str(ref), "PATCH", ref.path, query, manifest, _APPLY))

    async def patch(self, ref: Ref, operations: Sequence[Mapping[str, Any]]) -> Manifest:
        """JSON patch (RFC 6902) of an object that exists: all operations, or none where a `test` fails.

        Raises:
            ConflictError: a `test` failed: the object is not what was decided on. Observe and decide again.
            NotFoundError: there is no such object.
            ClusterError: any other failure.
        """
        query = {"fieldManager": FIELD_MANAGER}
        call = Call("patch", ref.kind, str(ref), "PATCH", ref.path, query, list(operations), _JSON_PATCH)
        try:
            return await self._send(call)
        except InvalidError as error:
            if _MISFIT in str(error):
                raise ConflictError(str(error)) from None
            raise

    async def delete_version(self, manifest: Manifest) -> None:
        """Deletes exactly the version that was seen. An object that no longer exists is not an error.

        Raises:
            ConflictError: it has changed since, or is another object of that name.
            ClusterError: any other failure.
        """
        ref, metadata = Ref.of(manifest), manifest["metadata"]
        seen = {key: metadata[key] for key in ("uid", "resourceVersion")}
        with contextlib.suppress(NotFoundError):
            await self._send(
                Call("delete", ref.kind, str(ref), "DELETE", ref.path, body={"preconditions": seen})
            )

    async def replace_status(self, manifest: Manifest) -> Manifest:
        """Replaces the status of the very version that `metadata.resourceVersion` names.

        Args:
            manifest: kind, name, namespace, resourceVersion and status are read; the rest is not sent.

        Returns:
            The whole object as stored, with its new resourceVersion.

        Raises:
            ConflictError: the object has changed since. Observe and decide again; never repeat the same body.
            NotFoundError: the object is gone.
            ClusterError: any other failure.
        """
        ref = Ref.of(manifest)
        kept = ("name", "namespace", "resourceVersion", "uid")
        body = {
            "apiVersion": KINDS[ref.kind].api_version,
            "kind": ref.kind,
            "metadata": {key: manifest["metadata"][key] for key in kept if key in manifest["metadata"]},
            "status": manifest["status"],
        }
        if not body["metadata"].get("resourceVersion"):
            raise ValueError(f"status of {ref} without a resourceVersion: it could overwrite a newer one")
        path, query = f"{ref.path}/status", {"fieldManager": FIELD_MANAGER}
        return await self._send(Call("replace_status", ref.kind, str(ref), "PUT", path, query, body))

    async def create(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Creates an object, or only checks that it could be created.

        Args:
            manifest: The object, with a name or with `generateName`.
            dry_run: The API server checks the object in full and stores nothing.

        Returns:
            The object as stored, with its name and all defaults.

        Raises:
            AlreadyExistsError: there is one of that name.
            ClusterError: any other failure.
        """
        kind, metadata = manifest["kind"], manifest.get("metadata", {})
        namespace, name = metadata.get("namespace"), metadata.get("name") or metadata.get("generateName")
        query = {"fieldManager": FIELD_MANAGER} | ({"dryRun": "All"} if dry_run else {})
        target = f"{kind} {'/'.join(filter(None, (namespace, name)))}".strip()
        return await self._send(
            Call("create", kind, target, "POST", KINDS[kind].path(namespace), query, manifest)
        )

    async def _send(self, call: Call) -> Manifest:
        """What the API server answers. Raises `ClusterError` where that is not a good answer."""
        return content_of(call, await self._exchanged(call))

    async def _exchanged(self, call: Call) -> Response:
        """The one place where calls are made: bounded in time, counted, the network's errors translated."""
        started, code = time.monotonic(), "unreachable"
        try:
            async with asyncio.timeout(self._timeout_seconds), self._slots.of(CALLER.get()):
                response = await self._request(call)
        except TimeoutError:
            code = "timeout"
            message = f"the API server did not respond within {self._timeout_seconds:g} s"
            raise UnavailableError(f"{call.what}: {message}") from None
        except (aiohttp.ClientError, OSError) as error:
            message = f"the API server is not reachable ({type(error).__name__})"
            raise UnavailableError(f"{call.what}: {message}") from None
        else:
            code = str(response.status)
            return response
        finally:
            self._on_call(call.verb, call.kind, code, time.monotonic() - started)

    async def _request(self, call: Call) -> Response:
        token = await bearer_token(self._configuration)
        response = await self._exchange(call, token)
        if response.status == HTTPStatus.UNAUTHORIZED and await self._renew(token):
            return await self._exchange(call, await bearer_token(self._configuration))
        return response

    async def _exchange(self, call: Call, token: str | None) -> Response:
        if call.method != "GET" and not self._may_write():  # the last thing before the wire
            raise UnavailableError(f"{call.what}: this replica does not hold the Lease")
        headers = {"Content-Type": call.content_type, "Accept": "application/json"}
        headers |= {"Authorization": token} if token else {}
        url = f"{self._configuration.host}{call.path}" + (f"?{urlencode(call.query)}" if call.query else "")
        async with self._session.request(
            call.method, url, headers=headers, data=call.content, allow_redirects=False, **self._route
        ) as response:
            body = await read_at_most(response.content, call.at_most)
            return Response(response.status, response.headers.get("Retry-After"), body or b"", body is None)

    async def _renew(self, refused: str | None) -> bool:
        """Reads the credentials again after a 401; says whether it is worth another try."""
        async with self._renewal:
            if await bearer_token(self._configuration) != refused:
                return True  # another call has renewed it meanwhile
            if time.monotonic() < self._renewable_at:
                return False
            self._renewable_at = time.monotonic() + _RENEWAL_PAUSE_SECONDS
            self._configuration = await self._credentials()
            return True
