"""Inputs: a fleet, how long it has run and who breaches. Outputs: what Prometheus scrapes."""

from prometheus_client.parser import text_string_to_metric_families

from bench.rig.exporter import RUNS_PER_SECOND, Fleet

FLEET = Fleet("bench", ("one", "two"), (("1.0.0", 0.95), ("1.1.0", 0.05)))


def values(text: str, name: str, **labels: str) -> dict[str, float]:
    """Sums of a metric by release."""
    sums: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                release = sample.labels["release"]
                sums[release] = sums.get(release, 0) + sample.value
    return sums


def test_every_release_has_its_share_of_the_runs_and_no_canary_is_worse() -> None:
    """What is judged at scale is harmless, so that every attempt stays under way."""
    text = FLEET.exposition(1000)
    runs = {"one-1.0.0": 2850, "one-1.1.0": 150, "two-1.0.0": 2850, "two-1.1.0": 150}
    assert RUNS_PER_SECOND == 3
    assert values(text, "agent_run_cost_usd_count") == runs
    assert values(text, "agent_run_duration_seconds_bucket", le="+Inf") == runs
    failed = values(text, "agent_runs_total", outcome="failed")
    assert failed == {"one-1.0.0": 28, "one-1.1.0": 1, "two-1.0.0": 28, "two-1.1.0": 1}
    assert not any(values(text, "agent_violations_total").values())


def test_only_the_canary_of_who_breaches_has_a_violation() -> None:
    """Stable stays where the route goes back to."""
    violations = values(FLEET.exposition(1000, {"two"}), "agent_violations_total")
    assert violations == {"one-1.0.0": 0, "one-1.1.0": 0, "two-1.0.0": 0, "two-1.1.0": 1}
