"""The API server as a person's tool and as an onlooker sees it: patches in, watch events out, timed.

Nothing of the operator is used here, so that what a bench measures is not also what measures it.
"""

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Any, Self

import aiohttp

from sandbox.stack import Stack

Manifest = dict[str, Any]

_MERGE = "application/merge-patch+json"
_APPLY = "application/apply-patch+yaml"


class ApiServer:
    """A client with an administrator's rights."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    @classmethod
    @asynccontextmanager
    async def of(cls, stack: Stack) -> AsyncIterator[Self]:
        """Connect to the API server of a stack."""
        trust = ssl.create_default_context(cafile=str(stack.ca_file))
        async with aiohttp.ClientSession(
            stack.api_url,
            connector=aiohttp.TCPConnector(ssl=trust),
            headers={"Authorization": f"Bearer {stack.admin_token}"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
            raise_for_status=True,
            read_bufsize=1 << 20,  # a watch event is one line
        ) as session:
            yield cls(session)

    async def get(self, path: str) -> Manifest:
        """An object or a list."""
        async with self._session.get(path) as response:
            manifest: Manifest = await response.json()
            return manifest

    async def is_served(self, path: str) -> bool:
        """Whether there is such a list or object."""
        async with self._session.get(path, raise_for_status=False) as response:
            return response.ok

    async def text(self, path: str) -> str:
        """What is not JSON, such as /metrics."""
        async with self._session.get(path) as response:
            return await response.text()

    async def merge(self, path: str, patch: Mapping[str, Any]) -> None:
        """Change some fields, as `kubectl patch` does."""
        await self._patch(path, patch, _MERGE)

    async def apply(self, path: str, manifest: Mapping[str, Any]) -> None:
        """Make or change an object by server-side apply, as `kubectl apply` does."""
        await self._patch(f"{path}?fieldManager=bench&force=true", manifest, _APPLY)

    async def apply_all(self, manifests: Mapping[str, Mapping[str, Any]], at_once: int = 16) -> None:
        """Apply many objects by their paths, some at a time."""
        places = asyncio.Semaphore(at_once)

        async def apply(path: str, manifest: Mapping[str, Any]) -> None:
            async with places:
                await self.apply(path, manifest)

        async with asyncio.TaskGroup() as group:
            for path, manifest in manifests.items():
                group.create_task(apply(path, manifest))

    async def create_as(self, user: str, path: str, manifest: Mapping[str, Any]) -> None:
        """Create an object in a list, as another administrator; fine where it is there already."""
        headers = {"Impersonate-User": user, "Impersonate-Group": "system:masters"}
        async with self._session.post(
            path, json=manifest, headers=headers, raise_for_status=False
        ) as response:
            if response.status != HTTPStatus.CONFLICT:
                response.raise_for_status()
            await response.read()

    async def delete(self, path: str) -> None:
        """Delete an object, without waiting until it is gone; fine where there is none."""
        async with self._session.delete(path, raise_for_status=False) as response:
            await response.read()

    async def watch(self, path: str) -> AsyncIterator[tuple[float, Manifest]]:
        """Objects of a list as they are and as they change, each with its `time.monotonic()` of arrival."""
        async for _, manifest in self.events(path):
            yield time.monotonic(), manifest

    async def events(self, path: str) -> AsyncIterator[tuple[str, Manifest]]:
        """What a watch of a list tells: ADDED, MODIFIED, DELETED or ERROR, and the object."""
        async with self._session.get(f"{path}?watch=true") as response:
            async for line in response.content:
                event = json.loads(line)
                yield event["type"], event["object"]

    async def _patch(self, path: str, body: Mapping[str, Any], kind: str) -> None:
        data = json.dumps(body)
        async with self._session.patch(path, data=data, headers={"Content-Type": kind}) as response:
            await response.read()


class Onlooker:
    """Watches one list and says when an object first looked as somebody expected.

    Used as an async context, which ends the watch.
    """

    def __init__(self, server: ApiServer, path: str) -> None:
        self._server = server
        self._path = path
        self._newest: dict[tuple[str, str], tuple[float, Manifest]] = {}
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()

    async def until(
        self,
        namespace: str,
        name: str,
        looks: Callable[[Manifest], bool],
        *,
        since: float = 0,
        seconds: float = 60,
    ) -> float:
        """When the object came to look so; waits for it.

        Args:
            namespace: of the object.
            name: of the object.
            looks: asked for its newest state.
            since: states that arrived before this are ignored.
            seconds: how long to wait at most.

        Raises:
            TimeoutError: it did not come to look so in time.
            RuntimeError: the watch has failed.
        """
        key = namespace, name
        try:
            async with asyncio.timeout(seconds), self._changed:
                while True:
                    newest = self._newest.get(key)
                    if newest is not None and newest[0] >= since and looks(newest[1]):
                        return newest[0]
                    if self._task.done():
                        cause = self._task.exception()
                        raise RuntimeError(f"The watch of {self._path} has failed") from cause
                    await self._changed.wait()
        except TimeoutError:
            state = self._newest.get(key, (0.0, {}))[1].get("status")
            raise TimeoutError(f"{self._path}: {namespace}/{name} after {seconds:g} s: {state}") from None

    async def quiet(self, seconds: float = 0.5, at_most: float = 10) -> None:
        """Wait until nothing has changed for so long, so that what was begun before disturbs nothing."""
        with suppress(TimeoutError):
            async with asyncio.timeout(at_most):
                while await changes_within(self._changed, seconds):
                    pass

    async def _look(self) -> None:
        try:
            while True:  # an API server ends a watch now and then, and that of whoever reads too slowly
                async for arrived, manifest in self._server.watch(self._path):
                    metadata = manifest["metadata"]
                    self._newest[metadata["namespace"], metadata["name"]] = arrived, manifest
                    async with self._changed:
                        self._changed.notify_all()
        finally:
            async with self._changed:
                self._changed.notify_all()


async def changes_within(changed: asyncio.Condition, seconds: float) -> bool:
    """Wait for the next change; whether it came in time."""
    try:
        async with asyncio.timeout(seconds), changed:
            return await changed.wait()
    except TimeoutError:
        return False
