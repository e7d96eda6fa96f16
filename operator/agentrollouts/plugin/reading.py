"""From the cluster to the view of a rollout: the rollout, the releases that it names, and their bundles."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from agentrollouts.insight.view.reading import BUNDLE, Known, named
from agentrollouts.insight.view.shape import View
from agentrollouts.insight.view.view import view
from agentrollouts.plugin.kubectl import Kubectl, Manifest


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


@dataclass(slots=True)
class Releases:
    """What is known of the releases of one rollout. They never change, so each is read once."""

    kubectl: Kubectl
    known: dict[str, Known] = field(default_factory=dict)

    def view(self, rollout: Manifest, *, may_read: bool = True) -> View:
        """The view of the rollout as it is now; without `may_read` with the releases that are known."""
        if may_read:
            self._read(rollout)
        return view(rollout, self.known, now())

    def _read(self, rollout: Manifest) -> None:
        """Read the releases that are not known yet; what may not be read stays unknown."""
        missing = {name: snapshot for name, snapshot in named(rollout) if name not in self.known}
        if not missing:
            return
        objects = [f"agentrelease/{name}" for name in missing]
        objects += [f"configmap/{snapshot}" for snapshot in missing.values() if snapshot]
        where = f"--namespace={rollout['metadata']['namespace']}"
        started = self.kubectl.start("get", *objects, where, "--ignore-not-found", "--output=json")
        found = {(each["kind"], each["metadata"]["name"]): each for each in started.list()}
        for name, snapshot in missing.items() if found else ():
            bundle = found.get(("ConfigMap", snapshot or ""), {}).get("data", {}).get(BUNDLE)
            self.known[name] = Known(found.get(("AgentRelease", name)), bundle)
