"""Agents that are only their counters, in any number of namespaces, scraped by the real Prometheus.

Nothing runs behind the counters: they grow with the clock for both releases of each agent, whatever the
routes say, so that a victim is judged alike whether it is disturbed or not.
"""

import time
from collections.abc import Iterator
from typing import Final

from campaigns.tenants.manifests import NEXT, STABLE

RUNS_PER_SECOND: Final = 10

Agent = tuple[str, str]
"""Namespace and name."""


class Agents:
    """The counters of everyone who was added."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._agents: dict[Agent, None] = {}
        self.breached: set[Agent] = set()
        """Whose canary has done once what it may never do."""
        self.shown: dict[Agent, float] = {}
        """When Prometheus was first told so: `time.monotonic()`."""

    def add(self, agent: Agent) -> None:
        """Count its runs from now on."""
        self._agents[agent] = None

    def exposition(self) -> Iterator[str]:
        """The counters now, in the text format of Prometheus."""
        runs = int((time.monotonic() - self._began) * RUNS_PER_SECOND)
        for namespace, name in self._agents:
            for version in (STABLE, NEXT):
                labels = f'namespace="{namespace}",agent="{name}",release="{name}-{version}"'
                has_breached = version == NEXT and (namespace, name) in self.breached
                yield f'agent_runs_total{{{labels},outcome="completed"}} {runs}'
                yield f"agent_violations_total{{{labels}}} {int(has_breached)}"
                if has_breached:
                    self.shown.setdefault((namespace, name), time.monotonic())
