"""`agentrollouts who-served`: what it prints of a digest, by what an API server in memory has.

`tests/contract/commands/test_who_served.py` runs it as a process against a real one.
"""

import argparse
import json
from datetime import timedelta
from typing import Any, Final

import pytest

from agentrollouts.adapters.cluster.errors import ForbiddenError, NotServedError
from agentrollouts.adapters.cluster.resources import Manifest
from agentrollouts.api.attempt import State
from agentrollouts.api.model.base import Digest
from agentrollouts.api.reasons import Reason
from agentrollouts.api.record.course import Look
from agentrollouts.api.rollback import AffectedWindow, WeightChange
from agentrollouts.api.status import Outcome
from agentrollouts.cli.arguments import Command, parse
from agentrollouts.cli.mistakes import WrongUseError
from agentrollouts.cli.online.digest import digits_of
from agentrollouts.cli.online.who_served import UNKNOWN, who_served
from testkit.builders.names import AGENT, NAMESPACE, NEW, OLD, START, digest_of
from testkit.builders.rollouts import RolloutBuilder, a_rollout
from tests.cli.cluster import FakeCluster, stored

UID: Final = "3f2a91c0-1111-2222-3333-444455556666"
IN_CANARY: Final = (
    a_rollout().serving(OLD).trying(NEW).changing(traffic_start_time=START + timedelta(seconds=1))
)
DIGEST: Final[Digest] = digest_of(NEW)
DIGITS: Final = DIGEST.removeprefix("sha256:")


def rolled_back() -> RolloutBuilder:
    """`NEW` was rolled back two minutes after it began."""
    window = AffectedWindow(
        release=NEW,
        start_time=START,
        end_time=START + timedelta(seconds=120),
        attempt=2,
        digest=DIGEST,
        runs=1041,
        weights=(
            WeightChange(time=START, canary=5),
            WeightChange(time=START + timedelta(seconds=100), canary=0),
        ),
    )
    return (
        a_rollout()
        .serving(OLD)
        .remembering(NEW, Outcome.ROLLED_BACK, Reason.GATE_FAILED)
        .having(affected_window=window)
    )


def a_record(**spec: Any) -> Manifest:  # noqa: ANN401 any field
    """The record of attempt 2, by which `NEW` was rolled back."""
    entries = [
        {
            "sequence": 1,
            "time": "2026-11-21T10:00:00Z",
            "event": "AttemptStarted",
            "weight": 5,
            "stable": {"release": OLD, "digest": digest_of(OLD)},
            "diff": [{"component": "prompt", "from": "3.1.0", "to": "3.2.0", "change": "Minor"}],
        },
        {"sequence": 2, "time": "2026-11-21T10:10:00Z", "event": "PhaseStarted", "weight": 25},
        {"sequence": 3, "time": "2026-11-21T10:11:00Z", "event": "RollbackStarted", "weight": 0},
        {
            "sequence": 4,
            "time": "2026-11-21T10:11:01Z",
            "event": "Routed",
            "window": {"startTime": "2026-11-21T10:00:01Z", "endTime": "2026-11-21T10:11:05Z"},
        },
    ]
    stored_spec = {
        "rollout": AGENT,
        "rolloutUid": UID,
        "agent": AGENT,
        "attempt": 2,
        "part": 1,
        "release": NEW,
        "version": "4.2.0",
        "digest": DIGEST,
        "previous": "",
        "entries": entries,
        "outcome": "RolledBack",
    }
    name = f"{AGENT}-3f2a91c0-000002"
    return {
        "apiVersion": "agentrollouts.dev/v1alpha1",
        "kind": "AgentRolloutRecord",
        "metadata": {"namespace": NAMESPACE, "name": name},
        "spec": stored_spec | spec,
    }


def a_release(name: str = NEW, **status: Any) -> Manifest:  # noqa: ANN401 any field
    """An AgentRelease."""
    return {
        "kind": "AgentRelease",
        "metadata": {"namespace": NAMESPACE, "name": name},
        "spec": {},
        "status": {"digest": DIGEST} | status,
    }


def having(*manifests: Manifest) -> FakeCluster:
    """An API server with these objects, and without records unless there are some."""
    api = FakeCluster()
    for manifest in manifests:
        api.put(manifest)
    if not any(manifest["kind"] == "AgentRolloutRecord" for manifest in manifests):
        api.fail("list AgentRolloutRecord", NotServedError("the API server does not know the kind"))
    return api


