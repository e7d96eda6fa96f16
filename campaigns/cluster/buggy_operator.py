"""The operator with one bug planted: `python -m campaigns.cluster.buggy_operator BUG operator ...`.

The only module here that imports the operator, which it is. Each bug is one that a hasty hand could make, and
that no calm course shows; `hunt` plays until the campaigns see it.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from agentrollouts import main
from agentrollouts.adapters.cluster.client import Cluster
from agentrollouts.adapters.cluster.errors import ConflictError
from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.judge.judge import Judgment
from agentrollouts.core.traffic import manifests
from agentrollouts.core.traffic.routers import config_map, http_route
from agentrollouts.core.traffic.routers.router import Change
from agentrollouts.core.traffic.state import Routing
from agentrollouts.shell.cache import Cache


def weights_first() -> None:
    """The route is written before the status says so."""

    def writes(routing: Routing, status: AgentRolloutStatus, *_: object, **__: object) -> Iterator[Change]:
        yield from routing.state(status).changes

    _replace(Routing, "writes", writes)


def no_latch() -> None:
    """The route that is taken back does not say so."""
    marked = manifests.metadata_of

    def unmarked(*arguments: Any) -> dict[str, Any]:  # noqa: ANN401  # as the function that it replaces
        return {key: value for key, value in marked(*arguments).items() if key != "annotations"}

    for renderer in (http_route, config_map):
        _replace(renderer, "metadata_of", unmarked)


def stale_read() -> None:
    """What comes in last is believed, however old it is."""
    put = Cache.put

    def believe(self: Cache, manifest: dict[str, Any]) -> bool:
        self.drop({**manifest, "metadata": {**manifest["metadata"], "resourceVersion": str(1 << 60)}})
        self._gone.clear()
        return put(self, manifest)

    _replace(Cache, "put", believe)


def blind_retry() -> None:
    """A status that is refused as too old is written again over the newer one."""
    replace = Cluster.replace_status

    async def insist(self: Cluster, manifest: dict[str, Any]) -> dict[str, Any]:
        try:
            return await replace(self, manifest)
        except ConflictError:
            newest = await self.get(Ref.of(manifest)) or manifest
            return await replace(self, {**newest, "status": manifest["status"]})

    _replace(Cluster, "replace_status", insist)


def anything_passes() -> None:
    """A gate that has no answer yet lets pass."""
    _replace(Judgment, "lets_pass", property(lambda _: True))


BUGS: Final[Mapping[str, Callable[[], None]]] = {
    "weights-first": weights_first,
    "no-latch": no_latch,
    "stale-read": stale_read,
    "blind-retry": blind_retry,
    "anything-passes": anything_passes,
}


def _replace(owner: object, name: str, replacement: object) -> None:
    setattr(owner, name, replacement)


if __name__ == "__main__":
    BUGS[sys.argv[1]]()
    sys.exit(main.main(sys.argv[2:]))
