"""Agents that are only their counters: they split runs by the `<rollout>-traffic` ConfigMap.

For tests in which the requests themselves do not matter; those in which they do use `sandbox.agents.fleet`.
The number of runs is a function of the weights that the API server shows: a weight that was only claimed
brings none.
"""

import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from typing import Any, Final, Protocol, Self

from sandbox.agents.metrics_page import metrics_page
from sandbox.stack import Stack

RUNS_PER_SECOND: Final = 200
USUAL_FAILURES: Final = 0.01
TRAFFIC: Final = "-traffic"
ALL: Final = 100

Release = tuple[str, str, str]
"""Namespace, agent and release, as in the labels."""


class Onlooker(Protocol):
    """Who knows what the API server shows; a `Witness` is one."""

    def all(self, kind: str, namespace: str) -> list[dict[str, Any]]:
        """The newest versions of all objects of a kind in a namespace."""


class Agents:
    """All agents of all namespaces, as one scrape target."""

    def __init__(self, stack: Stack, witness: Onlooker) -> None:
        self._stack = stack
        self._witness = witness
        self._runs: defaultdict[Release, float] = defaultdict(float)
        self._failed: defaultdict[Release, float] = defaultdict(float)
        self._shares: dict[tuple[str, str], float] = {}
        self._shares_alone: dict[tuple[str, str], float] = {}
        self._approvals: dict[tuple[str, str], float] = {}
        self._approved: defaultdict[Release, float] = defaultdict(float)
        self._tools: dict[tuple[str, str], float] = {}
        self._broken: defaultdict[Release, float] = defaultdict(float)
        self._namespaces: set[str] = set()
        self._counted_until = time.monotonic()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), metrics_page(self.exposition))

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self._stack.add_target("agents", f"127.0.0.1:{self._server.server_port}", {"job": "agents"})
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.remove_target("agents")
        self._server.shutdown()
        self._server.server_close()

    def serve(self, namespace: str) -> None:
        """Count runs in a namespace from now on."""
        self._namespaces.add(namespace)

    def leave(self, namespace: str) -> None:
        """Count there no more; the series end."""
        with self._lock:
            self._namespaces.discard(namespace)
            for counts in (self._runs, self._failed, self._approved, self._broken):
                for release in [key for key in counts if key[0] == namespace]:
                    del counts[release]

    def fail(self, namespace: str, release: str, share: float) -> None:
        """From now on this share of a release's runs fails."""
        self._shares[namespace, release] = share

    def fail_alone(self, namespace: str, release: str, share: float) -> None:
        """From the next time on at which a release has all traffic, this share of its runs fails."""
        self._shares_alone[namespace, release] = share

    def approve(self, namespace: str, release: str, share: float) -> None:
        """From its first run on, a release decides, and approves this share."""
        self._approvals[namespace, release] = share

    def call(self, namespace: str, release: str, failing: float) -> None:
        """From its first run on, a release calls one tool in each run; this share of the calls fails."""
        self._tools[namespace, release] = failing

    def exposition(self) -> str:
        """The counters now, in the text format of Prometheus."""
        with self._lock:
            self._count()
            return "".join(f"{line}\n" for line in self._lines())

    def _count(self) -> None:
        now = time.monotonic()
        seconds, self._counted_until = now - self._counted_until, now
        for namespace in self._namespaces:
            for split in self._splits(namespace):
                for side in (split["stable"], split["canary"]):
                    if side is None:
                        continue
                    release = (namespace, split["agent"], side["release"])
                    runs = seconds * RUNS_PER_SECOND * side["weight"] / 100
                    shares = self._shares_alone if side["weight"] == ALL else {}
                    usual = self._shares.get((namespace, side["release"]), USUAL_FAILURES)
                    share = shares.get((namespace, side["release"]), usual)
                    self._runs[release] += runs
                    self._failed[release] += runs * share
                    self._approved[release] += runs * self._approvals.get((namespace, side["release"]), 0.0)
                    self._broken[release] += runs * self._tools.get((namespace, side["release"]), 0.0)

    def _splits(self, namespace: str) -> Iterator[dict[str, Any]]:
        for manifest in self._witness.all("ConfigMap", namespace):
            if manifest["metadata"]["name"].endswith(TRAFFIC) and "split.json" in manifest.get("data", {}):
                yield json.loads(manifest["data"]["split.json"])

    def _lines(self) -> Iterator[str]:
        yield "# TYPE agent_runs_total counter"
        for release, runs in self._runs.items():
            failed = self._failed[release]
            labels = 'namespace="{}",agent="{}",release="{}"'.format(*release)
            yield f'agent_runs_total{{{labels},outcome="completed"}} {runs - failed:.3f}'
            yield f'agent_runs_total{{{labels},outcome="failed"}} {failed:.3f}'
            if (release[0], release[2]) in self._approvals:
                approved = self._approved[release]
                yield f'agent_decisions_total{{{labels},decision="approve"}} {approved:.3f}'
                yield f'agent_decisions_total{{{labels},decision="deny"}} {runs - approved:.3f}'
            if (release[0], release[2]) in self._tools:
                broken, tool = self._broken[release], f'{labels},tool="issue_refund"'
                yield f'agent_tool_calls_total{{{tool},result="ok"}} {runs - broken:.3f}'
                yield f'agent_tool_calls_total{{{tool},result="timeout"}} {broken:.3f}'