async def told(
    api: FakeCluster, capsys: pytest.CaptureFixture[str], digits: str = DIGITS
) -> tuple[int, dict[str, Any]]:
    """Exit code and JSON."""
    code = await who_served(api, digits, NAMESPACE, as_json=True)
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("text", [DIGEST, DIGITS, DIGITS[:12], DIGITS.upper(), f" {DIGEST}"])
def test_a_digest_is_read_as_it_is_found(text: str) -> None:
    """From a header or a log field, with or without its prefix, whole or in part."""
    assert DIGITS.startswith(digits_of(text))


@pytest.mark.parametrize(
    "text", ["", "sha256:", DIGITS[:11], f"{DIGITS}0", "support-agent", "sha512:" + DIGITS]
)
def test_what_is_no_digest_is_refused(text: str) -> None:
    """With the form that is needed."""
    with pytest.raises(argparse.ArgumentTypeError, match="12 to 64 hex digits"):
        digits_of(text)


def test_the_command_line() -> None:
    """As kubectl has these options."""
    command, options = parse(["who-served", DIGEST, "-A", "-o", "json"])
    assert (command, options.digest, options.all_namespaces) == (Command.WHO_SERVED, DIGITS, True)
    assert (options.namespace, options.output) == (None, "json")


async def test_a_canary_in_progress(capsys: pytest.CaptureFixture[str]) -> None:
    """Its share now, since when it has each weight, and what serves beside it."""
    course = (Look(seconds=0, weight=0), Look(seconds=1, weight=5), Look(seconds=60, weight=5))
    code, found = await told(having(stored(IN_CANARY.having(course=course), NAMESPACE)), capsys)

    (served,) = found["served"]
    assert (code, served["release"], served["weight"]) == (0, NEW, 5)
    (attempt,) = served["attempts"]
    assert (attempt["number"], attempt["outcome"]) == (2, "in progress, Canary")
    assert attempt["before"]["release"] == OLD
    assert attempt["traffic"] == {
        "startTime": "2026-11-21T10:00:01Z",
        "weights": [{"time": "2026-11-21T10:00:01Z", "weight": 5}],
    }


async def test_a_release_that_was_rolled_back(capsys: pytest.CaptureFixture[str]) -> None:
    """The window with its weights and runs, and what its AgentRelease says that it changed."""
    changed = {"component": "prompt", "from": "3.1.0", "to": "3.2.0", "change": "Minor"}
    api = having(stored(rolled_back(), NAMESPACE), a_release(diff=[changed]))

    assert await who_served(api, DIGITS[:12], NAMESPACE, as_json=False) == 0

    span = "2026-11-21 10:00:00 UTC to 2026-11-21 10:02:00 UTC"
    assert capsys.readouterr().out.splitlines() == [
        f"{NAMESPACE}/{AGENT}: {NEW}, version 4.2.0",
        f"  digest   {DIGEST}",
        "  now      no traffic",
        "  changed  prompt 3.1.0 to 3.2.0 (Minor), compared with its parent",
        "  attempt 2  RolledBack (GateFailed)",
        f"    traffic  {span}; 5% from 10:00:00, 0% from 10:01:40; 1,041 runs counted",
        f"    before   {OLD}, {digest_of(OLD)}",
    ]


async def test_stable_has_all_traffic_from_one_end_to_another(capsys: pytest.CaptureFixture[str]) -> None:
    """Until the next release is Healthy; the span of what serves now has no end."""
    both = a_rollout().serving(OLD).serving(NEW)
    _, old = await told(having(stored(both, NAMESPACE)), capsys, digest_of(OLD).removeprefix("sha256:"))
    _, new = await told(having(stored(both, NAMESPACE)), capsys)

    assert [set(span) for span in old["served"][0]["stable"]] == [{"startTime", "endTime"}]
    assert [set(span) for span in new["served"][0]["stable"]] == [{"startTime"}]
    assert (old["served"][0]["weight"], new["served"][0]["weight"]) == (0, 100)


