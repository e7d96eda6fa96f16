"""What Prometheus knows, asked without the operator; and Prometheus away, for the time of a `with` block."""

import json
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager

from sandbox import web
from sandbox.stack import Stack


def runs_seen(stack: Stack, namespace: str, release: str, outcome: str = ".*") -> float:
    """How many runs of a release, with some outcome, Prometheus has seen."""
    labels = f'namespace="{namespace}",release="{release}",outcome=~"{outcome}"'
    expression = urllib.parse.quote(f"sum(agent_runs_total{{{labels}}})")
    answer = json.loads(web.get(f"{stack.prometheus_url}/api/v1/query?query={expression}"))
    return sum(float(row["value"][1]) for row in answer["data"]["result"])


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
