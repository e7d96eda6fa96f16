"""Agents that are only their counters, scraped by the real Prometheus as one target.

Runs follow the weights of the routes in the API server: a weight that was only claimed brings none. Nothing
here is random, so a healthy canary fails exactly as often as stable.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from enum import Enum, auto
from typing import Final

RUNS_PER_SECOND: Final = 200
USUAL_FAILURES: Final = 0.01
RESET_SECONDS: Final = 10

Weights = Mapping[str, int]
"""Percent by version."""


class Ailment(Enum):
    """What is wrong with an agent's exporter, not with the agent."""

    NAN = auto()
    """It exports NaN for every counter."""
    GONE = auto()
    """It exports nothing."""
    RESTART = auto()
    """Its counters restart at zero once, as with a pod that restarts."""
    RESETS = auto()
    """Its counters restart at zero again and again, faster than a process can restart."""


class Agents:
    """All agents of a namespace.

    Args:
        namespace: the label of their series.
        weights: of every agent at this moment, as its route has them.
    """

    def __init__(self, namespace: str, weights: Callable[[], Mapping[str, Weights]]) -> None:
        self._namespace = namespace
        self._weights = weights
        self._runs: defaultdict[tuple[str, str], float] = defaultdict(float)
        self._failed: defaultdict[tuple[str, str], float] = defaultdict(float)
        self._counted_until = time.monotonic()
        self._reset = self._counted_until
        self._restarted: set[tuple[str, str]] = set()
        self.ailing: dict[str, Ailment] = {}
        """By agent."""
        self.failing: dict[tuple[str, str], float] = {}
        """Share of the runs that fail, by agent and version, where it is not the usual one."""

    def exposition(self) -> Iterator[str]:
        """The counters now, in the text format of Prometheus."""
        self._count()
        yield "# TYPE agent_runs_total counter"
        for (agent, version), runs in self._runs.items():
            ailment = self.ailing.get(agent)
            if ailment is Ailment.GONE:
                continue
            failed = self._failed[agent, version]
            labels = f'namespace="{self._namespace}",agent="{agent}",release="{agent}-{version}"'
            for outcome, value in (("completed", runs - failed), ("failed", failed)):
                sample = "NaN" if ailment is Ailment.NAN else f"{value:.3f}"
                yield f'agent_runs_total{{{labels},outcome="{outcome}"}} {sample}'

    def _count(self) -> None:
        now = time.monotonic()
        seconds, self._counted_until = now - self._counted_until, now
        if resets := now > self._reset + RESET_SECONDS:
            self._reset = now
        for agent, weights in self._weights().items():
            for version, weight in weights.items():
                which = agent, version
                ailment = self.ailing.get(agent)
                if ailment is Ailment.RESTART and which not in self._restarted:
                    self._restarted.add(which)
                    self._runs[which] = self._failed[which] = 0.0
                if resets and ailment is Ailment.RESETS:
                    self._runs[which] = self._failed[which] = 0.0
                runs = seconds * RUNS_PER_SECOND * weight / 100
                self._runs[which] += runs
                self._failed[which] += runs * self.failing.get(which, USUAL_FAILURES)
