"""Input: versions of the snapshots of an agent. Output: what is read from the cache, and how often."""

from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.shell.snapshots import FEW, Heads


class Store:
    """ConfigMaps that are in the cache, and the keys of those that were read."""

    def __init__(self) -> None:
        self.reads: list[Ref] = []
        self.heads = Heads(self.manifest_of)

    def manifest_of(self, key: Ref) -> Manifest:
        """The head of a snapshot."""
        self.reads.append(key)
        return {"metadata": {"name": key.name}, "bundle": {"digest": "sha256:1", "size": 2}}

    def names(self, versions: dict[Ref, int]) -> list[str]:
        """What a decision gets."""
        return [snapshot.metadata.name for snapshot in self.heads.of(versions)]


def keys(count: int) -> list[Ref]:
    """The snapshots of one agent."""
    return [Ref("ConfigMap", "support", f"agent-{number}") for number in range(count)]


def test_where_there_are_many_each_version_is_read_once() -> None:
    """A second decision reads the one that has changed, and sees all of them."""
    store, many = Store(), keys(FEW + 1)
    versions = dict.fromkeys(many, 1)
    first = store.names(versions)

    second = store.names(versions | {many[2]: 2})

    assert first == second == [key.name for key in many]
    assert store.reads == [*many, many[2]]


def test_few_are_read_by_each_decision() -> None:
    """Nothing of them is kept."""
    store, few = Store(), keys(FEW)

    assert store.names(dict.fromkeys(few, 1)) == store.names(dict.fromkeys(few, 1))
    assert store.reads == [*few, *few]
