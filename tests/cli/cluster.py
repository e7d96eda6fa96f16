"""An API server in memory, as far as the commands that speak to a cluster need one."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from agentrollouts.adapters.cluster.errors import AlreadyExistsError
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from testkit.builders.rollouts import RolloutBuilder

USER: Final = "dana@example.com"


class FakeCluster:
    """Objects by their address.

    `faults` are raised by the list of a namespace, or by a verb and kind as `create AgentRolloutAction`, as
    long as they are there. `operator` is called with each action that is created.
    """

    def __init__(self) -> None:
        self.objects: dict[Ref, Manifest] = {}
        self.faults: dict[str | None, list[Exception]] = {}
        self.listed: list[str] = []
        """The kinds that were listed."""
        self.operator: Callable[[Manifest], None] = lambda _action: None

    async def get(self, ref: Ref) -> Manifest | None:
        """The object."""
        self._fail(f"get {ref.kind}")
        return copy.deepcopy(self.objects.get(ref))

    async def list(
        self,
        kind: str,
        namespace: str | None = None,
        labels: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> list[Manifest]:
        """All of a kind, or the fault of that namespace or list; `fields` are those of the spec."""
        self._fail(namespace)
        self._fail(f"list {kind}")
        self.listed.append(kind)
        wanted = {(name.removeprefix("spec."), value) for name, value in (fields or {}).items()}
        found = (
            each
            for ref, each in self.objects.items()
            if ref.kind == kind
            and wanted <= set(_texts(each.get("spec") or {}))
            and (labels or {}).items() <= (each["metadata"].get("labels") or {}).items()
        )
        return [copy.deepcopy(each) for each in found if namespace in {None, each["metadata"]["namespace"]}]

    async def create(self, manifest: Manifest) -> Manifest:
        """A review, or an action; a generated name ends in `x`."""
        self._fail(f"create {manifest['kind']}")
        if manifest["kind"] == "SelfSubjectReview":
            return {**manifest, "status": {"userInfo": {"username": USER}}}
        metadata = manifest["metadata"]
        name = metadata.get("name") or f"{metadata['generateName']}x"
        stored = copy.deepcopy(manifest | {"metadata": metadata | {"name": name}})
        if Ref.of(stored) in self.objects:
            raise AlreadyExistsError(f"Failed to create {Ref.of(stored)}: it already exists")
        self.put(stored)
        self.operator(stored)
        return copy.deepcopy(stored)

    def put(self, manifest: Manifest) -> None:
        """Store an object."""
        self.objects[Ref.of(manifest)] = manifest

    def fail(self, what: str | None, error: Exception, times: int = 1_000_000) -> None:
        """Raise an error so many times."""
        self.faults[what] = [error] * times

    @property
    def actions(self) -> Sequence[Manifest]:
        """The actions that were created."""
        return [each for ref, each in self.objects.items() if ref.kind == "AgentRolloutAction"]

    def _fail(self, what: str | None) -> None:
        if self.faults.get(what):
            raise self.faults[what].pop()


def _texts(spec: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """The fields that a selector could name."""
    return ((name, value) for name, value in spec.items() if isinstance(value, str))


def stored(builder: RolloutBuilder, namespace: str) -> Manifest:
    """The rollout as the API server has it."""
    manifest = builder.build().to_json() | {
        "apiVersion": "agentrollouts.dev/v1alpha1",
        "kind": "AgentRollout",
    }
    manifest["metadata"] |= {"namespace": namespace, "uid": "3f2a91c0-1111-2222-3333-444455556666"}
    return manifest
