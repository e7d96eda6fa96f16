"""One exporter for all tests that count, so that Prometheus scrapes for them once."""

from collections.abc import Iterator

import pytest

from sandbox.stack import Stack
from tests.e2e.parts import (
    test_believed_counts,
    test_careless_metrics,
    test_catalogue,
    test_cohort_counts,
    test_counts,
)
from tests.e2e.prometheus import END, START, Scraped, scraped

SCENARIOS = (
    *test_believed_counts.SCENARIOS,
    *test_careless_metrics.SCENARIOS,
    *test_catalogue.SCENARIOS,
    *test_cohort_counts.SCENARIOS,
    *test_counts.SCENARIOS,
)
"""Each is about agents of its own, and a query is about one agent."""


@pytest.fixture(scope="session")
def answers(stack: Stack) -> Iterator[Scraped]:
    """What Prometheus knows once everything has been exported."""
    with scraped(stack, SCENARIOS, START, END) as prometheus:
        yield prometheus
