"""`docs/getting-started.md`: what it says about series. A test of the same name in `tests/e2e` plays it."""

import re

from agentrollouts.api.rollout import DEFAULT_GATES, MetricConvention
from agentrollouts.core.gates.templates import STARTED, TEMPLATES
from tests.docs.pages import page, section

TEXT = section(page("getting-started.md"), "1. Export the series")
SUFFIXES = ("_bucket", "_count", "_sum")


def exported(series: str) -> str:
    """The name by which a client library knows a series: a histogram without the suffix of its parts."""
    return next((series.removesuffix(suffix) for suffix in SUFFIXES if series.endswith(suffix)), series)


def default_templates(convention: MetricConvention) -> set[str]:
    """The templates of the default gates that a convention has series for."""
    names = {str(gate.template) for gate in DEFAULT_GATES}
    return {name for name in names if convention in TEMPLATES[name].sources}


def test_the_page_names_the_series_of_the_default_gates() -> None:
    """For our own convention and OpenTelemetry, the table has each metric that a default gate reads."""
    shown = set(re.findall(r"`([a-z_]{8,})`", TEXT))
    for convention in (MetricConvention.AGENT_ROLLOUTS, MetricConvention.OPEN_TELEMETRY):
        sources = [TEMPLATES[name].sources[convention] for name in default_templates(convention)]
        needed = {exported(found.metric) for source in sources for found in (source.bad, source.total)}
        assert needed - shown == set()
    assert {found.metric for found in STARTED.values()} - shown == set()


def test_the_page_says_which_default_gates_a_convention_lacks() -> None:
    """Each row of a convention, and the sentence about missing series, agree with the catalog."""
    rows = [line.split("|")[1:] for line in TEXT.splitlines() if line.startswith("| ")]
    gates: dict[str, set[str]] = {}
    convention = ""
    for first, _, *rest in rows:
        convention = first.split()[0] if first.strip() else convention
        gates.setdefault(convention, set()).update(re.findall(r"`([\w-]+)`", rest[0]))

    assert {str(found): gates[str(found)] for found in MetricConvention} == {
        str(found): default_templates(found) for found in MetricConvention
    }