@pytest.mark.parametrize("is_gone", [False, True])
async def test_a_record_is_exact_and_outlives_its_rollout(
    is_gone: bool,  # noqa: FBT001 a parameter of the test
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The curve of the weight, the window and the diff come from the record where there is one."""
    rollouts = [] if is_gone else [stored(rolled_back(), NAMESPACE)]
    code, found = await told(having(*rollouts, a_record()), capsys)

    (served,) = found["served"]
    (attempt,) = served["attempts"]
    assert (code, attempt["outcome"], attempt["before"]["release"]) == (0, "RolledBack", OLD)
    assert [change["weight"] for change in attempt["traffic"]["weights"]] == [5, 25, 0]
    assert attempt["traffic"]["endTime"] == "2026-11-21T10:11:05Z"
    assert [part["component"] for part in attempt["diff"]] == ["prompt"]
    assert ("runs" in attempt["traffic"]) is not is_gone


async def test_a_prefix_finds_the_records_too(capsys: pytest.CaptureFixture[str]) -> None:
    """A rollout that knows the digest tells the rest of it."""
    _, found = await told(having(stored(rolled_back(), NAMESPACE), a_record()), capsys, DIGITS[:12])
    assert found["digest"] == DIGEST
    assert "diff" in found["served"][0]["attempts"][0]


async def test_a_record_of_another_rollout_of_that_name_is_apart(capsys: pytest.CaptureFixture[str]) -> None:
    """A rollout that was created again did not do what its predecessor did."""
    code, found = await told(having(stored(IN_CANARY, NAMESPACE), a_record(rolloutUid="another")), capsys)
    assert (code, [len(each["attempts"]) for each in found["served"]]) == (0, [1, 1])


async def test_several_digests_with_one_beginning_are_listed() -> None:
    """Nothing is guessed."""
    other = DIGEST[:-1] + ("0" if DIGEST[-1] != "0" else "1")
    builder = rolled_back()
    entry = builder.status.history[0].copy_with(number=3, digest=other)
    both = builder.having(history=(entry, *builder.status.history))
    with pytest.raises(WrongUseError, match=other):
        await who_served(having(stored(both, NAMESPACE)), DIGITS[:12], NAMESPACE, as_json=False)


async def test_nobody_knows_the_digest(capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence with what to do next, and the exit code of a refusal."""
    code = await who_served(having(stored(a_rollout(), NAMESPACE)), DIGITS, NAMESPACE, as_json=False)
    told = capsys.readouterr()
    assert (code, told.out) == (UNKNOWN, "")
    assert told.err == (
        f"No rollout, record or release in namespace {NAMESPACE} knows {DIGEST}; "
        "look in all namespaces with -A\n"
    )


async def test_a_release_that_never_served(capsys: pytest.CaptureFixture[str]) -> None:
    """Its name is known, and that no run can be its."""
    api = having(stored(a_rollout(), NAMESPACE), a_release())
    code = await who_served(api, DIGITS, None, as_json=False)
    assert (code, capsys.readouterr().err) == (
        UNKNOWN,
        f"{DIGEST} is the digest of {NAMESPACE}/{NEW}, and no rollout in any namespace has served it\n",
    )


async def test_releases_are_listed_only_if_nothing_else_knows_the_digest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Their content can be large."""
    api = having(stored(IN_CANARY, NAMESPACE))
    await told(api, capsys)
    assert api.listed == ["AgentRollout"]


async def test_records_that_may_not_be_read_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    """What the rollouts know is printed all the same."""
    api = having(stored(IN_CANARY, NAMESPACE), a_record())
    api.fail("list AgentRolloutRecord", ForbiddenError("Failed to list AgentRolloutRecord: forbidden"))
    code = await who_served(api, DIGITS, NAMESPACE, as_json=False)
    printed = capsys.readouterr()
    assert (code, NEW in printed.out) == (0, True)
    assert (
        printed.err == "Failed to list AgentRolloutRecord: forbidden. Only what the rollouts know is shown.\n"
    )


async def test_a_status_of_another_version_stops_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """The rollout that cannot be read is named."""
    unreadable = stored(IN_CANARY.changing(state=State.CANARY), NAMESPACE)
    unreadable["status"]["attempt"]["state"] = "Dreaming"
    code = await who_served(having(unreadable), DIGITS, NAMESPACE, as_json=False)
    assert (code, "cannot be read; use the version that wrote it" in capsys.readouterr().err) == (
        UNKNOWN,
        True,
    )
