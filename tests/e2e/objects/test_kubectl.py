"""What people read: kubectl's tables, descriptions, explanations and waits, without a plugin."""

import re

import pytest

from tests.e2e.manifests import FIRST, phase
from tests.e2e.scene import Scene


@pytest.fixture
def two_rollouts(given: Scene) -> Scene:
    """One rollout that was rolled back and one that serves."""
    serves, broke = given.serving("serves", "broke")
    broke.ships("2.0.0", failing=0.9, phases=[phase("half", 50, 600)])
    broke.comes_to("RolledBack")
    broke.until("it is at rest", lambda: broke.ready.get("reason") == "Quarantined")
    broke.until("its record is written", lambda: not broke.status["record"]["unwritten"])
    assert serves.ready["status"] == "True"
    return given


def table(given: Scene, *arguments: str) -> list[list[str]]:
    """A table of kubectl, cell by cell; columns are apart by three spaces."""
    text = given.stack.kubectl(*arguments, f"--namespace={given.namespace}")
    return [re.split(r" {2,}", line.strip()) for line in text.splitlines()]


def test_tables(two_rollouts: Scene) -> None:
    """The first screen answers: is it fine, what is asked for, what serves, with which weight."""
    header, broke, serves = table(two_rollouts, "get", "aro")

    assert header == ["NAME", "READY", "STATE", "RELEASE", "STABLE", "WEIGHT", "AGE"]
    assert broke[:-1] == ["broke", "False", "Quarantined", "broke-2.0.0", f"broke-{FIRST}", "0"]
    assert serves[:-1] == ["serves", "True", "Healthy", f"serves-{FIRST}", f"serves-{FIRST}", "100"]


def test_wide_table_and_releases(two_rollouts: Scene) -> None:
    """With `-o wide` the sentence is there; one word lists all kinds, as their short names do."""
    wide = table(two_rollouts, "get", "aro", "broke", "--output=wide")
    releases = table(two_rollouts, "get", "arel")
    every = two_rollouts.stack.kubectl(
        "get", "agentrollouts-dev", f"--namespace={two_rollouts.namespace}", "--output=name"
    )
    short = two_rollouts.stack.kubectl(
        "get", "arel,aro", f"--namespace={two_rollouts.namespace}", "--output=name"
    ).split()

    assert "MESSAGE" in wide[0]
    assert "failures" in " ".join(wide[1])
    assert {row[0] for row in releases[1:]} == {f"serves-{FIRST}", f"broke-{FIRST}", "broke-2.0.0"}
    assert {row[1] for row in releases[1:]} == {"True"}
    assert len(short) == 5
    records = {name for name in every.split() if name.startswith("agentrolloutrecord.")}
    assert set(every.split()) == {*short, *records}
    assert records


@pytest.mark.parametrize("word", ["aro", "agentrollout", "agentrollouts", "agentrollouts.agentrollouts.dev"])
def test_one_kind_by_any_of_its_names(given: Scene, word: str) -> None:
    """Whatever a rollout is called, that kind alone is meant: it can be named, and no release is deleted."""
    given.shop("single")
    where = f"--namespace={given.namespace}"

    named = given.stack.kubectl("get", word, "single", where, "--output=name")
    all_of_them = given.stack.kubectl("delete", word, "--all", where, "--dry-run=server", "--output=name")

    assert [named.split(), all_of_them.split()] == [["agentrollout.agentrollouts.dev/single"]] * 2


def test_describe(two_rollouts: Scene) -> None:
    """`kubectl describe` tells the story by Events and the sentence with its numbers."""
    events = {"AttemptStarted", "PhaseStarted", "RollbackStarted", "RolledBack", "Quarantined"}
    two_rollouts.witness.wait("its Events", lambda: events <= {*two_rollouts.events("broke")})

    text = two_rollouts.stack.kubectl("describe", "aro", "broke", f"--namespace={two_rollouts.namespace}")

    assert [event for event in events if event not in text] == []
    assert re.search(r"errors: canary served .* of .* runs but had .* of .* failures", text), text


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("agentrollout.spec.gates", ["maxRatio", "minSamples", "Name of the gate", "-required-"]),
        ("agentrollout.spec.phases", ["rampSeconds", "Share of the traffic"]),
        ("agentrollout.status.lastRollback", ["trigger"]),
        ("agentrelease.spec.components", ["prompt", "guardrails"]),
    ],
)
def test_explain(given: Scene, field: str, words: list[str]) -> None:
    """`kubectl explain` shows every field with a description."""
    text = given.stack.kubectl("explain", field)

    assert [word for word in words if word not in text] == []
    assert "<no description>" not in text


def test_waits(given: Scene) -> None:
    """`kubectl wait` returns for Ready when a rollout is healthy, and for Stalled after a quarantine."""
    where = (f"--namespace={given.namespace}", "--timeout=100s")
    shop = given.shop("awaited")
    given.stack.kubectl("wait", "--for=condition=Ready", "aro/awaited", *where)
    given.stack.kubectl("wait", "--for=condition=Ready", f"arel/awaited-{FIRST}", *where)
    (shop,) = given.serving("awaited")
    shop.ships("2.0.0", failing=0.9)

    given.stack.kubectl("wait", "--for=condition=Stalled", "aro/awaited", *where)

    shop.until("Quarantined", lambda: shop.ready["reason"] == "Quarantined")
