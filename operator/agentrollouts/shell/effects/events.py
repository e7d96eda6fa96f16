"""Events on their way to the API server, those of a namespace one after the other, by a few tasks.

An Event repeats what the status reports, so it is the one write that nothing waits for: when workers sent
them, the Events of a hundred attempts that began at once delayed a rollback by a second. Namespaces take
turns, and the line of each is bounded; an Event that does not fit, or that is rejected, is only logged. An
Event can take ten seconds behind a webhook that hangs, and those of other namespaces do not wait for it.
"""

import asyncio
import logging
from collections import Counter, OrderedDict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from platform import node
from typing import Final, Protocol
from uuid import uuid4

from agentrollouts.adapters.cluster.errors import ClusterError
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.adapters.cluster.slots import CALLER, Caller
from agentrollouts.api.model.text import within_bytes
from agentrollouts.api.names import FIELD_MANAGER, GROUP
from agentrollouts.core.effects import Event
from agentrollouts.turns import Turns

logger = logging.getLogger(__name__)

LINE: Final = 2_000
"""Events of one namespace that may wait: ten for each of two hundred attempts that begin at once."""

AT_A_TIME: Final = 4
"""Namespaces of which an Event is on its way."""

REMEMBERED: Final = 10_000
"""Sentences that are remembered at the most, of all namespaces."""

MESSAGE_BYTES: Final = 1024
"""Bytes of an Event's message that the API server accepts (`NoteLengthLimit` of its event validation)."""

NAME_LENGTH: Final = 236
"""Characters of an object's name in that of its Event, which has at most 253."""
QUIET_SECONDS: Final = 60.0
"""How long the same sentence about the same object is not said again; a fight over weights repeats it."""


CONTROLLER: Final = f"{GROUP}/operator"
"""Who reports, as a qualified name."""
INSTANCE_LENGTH: Final = 128
"""The most that the API server takes as the name of an instance."""


class EventSink(Protocol):
    """Where Events go; `adapters.cluster.client.Cluster` is one."""

    async def create(self, event: Manifest) -> Manifest:
        """Create a core/v1 Event. Raises `ClusterError`."""


@dataclass(frozen=True, eq=False, slots=True)
class _Letter:
    event: Manifest


class EventSender:
    """Sends Events, those of one namespace in their order."""

    def __init__(self, sink: EventSink, *, line: int = LINE) -> None:
        self._sink = sink
        self._line = line
        self._turns: Turns[_Letter] = Turns()
        self._lengths: Counter[str] = Counter()
        self._busy: set[Hashable] = set()
        """Namespaces of which an Event is on its way."""
        self._came = asyncio.Event()
        self._said: OrderedDict[tuple[Ref, str], float] = OrderedDict()

    def send(self, manifest: Manifest, events: Iterable[Event]) -> None:
        """Log Events about an object and have them sent; does not wait."""
        for event in events:
            if not self._is_news(Ref.of(manifest), event):
                continue
            log = logger.warning if event.is_warning else logger.info
            log("%s %s: %s", Ref.of(manifest), event.reason, event.message)
            namespace = manifest["metadata"]["namespace"]
            if self._lengths[namespace] >= self._line:
                logger.warning("Failed to send an Event: the queue is full")
                continue
            self._turns.add(_Letter(_event(manifest, event)), namespace, is_urgent=False)
            self._lengths[namespace] += 1
            self._came.set()

    def _is_news(self, ref: Ref, event: Event) -> bool:
        """Whether this was not said lately; what was is remembered for as long as it matters."""
        now, sentence = asyncio.get_running_loop().time(), (ref, event.message)
        while self._said and self._is_old(next(iter(self._said.values())), now):
            self._said.popitem(last=False)
        if sentence in self._said:
            return False
        self._said[sentence] = now
        return True

    def _is_old(self, said: float, now: float) -> bool:
        """Whether the oldest sentence can be forgotten."""
        return said + QUIET_SECONDS <= now or len(self._said) >= REMEMBERED

    async def work(self) -> None:
        """Send queued Events, indefinitely."""
        await asyncio.gather(*(self._work() for _ in range(AT_A_TIME)))

    async def _work(self) -> None:
        while True:
            turn = self._turns.take(lambda namespace, _is_urgent: namespace not in self._busy)
            if turn is None:
                self._came.clear()
                await self._came.wait()
                continue
            await self._post(turn.item.event)

    async def _post(self, event: Manifest) -> None:
        namespace = event["metadata"]["namespace"]
        self._lengths -= Counter([namespace])
        self._busy.add(namespace)
        CALLER.set(Caller(namespace, is_urgent=False))
        try:
            await self._sink.create(event)
        except ClusterError as error:
            logger.warning("Failed to send an Event: %s", error)
        finally:
            self._busy.discard(namespace)
            self._came.set()


def _name(of: str) -> str:
    return f"{of[:NAME_LENGTH].rstrip('.-')}.{uuid4().hex[:16]}"


def _event(manifest: Manifest, event: Event) -> Manifest:
    """A core/v1 Event about an object.

    `eventTime` is a MicroTime: six digits, so that Events of one second have an order. With it the API server
    wants to know who reports, and what was done. The times in seconds stay for clients that sort by them.
    """
    metadata, now = manifest["metadata"], datetime.now(UTC)
    seconds = now.isoformat(timespec="seconds")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": _name(metadata["name"]), "namespace": metadata["namespace"]},
        "involvedObject": {
            "apiVersion": manifest["apiVersion"],
            "kind": manifest["kind"],
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"],
        },
        "reason": str(event.reason),
        "message": within_bytes(event.message, MESSAGE_BYTES),
        "type": "Warning" if event.is_warning else "Normal",
        "source": {"component": FIELD_MANAGER},
        "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "action": str(event.reason),
        "reportingComponent": CONTROLLER,
        "reportingInstance": (node() or FIELD_MANAGER)[:INSTANCE_LENGTH],
        "firstTimestamp": seconds,
        "lastTimestamp": seconds,
        "count": 1,
    }
