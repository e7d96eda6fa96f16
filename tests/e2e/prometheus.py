"""What Prometheus knows, asked without the operator; an exporter for it; and Prometheus away for a while."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer

import pytest
import requests

from agentrollouts.core.gates.selector import Matcher, Selector
from agentrollouts.core.metrics.promql import render
from agentrollouts.core.metrics.queries import QueryPlan
from agentrollouts.core.metrics.table import QueryResult, to_result
from sandbox.agents.metrics_page import metrics_page
from sandbox.stack import Stack


def runs_seen(
    stack: Stack, namespace: str, release: str, outcome: str = ".*", at: datetime | None = None
) -> float:
    """How many runs of a release, with some outcome, Prometheus has seen by now, or had seen at a time."""
    labels = f'namespace="{namespace}",release="{release}",outcome=~"{outcome}"'
    then = "" if at is None else f" @ {at.timestamp() + 0.001:.3f}"  # times of a status are rounded to 1 ms
    return sum(float(row["value"][1]) for row in stack.query(f"sum(agent_runs_total{{{labels}}}{then})"))


@contextmanager
def stopped(stack: Stack) -> Iterator[None]:
    """Prometheus is killed, and started again at the end."""
    prometheus = stack.processes["prometheus"]
    prometheus.stop()
    try:
        yield
    finally:
        prometheus.start()


@contextmanager
def hanging(stack: Stack) -> Iterator[None]:
    """Prometheus takes connections and answers nobody, until the end."""
    prometheus = stack.processes["prometheus"]
    prometheus.pause()
    try:
        yield
    finally:
        prometheus.resume()


def line(metric: str, agent: str, release: str, value: float, **labels: str) -> str:
    """One line of the exposition format."""
    all_labels = {"namespace": "shop", "agent": agent, "release": release, **labels}
    return f"{Selector(metric, tuple(Matcher(key, '=', text) for key, text in all_labels.items()))} {value}"


START, END = 4, 16
"""Numbers of the scrapes between which is counted."""
Scenario = Callable[[int], Iterable[str]]
"""The lines that an agent exports at scrape number k, from 1."""


class Exporter(ThreadingHTTPServer):
    """Serves scrape number k the text of k, and tells who waits for a number."""

    def __init__(self, scenarios: Sequence[Scenario]) -> None:
        super().__init__(("127.0.0.1", 0), metrics_page(self.next_text))
        self.scenarios = scenarios
        self.times: list[datetime] = []
        self.scraped = threading.Condition()

    def next_text(self) -> str:
        """The exposition of this scrape, whose time is noted."""
        with self.scraped:
            self.times.append(datetime.now(UTC))
            self.scraped.notify_all()
            k = len(self.times)
        return "\n".join(text for scenario in self.scenarios for text in scenario(k)) + "\n"

    def time_of(self, k: int) -> datetime:
        """When scrape `k` began; waits for the one after it, as then `k` is stored."""
        with self.scraped:
            assert self.scraped.wait_for(lambda: len(self.times) > k, timeout=120)
            return self.times[k - 1]


@dataclass(frozen=True)
class Scraped:
    """Everything has been exported and scraped; what does Prometheus answer?"""

    stack: Stack
    start: datetime
    at: datetime

    def ask(self, plan: QueryPlan, text: str | None = None) -> QueryResult:
        """The answer to a plan's one request, or to another text for it."""
        query = {"query": text or render(plan, self.at), "time": self.at.timestamp()}
        answer = requests.post(f"{self.stack.prometheus_url}/api/v1/query", data=query, timeout=60).json()
        assert answer["status"] == "success", answer
        rows = ((row["metric"], float(row["value"][1])) for row in answer["data"]["result"])
        return to_result(plan, self.at, rows)


@contextmanager
def scraped(stack: Stack, scenarios: Sequence[Scenario], start: int, end: int) -> Iterator[Scraped]:
    """An exporter after `end` scrapes, with the counting start just after scrape `start`."""
    exporter, just_after = Exporter(scenarios), timedelta(milliseconds=300)
    jitter = timedelta(milliseconds=100)  # scrapes are not exact, and a window is cut to whole seconds
    threading.Thread(target=exporter.serve_forever, daemon=True).start()
    stack.add_target("exporter", f"127.0.0.1:{exporter.server_port}", {"job": "exporter"})
    try:
        begun = exporter.time_of(start) + just_after
        yield Scraped(stack, begun, exporter.time_of(end) + just_after + jitter)
    finally:
        stack.remove_target("exporter")
        exporter.shutdown()
        exporter.server_close()


def near(truth: float) -> object:
    """Within what Prometheus' extrapolation to the edges of a window of 12 scrapes may be off."""
    return pytest.approx(truth, rel=0.12, abs=0.3)
