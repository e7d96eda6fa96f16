"""In-memory counterparts of the adapters: an API server with versions and faults, and a Prometheus server.

They keep to the contracts that the shell relies on: server-side apply by field manager, one resource version
for all changes, optimistic locking of the status, watch events that may be late.
"""

import asyncio
import copy
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from agentrollouts.adapters.cluster.errors import ClusterError, ConflictError, ForbiddenError, NotFoundError
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.adapters.prometheus.envelope import Matrix, QueryError, Vector
from agentrollouts.api.names import ANNOTATION_ROLLED_BACK
from agentrollouts.shell.inputs.intake import Intake
from agentrollouts.simulation.cluster import accepted
from agentrollouts.simulation.json_patch import TestFailedError, patched


class Effect(NamedTuple):
    """Something that was done to the API server."""

    verb: str
    target: str
    """`Kind name`; of an Event its reason."""


class FakeApiServer:
    """An API server in a dictionary.

    `on_write` is asked before each write and may raise a `ClusterError` or do something first; `mutate`
    changes what an apply stores, as an admission webhook would, and `prune` a status, as an older CRD does.
    A gateway reports on every route at once, but takes its time about one that was rolled back. `intake`,
    once set, are told of every change.
    """

    def __init__(self) -> None:
        self.objects: dict[Ref, Manifest] = {}
        self.effects: list[Effect] = []
        self.reads: list[Ref | str] = []
        self.events: list[Manifest] = []
        self.verifies_people = True
        self.probes = 0
        self.hang_on_events = False
        self.intake: Intake | None = None
        self.on_write: Callable[[str, Ref], None] = lambda _verb, _ref: None
        self.mutate: Callable[[Manifest], Manifest] = lambda manifest: manifest
        self.prune: Callable[[Manifest], Manifest] = lambda manifest: manifest
        self._layers: dict[Ref, dict[str, Manifest]] = {}
        self._version = 0

    async def get(self, ref: Ref) -> Manifest | None:
        """The object."""
        self.reads.append(ref)
        stored = self.objects.get(ref)
        return None if stored is None else copy.deepcopy(stored)

    async def text(self, ref: Ref) -> bytes | None:
        """The object as it is on the wire."""
        stored = await self.get(ref)
        return None if stored is None else json.dumps(stored).encode()

    async def version(self, kind: str, namespace: str | None) -> str:  # noqa: ARG002 one version for all
        """The version of all changes."""
        return str(self._version)

    async def pages(
        self, kind: str, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> AsyncIterator[list[Manifest]]:
        """All of a kind, one a page."""
        for manifest in await self.list(kind, namespace, labels):
            yield [manifest]

    async def list(
        self, kind: str, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> list[Manifest]:
        """All of a kind."""
        self.reads.append(kind)
        required = (labels or {}).items()
        return [
            copy.deepcopy(manifest)
            for ref, manifest in self.objects.items()
            if ref.kind == kind
            and namespace in {None, ref.namespace}
            and required <= manifest["metadata"].get("labels", {}).items()
        ]

    async def apply(
        self, manifest: Manifest, *, manager: str = "agentrollouts", force: bool = True
    ) -> Manifest:
        """Server-side apply; `force` is always. A version may be refused; what is not there is made."""
        assert force or manager != "agentrollouts"
        ref = Ref.of(manifest)
        self._admit("apply", ref)
        stored, version = self.objects.get(ref, {}), manifest["metadata"].get("resourceVersion")
        if stored and version not in {None, stored["metadata"]["resourceVersion"]}:
            raise ConflictError(f"{ref} has changed")
        self._layers.setdefault(ref, {})[manager] = self.mutate(copy.deepcopy(manifest))
        merged: Manifest = {}
        for layer in self._layers[ref].values():
            merged = _merged(merged, layer)
        return self._store(ref, merged | {"status": stored["status"]} if "status" in stored else merged)

    async def patch(self, ref: Ref, operations: Sequence[Mapping[str, Any]]) -> Manifest:
        """JSON patch."""
        self._admit("patch", ref)
        stored = self.objects.get(ref)
        if stored is None:
            raise NotFoundError(f"{ref} not found")
        try:
            return self._store(ref, patched(stored, operations))
        except TestFailedError as error:
            raise ConflictError(str(error)) from None

    async def delete_version(self, manifest: Manifest) -> None:
        """Delete what was seen."""
        ref = Ref.of(manifest)
        self._admit("delete_version", ref)
        stored = self.objects.get(ref)
        if stored is None:
            return
        if stored["metadata"]["resourceVersion"] != manifest["metadata"]["resourceVersion"]:
            raise ConflictError(f"{ref} has changed")
        self.delete(ref)

    async def replace_status(self, manifest: Manifest) -> Manifest:
        """The status, of the very version."""
        ref = Ref.of(manifest)
        self._admit("replace_status", ref)
        stored = self.objects.get(ref)
        if stored is None:
            raise NotFoundError(f"{ref} not found")
        if stored["metadata"]["resourceVersion"] != manifest["metadata"]["resourceVersion"]:
            raise ConflictError(f"{ref} has changed")
        return self._store(ref, self.prune({**stored, "status": copy.deepcopy(manifest["status"])}))

    async def create(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """A core/v1 Event; or the probe of the policies, which refuse it if `verifies_people`."""
        if dry_run:
            self.on_write("probe", Ref.of(manifest))
            self.probes += 1
            if self.verifies_people:
                raise ForbiddenError("spec.requestedBy: must be the caller, the-operator")
            return manifest
        event = manifest
        if self.hang_on_events:
            await asyncio.Event().wait()
        self.on_write("create", Ref.of(event))
        self.effects.append(Effect("create", f"Event {event['reason']}"))
        self.events.append(event)
        return event

    def put(self, manifest: Manifest) -> Manifest:
        """Somebody makes or replaces an object; a changed spec is a new generation."""
        ref = Ref.of(manifest)
        self._layers[ref] = {"somebody": copy.deepcopy(manifest)}
        return self._store(ref, copy.deepcopy(manifest))

    def edit(self, ref: Ref, **spec: object) -> Manifest:
        """Somebody sets fields of the spec."""
        stored = self.objects[ref]
        return self.put({**stored, "spec": {**stored["spec"], **spec}})

    def delete(self, ref: Ref, *, tell: bool = True) -> Manifest:
        """Somebody deletes an object; without `tell`, while the watch is interrupted."""
        gone = copy.deepcopy(self.objects.pop(ref))
        self._layers.pop(ref, None)
        self._version += 1
        gone["metadata"]["resourceVersion"] = str(self._version)
        if self.intake is not None and tell:
            asyncio.get_running_loop().call_soon(self.intake.drop, gone)
        return gone

    def count(self, *verbs: str) -> int:
        """How often one of these was done."""
        return sum(effect.verb in verbs for effect in self.effects)

    def _admit(self, verb: str, ref: Ref) -> None:
        self.on_write(verb, ref)
        self.effects.append(Effect(verb, f"{ref.kind} {ref.name}"))

    def _store(self, ref: Ref, manifest: Manifest) -> Manifest:
        before, manifest = self.objects.get(ref), json.loads(json.dumps(manifest, default=dict))
        metadata = {
            **manifest["metadata"],
            "uid": (before or manifest)["metadata"].get("uid", f"uid-of-{ref.name}"),
            "generation": _generation(before, manifest),
        }
        metadata.pop("resourceVersion", None)
        after = {**manifest, "metadata": metadata}
        is_latched = ANNOTATION_ROLLED_BACK in (metadata.get("annotations") or {})
        if ref.kind == "HTTPRoute" and after.get("spec", {}).get("parentRefs") and not is_latched:
            after = dict(accepted(after))
        if before is not None and {**before, "metadata": _unversioned(before)} == after:
            return copy.deepcopy(before)
        self._version += 1
        metadata["resourceVersion"] = str(self._version)
        self.objects[ref] = after
        if self.intake is not None:
            asyncio.get_running_loop().call_soon(self.intake.put, copy.deepcopy(after))
        return copy.deepcopy(after)


def _unversioned(manifest: Manifest) -> Manifest:
    return {key: value for key, value in manifest["metadata"].items() if key != "resourceVersion"}


def _generation(before: Manifest | None, manifest: Manifest) -> int:
    if before is None:
        return int(manifest["metadata"].get("generation", 1))
    return int(before["metadata"]["generation"]) + (before.get("spec") != manifest.get("spec"))


def _merged(below: Manifest, above: Manifest) -> Manifest:
    """Maps are merged, owners are a set, other lists are atomic."""
    merged = dict(below)
    for key, value in above.items():
        if isinstance(value, dict):
            merged[key] = _merged(merged.get(key, {}), value)
        elif key == "ownerReferences":
            merged[key] = list({owner["uid"]: owner for owner in (*merged.get(key, []), *value)}.values())
        else:
            merged[key] = value
    return merged


def failing(error: ClusterError, verb: str, kind: str, times: int = 1_000_000) -> Callable[[str, Ref], None]:
    """For `on_write`: so many of these writes fail."""
    left = [times]

    def fail(this: str, ref: Ref) -> None:
        if (this, ref.kind) == (verb, kind) and left[0] > 0:
            left[0] -= 1
            raise error

    return fail


class FakePrometheus:
    """A server that answers with `answer`, after `seconds`; None hangs for ever."""

    def __init__(self, answer: Iterable[tuple[Mapping[str, str], float]] | QueryError = ()) -> None:
        self.answer = answer
        self.namespace_label = "namespace"
        self.has_births = False
        self.crowded: str | None = None
        self.history: Matrix | QueryError = Matrix(())
        self.seconds: float | None = 0.0
        self.asked: list[tuple[str, datetime]] = []
        self.histories = 0
        self.history_asked = ""

    async def counts_births(self) -> bool:
        """What the test says."""
        return self.has_births

    @asynccontextmanager
    async def slot(self, namespace: str) -> AsyncIterator[None]:
        """At once."""
        assert namespace
        yield

    def crowding(self, _namespace: str) -> str | None:
        """What the test says."""
        return self.crowded

    async def query(self, text: str, at: datetime, *, namespace: str) -> Vector | QueryError:
        """The answer."""
        assert namespace
        self.asked.append((text, at))
        await self._think()
        return self.answer if isinstance(self.answer, QueryError) else _vector(at, self.answer)

    async def query_range(
        self, text: str, start: datetime, end: datetime, step: timedelta, *, namespace: str
    ) -> Matrix | QueryError:
        """The history."""
        assert namespace
        assert text
        assert start < end
        assert step
        self.histories += 1
        self.history_asked = text
        await self._think()
        return self.history

    async def _think(self) -> None:
        if self.seconds is None:
            await asyncio.Event().wait()
        else:
            await asyncio.sleep(self.seconds)


def _vector(at: datetime, rows: Any) -> Vector:  # noqa: ANN401 pairs are as good as rows
    return Vector(at, tuple(rows))
