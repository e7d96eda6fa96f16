"""From the cluster to the view of a rollout: the rollout, the releases that it names, and their bundles."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from agentrollouts.insight.named import BUNDLE, named
from agentrollouts.plugin.kubectl import Kubectl, Manifest, Started

if TYPE_CHECKING:
    from agentrollouts.insight.view.reading import Known
    from agentrollouts.insight.view.shape import View


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


@dataclass(slots=True)
class Releases:
    """What is known of the releases of one rollout. They never change, so each is read once."""

    kubectl: Kubectl
    known: "dict[str, Known]" = field(default_factory=dict)
    _begun: tuple[Started, dict[str, str | None]] | None = None

    def begin(self, rollout: Manifest) -> None:
        """Begin to read the releases that are not known yet. Until `view`, something else can be done."""
        missing = {name: snapshot for name, snapshot in named(rollout) if name not in self.known}
        objects = [f"agentrelease/{name}" for name in missing]
        objects += [f"configmap/{snapshot}" for snapshot in missing.values() if snapshot]
        where = f"--namespace={rollout['metadata']['namespace']}"
        if missing:
            started = self.kubectl.start("get", *objects, where, "--ignore-not-found", "--output=json")
            self._begun = started, missing

    def view(self, rollout: Manifest, *, may_read: bool = True) -> "View":
        """The view of the rollout as it is now; without `may_read` with the releases that are known."""
        from agentrollouts.insight.view.view import view  # noqa: PLC0415 while kubectl runs

        if may_read and not self._begun:
            self.begin(rollout)
        self._take()
        return view(rollout, self.known, now())

    def close(self) -> None:
        """End what was begun and is not needed."""
        if self._begun:
            self._begun[0].end()
            self._begun = None

    def _take(self) -> None:
        """Wait for what was begun; what may not be read stays unknown."""
        if not self._begun:
            return
        from agentrollouts.insight.view.reading import Known  # noqa: PLC0415 while kubectl runs

        (started, missing), self._begun = self._begun, None
        found = {(each["kind"], each["metadata"]["name"]): each for each in started.list()}
        for name, snapshot in missing.items() if found else ():
            bundle = found.get(("ConfigMap", snapshot or ""), {}).get("data", {}).get(BUNDLE)
            self.known[name] = Known(found.get(("AgentRelease", name)), bundle)
