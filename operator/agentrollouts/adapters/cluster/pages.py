"""Lists in parts whose size is bounded, whatever tenants have stored.

How large objects are is not known before they are read: fifty of one can be 50 KiB or 50 MiB. What is longer
than `PAGE_BYTES` is not read to its end, and fewer objects are listed at a time. Used by `client`.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Final

from aiohttp import StreamReader

from agentrollouts.adapters.cluster.calls import Call, Response, content_of
from agentrollouts.adapters.cluster.resources import KINDS, Manifest, selector_of

PAGE: Final = 50
"""Objects of a list that are sent at a time; what it takes to read more at once is never given back."""
PAGE_BYTES: Final = 2 * 2**20
"""Bytes of an answer with several objects; read, they take up to ten times as much for a moment. An object
alone is read whatever its size, which the API server bounds."""


async def read_at_most(stream: StreamReader, most: int | None) -> bytes | None:
    """All of a body; None if it is longer than `most`, and then the rest is left unread."""
    body = bytearray()
    async for chunk in stream.iter_any():
        body += chunk
        if most is not None and len(body) > most:
            return None
    return bytes(body)


class Lists(ABC):
    """The lists of a connection."""

    @abstractmethod
    async def _exchanged(self, call: Call) -> Response:
        """Put a request on the wire. Raises `ClusterError` if no answer comes."""

    async def pages(
        self,
        kind: str,
        namespace: str | None = None,
        labels: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> AsyncIterator[list[Manifest]]:
        """All objects of a kind, as `list`, in parts of a bounded size: all at once would stop the loop.

        The next part has as many objects as fit, by the size of those in the last one.

        Raises:
            NotServedError: the API server does not know the kind at all.
            ClusterError: any other failure, which may come after some pages.
        """
        resource, limit = KINDS[kind], PAGE
        query = {"labelSelector": selector_of(labels)} if labels else {}
        query |= {"fieldSelector": selector_of(fields)} if fields else {}
        target = f"{kind} in {namespace or 'all namespaces'}"
        call = Call("list", kind, target, "GET", resource.path(namespace))
        while True:
            at_most = PAGE_BYTES if limit > 1 else None
            part = replace(call, query={**query, "limit": str(limit)}, at_most=at_most)
            response = await self._exchanged(part)
            if response.is_too_long:
                limit = max(1, limit // 8)
                continue
            page = content_of(part, response)
            items = page.get("items") or []
            yield [{"apiVersion": resource.api_version, "kind": kind} | item for item in items]
            following = (page.get("metadata") or {}).get("continue")
            if not following:
                return
            query["continue"] = following
            limit = min(PAGE, max(1, PAGE_BYTES // 2 * max(1, len(items)) // len(response.body)))

    async def list(
        self,
        kind: str,
        namespace: str | None = None,
        labels: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> list[Manifest]:
        """All objects of a kind, in one namespace or in all, that have all the given labels and fields.

        Args:
            kind: The kind.
            namespace: Of all namespaces if it is None.
            labels: Labels that an object must have.
            fields: Fields that must have these values, of those that the kind can be selected by.

        Raises:
            NotServedError: the API server does not know the kind at all.
            ClusterError: any other failure.
        """
        return [item async for page in self.pages(kind, namespace, labels, fields) for item in page]
