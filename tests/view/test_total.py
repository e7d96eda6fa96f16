"""The view of any object, however odd, partial, old or hostile, is a whole view and never an error."""

import copy
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from hypothesis import example, given
from hypothesis import strategies as st

from agentrollouts.api.attempt import AttemptKind, Hold, State, Trigger
from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.insight.view.reading import Known
from agentrollouts.insight.view.shape import View
from agentrollouts.insight.view.view import view
from testkit.builders.names import NEW, OLD, START
from testkit.builders.rollouts import a_rollout
from testkit.properties import usually
from tests.contract.test_status import ROLLOUT_STATUS

FULL: Final = {**a_rollout().build().to_json(), "status": ROLLOUT_STATUS.to_json()}
"""A rollout whose status has every field."""
PLAIN: Final = a_rollout().in_state(State.CANARY).build().to_json()
ODD: Final[tuple[Any, ...]] = (
    None,
    "",
    "\x1b[31m</script>\x00\u202e",
    "Tomorrow",
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00Z",
    -1,
    0,
    10**30,
    1.5,
    True,
    [],
    {},
    [None],
    {"name": {}},
)
BUNDLES: Final = ("", "{}", "[]", "null", '{"prompt": 1}', '{"prompt": {}}', '{"prompt": {"version": "x"}}')
NOWS: Final = (START, START - timedelta(days=9000), START + timedelta(days=900))
END: Final = datetime.max.replace(tzinfo=UTC)


def whole(seen: View) -> None:
    """It says something about everything that a face draws, as JSON that any parser reads."""
    assert seen.headline.sentence
    assert seen.headline.state
    assert seen.next
    assert json.loads(json.dumps(seen.to_json(), allow_nan=False))["view"] == "v1"


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, Any]:
    """A manifest in which some values are gone, or others."""
    manifest: dict[str, Any] = copy.deepcopy(draw(st.sampled_from((FULL, PLAIN))))
    for _ in range(draw(st.integers(1, 6))):
        _damage(draw, manifest)
    return manifest


def _damage(draw: st.DrawFn, manifest: dict[str, Any]) -> None:
    value: Any = manifest
    for _ in range(draw(st.integers(0, 5))):
        keys = _keys(value)
        inner = value[draw(st.sampled_from(keys))] if keys else None
        if not _keys(inner):
            break
        value = inner
    key = draw(st.sampled_from(_keys(value)))
    if draw(st.booleans()) and isinstance(value, dict):
        del value[key]
    else:
        value[key] = copy.deepcopy(draw(st.sampled_from(ODD)))
    if not manifest:
        manifest["status"] = None


def _keys(value: object) -> list[Any]:
    return (
        list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    )


@usually(150)
@given(damaged(), st.sampled_from(BUNDLES), st.sampled_from(NOWS))
@example({}, "", START)
@example({"status": [], "spec": "x", "metadata": None}, "", START)
def test_a_damaged_object_has_a_view(manifest: dict[str, Any], bundle: str, now: datetime) -> None:
    """What cannot be read is left out, whatever it is, and nothing is raised."""
    known = {NEW: Known({"spec": manifest}, bundle), OLD: Known(None, bundle)}
    whole(view(manifest, known, now))


@usually(150)
@given(
    st.sampled_from([state for state in State if state not in {State.HEALTHY, State.SUPERSEDED}]),
    st.fixed_dictionaries(
        {},
        optional={name: st.none() for name in ("stable", "canary", "weights", "attempt", "last_rollback")},
    ),
    st.fixed_dictionaries(
        {},
        optional={
            "state": st.sampled_from(State),
            "kind": st.sampled_from(AttemptKind),
            "trigger": st.sampled_from(Trigger),
            "phase_index": st.integers(0, 19),
            "phase_name": st.none(),
            "weight": st.integers(0, 100),
            "clock_start_time": st.sampled_from([None, START + timedelta(days=9), END]),
            "endpoints_lost_time": st.sampled_from([None, START, END]),
            "hold": st.none()
            | st.builds(
                Hold,
                reason=st.sampled_from([*Reason, "OfAnotherVersion"]).map(str),
                message=st.just("x"),
                since=st.just(START),
                until=st.sampled_from([None, START, END]),
                resumes=st.sampled_from(State),
            ),
        },
    ),
    st.sampled_from(NOWS),
)
def test_a_status_that_no_decision_makes_has_a_view(
    state: State, status: Mapping[str, Any], attempt: Mapping[str, Any], now: datetime
) -> None:
    """Fields that contradict each other are shown as they are."""
    builder = a_rollout().in_state(state).changing(**attempt)
    whole(view(builder.having(**status).build(), {}, now))


def test_what_cannot_be_read_is_named() -> None:
    """A status of a newer version is shown as far as this version can read it, and the rest is named."""
    newer = copy.deepcopy(PLAIN)
    newer["status"]["attempt"]["state"] = "Dreaming"
    seen = view(newer, {}, START)
    assert [(each.topic, each.sentence) for each in seen.around] == [
        ("Unread", "this version cannot read status.attempt; update it, or look at the object")
    ]
    assert [(each.name, each.role) for each in seen.running] == [(OLD, "Stable")]


def test_a_full_status_is_read_whole() -> None:
    """Nothing of a status that this version writes is left out."""
    assert view(FULL, {}, START).around[0].topic != "Unread"
    assert AgentRolloutStatus.model_validate(FULL["status"]) == ROLLOUT_STATUS
