"""From the cluster to the view of a rollout: the rollout, the releases that it names, and their bundles."""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from agentrollouts.insight.named import BUNDLE, named
from agentrollouts.plugin.kubectl import Kubectl, KubectlError, Manifest, Started

if TYPE_CHECKING:
    from agentrollouts.insight.view.reading import Known
    from agentrollouts.insight.view.shape import View


SECONDS: Final = 10.0
"""How long the rest of a screen waits for the releases."""


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
        from agentrollouts.insight.view.acting.command import addressed  # noqa: PLC0415 while kubectl runs
        from agentrollouts.insight.view.view import view  # noqa: PLC0415 the same

        if may_read and not self._begun:
            self.begin(rollout)
        self._take()
        return addressed(view(rollout, self.known, now()), self.kubectl.flags)

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
        listed = list[Manifest]()
        with suppress(KubectlError):  # no answer in time: it is not needed for the rest
            listed = started.list(SECONDS)
        found = {(each["kind"], each["metadata"]["name"]): each for each in listed}
        for name, snapshot in missing.items() if found else ():
            bundle = found.get(("ConfigMap", snapshot or ""), {}).get("data", {}).get(BUNDLE)
            self.known[name] = Known(found.get(("AgentRelease", name)), bundle)
