"""What is shown of an action while it is carried out, from the statuses that follow each other."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from agentrollouts.plugin.actions import Followed, RefusedError, weights_of
from agentrollouts.plugin.following import Look

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
