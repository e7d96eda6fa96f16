"""`agentrollouts deps`: what it prints of the rollouts of a namespace."""

import json
from typing import Any

import pytest

from agentrollouts.adapters.cluster.resources import Manifest
from agentrollouts.api.release import Requirement
from agentrollouts.cli.arguments import Command, parse
from agentrollouts.cli.online.deps import deps
from testkit.builders.names import AGENT, NAMESPACE, NEW, OLD, digest_of
from testkit.builders.releases import a_record
from testkit.builders.rollouts import a_rollout
from testkit.requirements import BILLING_AGENT, RANGE, a_requirement
from tests.cli.cluster import FakeCluster, stored


def having(*manifests: Manifest) -> FakeCluster:
    """An API server with these rollouts."""
    api = FakeCluster()
    for manifest in manifests:
        api.put(manifest)
    return api


def support(versions: str = RANGE) -> Manifest:
    """The support agent serves `NEW` after `OLD`, and requires the billing agent."""
    builder = a_rollout().serving(OLD).serving(NEW)
    builder = builder.having(stable=a_record(NEW, requires=(a_requirement(versions),)))
    return stored(builder, NAMESPACE)


def billing(version: str, *before: str, requires: tuple[Requirement, ...] = ()) -> Manifest:
    """The billing agent."""
    names = {f"{BILLING_AGENT}-{each}": each for each in (*before, version)}
    entry = a_rollout().remembering(OLD).status.history[0]
    history = tuple(
        entry.copy_with(number=index, release=name, version=each, digest=digest_of(name))
        for index, (name, each) in enumerate(names.items(), start=1)
    )
    record = history[-1].record.copy_with(requires=requires)
    builder = a_rollout(agent=BILLING_AGENT).having(stable=record, history=history[::-1])
    manifest = stored(builder, NAMESPACE)
    manifest["metadata"] |= {"name": BILLING_AGENT, "uid": "another"}
    return manifest


async def told(api: FakeCluster, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str], Any]:
    """Exit code, lines and JSON."""
    code = await deps(api, NAMESPACE, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert await deps(api, NAMESPACE, as_json=True) == code
    return code, lines, json.loads(capsys.readouterr().out)


async def test_what_fits_and_what_a_rollback_would_break(capsys: pytest.CaptureFixture[str]) -> None:
    """Both sides of each requirement, and the earlier releases that it excludes."""
    code, lines, found = await told(having(support(), billing("2.1.0", "1.9.0", "2.0.0")), capsys)

    assert (code, lines) == (
        0,
        [
            f"{BILLING_AGENT} (rollout {BILLING_AGENT})",
            "  billing-agent-2.1.0, stable",
            f"    is required by {NEW}: {RANGE} fits",
            "  a rollback to billing-agent-2.0.0 breaks nothing",
            f"  a rollback to billing-agent-1.9.0 breaks {NEW}, which requires {RANGE}",
            f"{AGENT} (rollout {AGENT})",
            f"  {NEW}, stable",
            f"    requires {BILLING_AGENT} {RANGE}: billing-agent-2.1.0 fits",
            f"  a rollback to {OLD} breaks nothing",
        ],
    )
    assert [each["agent"] for each in found] == [BILLING_AGENT, AGENT]
    assert found[1]["served"][0]["requires"] == [
        {"agent": BILLING_AGENT, "versions": RANGE, "release": "billing-agent-2.1.0", "fits": True}
    ]
    assert [bool(each["breaks"]) for each in found[0]["rollbacks"]] == [False, True]


async def test_what_does_not_fit_is_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    """Also where no rollout ships the required agent."""
    code, lines, _ = await told(having(support(), billing("3.0.0")), capsys)
    assert code == 1
    assert f"    requires {BILLING_AGENT} {RANGE}: billing-agent-3.0.0 DOES NOT FIT" in lines

    code, lines, _ = await told(having(support()), capsys)
    assert code == 1
    assert f"    requires {BILLING_AGENT} {RANGE}: no rollout ships it" in lines


async def test_a_namespace_without_requirements_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """Agents that require nothing are not listed."""
    api = having(stored(a_rollout().serving(NEW), NAMESPACE))
    assert await deps(api, NAMESPACE, as_json=False) == 0
    output = capsys.readouterr()
    assert output.out == ""
    assert "requires another agent" in output.err


async def test_a_status_that_cannot_be_read_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """The others are shown."""
    odd = support()
    odd["metadata"]["name"] = "odd"
    odd["status"] = {"stable": 5}
    assert await deps(having(support(), billing("2.1.0"), odd), NAMESPACE, as_json=False) == 0
    output = capsys.readouterr()
    assert "odd" in output.err
    assert "its status cannot be read" in output.err
    assert NEW in output.out


def test_the_command_line() -> None:
    """As kubectl has these options."""
    command, options = parse(["deps", "-n", "support", "-o", "json"])
    assert (command, options.namespace, options.output) == (Command.DEPS, "support", "json")
