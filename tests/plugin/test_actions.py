"""What is shown of an action while it is carried out, from the statuses that follow each other."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentrollouts.api.people.action import ActionType
from agentrollouts.core.action.request import OpenRequestError, Request
from agentrollouts.plugin.actions import (
    Followed,
    RefusedError,
    completed,
    consequence,
    create,
    weights_of,
)
from agentrollouts.plugin.following import Look
from agentrollouts.plugin.kubectl import Kubectl, KubectlError, program
from testkit.builders.names import NEW, OLD, OLDEST
from tests.plugin.fake import fake
from tests.plugin.rollouts import healthy, in_canary, rolled_back

STABLE, BAD = "x-1.0.0", "x-2.0.0"
PATIENCE = 60.0
Status = dict[str, Any]


def weights(stable: int, canary: int) -> Status:
    """A status with these shares."""
    return {"weights": {"stable": stable, "canary": canary}}


def answered(result: str, message: str = "said") -> Status:
    """A status with an answer."""
    return {
        "actions": [{"uid": "other", "result": "Refused"}, {"uid": "u", "result": result, "message": message}]
    }


def seen(kind: str, before: Status, *after: Status, seconds: float = PATIENCE) -> list[str]:
    """The sentences about an action; the last status stays."""
    action = {"metadata": {"uid": "u", "name": "x-abc"}, "spec": {"type": kind, "release": BAD}}

    def looks() -> Iterator[Look]:
        for status in after:
            yield Look({"status": status}, is_new=True)
        while True:
            yield Look({"status": after[-1]}, is_new=False)

    followed = Followed(action, time.monotonic(), weights_of(before))
    return [step.sentence for step in followed.steps(looks(), seconds)]


def test_a_rollback_is_followed_until_the_traffic_has_left() -> None:
    """The route comes first, then the answer, then the last runs; what was so before is not news."""
    attempt = {"attempt": {"state": "Verifying"}}
    old = {"lastRollback": {"from": BAD, "observedTime": "before"}}
    moved = weights(100, 0) | attempt
    assert seen(
        "RollBack",
        weights(50, 50),
        weights(50, 50) | old,
        weights(50, 50) | answered("RollingBack"),
        moved | answered("RollingBack"),
        moved | answered("Done", "rolled back"),
        moved | answered("Done", "rolled back") | {"lastRollback": {"from": BAD, "observedTime": "now"}},
    ) == ["the route shows 100/0", "Done: rolled back", f"the traffic has left {BAD}"]


def test_an_agent_is_off_once_the_route_shows_it() -> None:
    """The answer alone is not the effect."""
    detour = {"detour": {"percent": 80}}
    assert seen(
        "SwitchOff",
        weights(100, 0),
        weights(100, 0) | detour | answered("Done"),
        weights(20, 0) | detour | answered("Done"),
    ) == ["Done: said", "the route shows 20/0, 80% elsewhere"]


@pytest.mark.parametrize("result", ["Counted", "NothingToDo", "Done"])
def test_any_other_action_ends_with_its_answer(result: str) -> None:
    """Also with an answer that another one came before."""
    assert seen("Approve", {}, {}, answered("Waiting"), answered(result)) == [
        "Waiting: said",
        f"{result}: said",
    ]


@pytest.mark.parametrize("result", ["Refused", "Stale", "IdentityNotProved"])
def test_a_refusal_is_an_error(result: str) -> None:
    """With the sentence of the operator."""
    with pytest.raises(RefusedError, match=f"^{result}: why not$"):
        seen("Hold", {}, {}, answered(result, "why not"))


def test_no_answer_in_time_is_an_error_that_says_what_remains() -> None:
    """The action was created, and can still be answered."""
    with pytest.raises(RefusedError, match=r"^x-abc: created; no answer within 0 s; check that the operator"):
        seen("Hold", {}, {}, seconds=0)
    with pytest.raises(RefusedError, match=r"^x-abc: created; the answer is Done, and the route has not"):
        seen("SwitchOff", weights(100, 0), {"detour": {"percent": 100}} | answered("Done"), seconds=0)


WHERE = "in support/support-agent"


@pytest.mark.parametrize(
    ("verb", "given", "said"),
    [
        ("rollback", {}, f"Rolls back {NEW} to {OLD} for all traffic and quarantines {NEW}"),
        ("rollback", {"release": NEW}, f"Rolls back {NEW} to {OLD} for all traffic and quarantines {NEW}"),
        ("rollback", {"release": OLD}, f"Requests RollBack of {OLD} {WHERE}"),
        ("hold", {}, "Keeps the canary at 25% and stops its clocks; rolling back still works"),
        ("hold", {"attempt": 7}, f"Requests Hold {WHERE}"),
        ("promote", {"phase": "bake"}, f"Requests Promote of bake {WHERE}"),
        ("acknowledge", {"for_seconds": 3600}, f"Requests Acknowledge for 3600 s {WHERE}"),
        ("switch-off", {"percent": 50}, f"Requests SwitchOff of 50% of the traffic {WHERE}"),
    ],
)
def test_the_consequence_is_that_of_the_request(verb: str, given: dict[str, Any], said: str) -> None:
    """What is said before an action is created never describes what the command does without its options."""
    rollout, _ = in_canary()
    kind = next(each for each in ActionType if each.lower() == verb.replace("-", ""))
    action = completed(Request(kind, "support-agent", "support", "a test", **given), rollout, "dana")

    assert consequence(rollout, verb, action) == said


def test_the_consequence_names_the_target_of_the_request() -> None:
    """At rest, the view knows the newest target; who chooses another one does not read its name."""
    rollout, _ = healthy()
    request = Request(ActionType.ROLL_BACK, "support-agent", "support", "a test", target=OLDEST, force=True)

    said = consequence(rollout, "rollback", completed(request, rollout, "dana"))

    assert said == f"Requests RollBack of {NEW} to {OLDEST} whether or not a target is ready {WHERE}"


@pytest.mark.parametrize(
    ("kind", "result", "is_back"),
    [("RollBack", "Done", True), ("RollBack", "NothingToDo", False), ("Hold", "Done", False)],
)
def test_only_what_was_rolled_back_is_verified(kind: str, result: str, is_back: bool) -> None:  # noqa: FBT001 a parameter
    """After an answer that nothing was to be done, no verification is announced."""
    action = {"metadata": {"uid": "u", "name": "x-abc"}, "spec": {"type": kind, "release": BAD}}
    followed = Followed(action, time.monotonic(), None)
    list(followed.steps(iter([Look({"status": answered(result)}, is_new=True)]), PATIENCE))

    assert followed.has_rolled_back is is_back


def test_a_rollback_that_comes_second_does_not_reach_stable() -> None:
    """Someone who still sees the canary does not roll back what serves since, unless they name it."""
    rollout, _ = rolled_back()
    request = Request(ActionType.ROLL_BACK, "support-agent", "support", "a test")

    with pytest.raises(OpenRequestError) as refused:
        completed(request, rollout, "dana")

    assert str(refused.value) == (f"{NEW} is rolled back already; to roll back {OLD} as well, set --release")
    for named in (replace(request, release=OLD), replace(request, target=OLDEST)):
        assert completed(named, rollout, "dana")["spec"]["release"] == OLD


EXISTS = 'Error from server (AlreadyExists): agentrolloutactions.agentrollouts.dev "once" already exists'


@pytest.mark.parametrize(
    ("changes", "is_same"),
    [({}, True), ({"requestedBy": "lee", "reason": "other words"}, True), ({"attempt": 3}, False)],
)
def test_a_named_action_is_created_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], *, is_same: bool
) -> None:
    """A second run follows the action of the first; the name of another request is an error."""
    rollout, _ = in_canary()
    request = Request(ActionType.HOLD, "support-agent", "support", "a test", name="once")
    action = completed(request, rollout, "dana")
    stored = {**action, "spec": {**action["spec"], **changes}}
    (tmp_path / "stored.json").write_text(json.dumps(stored))
    script = f"case $1 in create) echo '{EXISTS}' >&2; exit 1;; get) cat {tmp_path}/stored.json;; esac"
    monkeypatch.setenv("PATH", f"{fake(tmp_path, script)}:/usr/bin:/bin")
    program.cache_clear()

    if is_same:
        assert create(Kubectl(), action, PATIENCE) == stored
        return
    with pytest.raises(KubectlError, match="already exists"):
        create(Kubectl(), action, PATIENCE)
