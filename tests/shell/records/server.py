"""Where records go in tests: an API server in memory that can fail, and lines without a thread."""

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from agentrollouts.adapters.cluster.errors import AlreadyExistsError, ConflictError
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.shell.records.export import Export


@dataclass
class Server:
    """An API server for records, which can fail."""

    objects: dict[Ref, Manifest] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    fault: Callable[[str, str], None] = lambda _verb, _name: None
    version: int = 0

    async def get(self, ref: Ref) -> Manifest | None:
        """A copy."""
        self.admit("get", ref.name)
        return copy.deepcopy(self.objects.get(ref))

    async def create(self, manifest: Manifest) -> Manifest:
        """Refused if it is there."""
        ref = Ref.of(manifest)
        self.admit("create", ref.name)
        if ref in self.objects:
            raise AlreadyExistsError(ref.name)
        return self.store(manifest)

    async def replace(self, manifest: Manifest) -> Manifest:
        """Refused on another version."""
        ref = Ref.of(manifest)
        self.admit("replace", ref.name)
        if self.objects[ref]["metadata"]["resourceVersion"] != manifest["metadata"]["resourceVersion"]:
            raise ConflictError(ref.name)
        return self.store(manifest)

    async def delete_version(self, manifest: Manifest) -> None:
        """Gone."""
        self.admit("delete", manifest["metadata"]["name"])
        del self.objects[Ref.of(manifest)]

    def admit(self, verb: str, name: str) -> None:
        """Counted, and failed on purpose."""
        self.calls.append(verb)
        self.fault(verb, name)

    def store(self, manifest: Manifest) -> Manifest:
        """Under a new version."""
        self.version += 1
        stored = copy.deepcopy(manifest)
        stored["metadata"]["resourceVersion"] = str(self.version)
        self.objects[Ref.of(stored)] = stored
        return copy.deepcopy(stored)

    def hashes(self, ref: Ref) -> list[str]:
        """Of the entries of a record."""
        return [entry["hash"] for entry in self.objects[ref]["spec"]["entries"]]


class Immediate(Export):
    """Lines, written without a thread: virtual time knows none."""

    async def write(self, lines: Iterable[str], file: Path | None) -> None:
        """The same, at once."""
        self.write_now("".join(f"{line}\n" for line in lines), file)
