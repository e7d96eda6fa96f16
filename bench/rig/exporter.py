"""The metrics of a crowd of agents on one address: harmless canaries beside harmless stable releases.

Run as a process of its own, `python -m bench.rig.exporter`. Nothing runs behind these counters: they grow
with the clock, evenly, as if each agent finished so many runs a second and its canary had its share of
them.
"""

import argparse
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from http.server import HTTPServer
from pathlib import Path
from typing import Final

from sandbox.agents.metrics_page import metrics_page

RUNS_PER_SECOND: Final = 3
"""Of each agent: about 10,000 an hour."""

_OUTCOMES: Final = (("completed", 0.90), ("failed", 0.01), ("refused", 0.04), ("escalated", 0.05))
_CALLS: Final = (
    ("search", "ok", 1.0),
    ("search", "error", 0.01),
    ("refund", "ok", 0.3),
    ("refund", "error", 0.003),
)
_SECONDS: Final = (
    ("0.1", 0.1),
    ("0.25", 0.3),
    ("0.5", 0.5),
    ("1", 0.7),
    ("2.5", 0.85),
    ("5", 0.95),
    ("10", 0.99),
)
_USD_PER_RUN: Final = 0.002


@dataclass(frozen=True, slots=True)
class Fleet:
    """Whose metrics are served."""

    namespace: str
    agents: Sequence[str]
    releases: Sequence[tuple[str, float]]
    """Versions, each with its share of the runs; the last one is the canary."""

    def exposition(self, seconds: float, breached: Collection[str] = ()) -> str:
        """All series in the Prometheus text format, 21 for each release of each agent.

        Args:
            seconds: how long they have run.
            breached: agents whose canary has done once what it may never do.
        """
        canary = self.releases[-1][0]
        lines = (
            line
            for agent in self.agents
            for version, share in self.releases
            for line in _series(
                f'namespace="{self.namespace}",agent="{agent}",release="{agent}-{version}"',
                seconds * RUNS_PER_SECOND * share,
                violations=int(version == canary and agent in breached),
            )
        )
        return "\n".join(lines) + "\n"


def _series(identity: str, runs: float, violations: int) -> Iterator[str]:
    yield f"agent_violations_total{{{identity}}} {violations}"
    for outcome, part in _OUTCOMES:
        yield f'agent_runs_total{{{identity},outcome="{outcome}"}} {int(runs * part)}'
    for tool, result, part in _CALLS:
        yield f'agent_tool_calls_total{{{identity},tool="{tool}",result="{result}"}} {int(runs * part)}'
    for le, part in (*_SECONDS, ("+Inf", 1.0)):
        yield f'agent_run_duration_seconds_bucket{{{identity},le="{le}"}} {int(runs * part)}'
    yield f"agent_run_duration_seconds_sum{{{identity}}} {runs}"
    yield f"agent_run_duration_seconds_count{{{identity}}} {int(runs)}"
    yield f"agent_run_cost_usd_sum{{{identity}}} {_USD_PER_RUN * int(runs)}"
    yield f"agent_run_cost_usd_count{{{identity}}} {int(runs)}"


def main() -> None:
    """Serve the metrics until killed."""
    parser = argparse.ArgumentParser(prog="bench.rig.exporter", description=__doc__)
    parser.add_argument("--listen", required=True, metavar="ADDRESS:PORT")
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--agents", required=True, metavar="NAME,...")
    parser.add_argument("--releases", required=True, metavar="VERSION=SHARE,...")
    parser.add_argument(
        "--breached", type=Path, metavar="FILE", help="agents whose canary breaches, a line each"
    )
    options = parser.parse_args()
    shares = (one.partition("=") for one in options.releases.split(","))
    releases = [(version, float(share)) for version, _, share in shares]
    fleet, began = Fleet(options.namespace, options.agents.split(","), releases), time.monotonic()

    def text() -> str:
        breached = options.breached and options.breached.exists() and options.breached.read_text().split()
        return fleet.exposition(time.monotonic() - began, breached or ())

    host, _, port = options.listen.partition(":")
    HTTPServer((host, int(port)), metrics_page(text)).serve_forever()


if __name__ == "__main__":
    main()
