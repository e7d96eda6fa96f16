"""The dashboards on a real Prometheus that scrapes the real operator."""

from collections.abc import Iterator

import pytest

from sandbox.operator import OperatorProcess
from sandbox.stack import Stack
from tests.contract.chart.dashboards import FILES, queries
from tests.e2e.manifests import phase
from tests.e2e.scene import Scene
from tests.e2e.witness import eventually

NOT_HERE = ("conflicts_total", "foreign_writes_total", "settings_reloads_total", "attempts_total[1m]")
"""What need not happen in this test; of the last, only what has just happened has a value."""


@pytest.fixture(autouse=True)
def scraped(stack: Stack, operator: OperatorProcess) -> Iterator[None]:
    """Prometheus scrapes the operator."""
    stack.add_target("operator", operator.metrics_url.split("/")[2], {"job": "operator"})
    yield
    stack.remove_target("operator")


def test_every_query_has_a_series(given: Scene) -> None:
    """After a rollback, while another canary is held, each query of each dashboard has an answer."""
    held, bad = given.serving("held", "bad")
    long = [phase("half", 50, 600)]
    bad.ships("2.0.0", failing=0.9, phases=long)
    held.ships("2.0.0", phases=long)
    held.is_counting()
    held.ships("2.0.0", paused=True)
    held.comes_to("Held")
    bad.is_back()
    bad.comes_to("RolledBack")

    expressions = {
        text for file in FILES for text, _ in queries(file) if not any(part in text for part in NOT_HERE)
    }
    assert len(expressions) > 20

    def silent() -> list[str]:
        return sorted(text for text in expressions if not given.stack.query(text))

    try:
        eventually("every query has an answer", lambda: not silent())
    except AssertionError as error:
        raise AssertionError(f"{error}: {silent()}") from None
