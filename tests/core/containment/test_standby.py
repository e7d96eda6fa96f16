"""A standby in a status: what replaces it, what the traffic shows, and whose mark counts."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.attempt import AttemptKind, State
from agentrollouts.api.recovery.detour import Detour, DetourCause
from agentrollouts.api.status import AgentRolloutStatus, HistoryEntry, Outcome
from agentrollouts.core.containment.detour import begins, begun, share_off
from agentrollouts.core.history import kept
from agentrollouts.core.rollout.desired import credible, standby_release
from agentrollouts.core.traffic.state import Routing
from testkit.builders.names import NEW, OLD, OLDEST, START, digest_of, service_of, snapshot_of
from testkit.builders.observations import an_observation
from testkit.builders.releases import a_record
from testkit.builders.rollouts import a_rollout
from testkit.builders.routes import BY_ROUTE

SPARE: Final = standby_release(a_record(OLDEST))
GATE: Final = {"name": "tool", "template": "error-rate", "action": "Standby", "limit": {"value": "0.2"}}
PLAN: Final[dict[str, Any]] = {
    "gates": [GATE],
    "watch": {},
    "standby": [{"releaseRef": {"name": OLDEST}, "gates": ["tool"]}],
}
COHORTS: Final = {
    "httpRoute": {
        **BY_ROUTE["httpRoute"],
        "bucketHeader": "x-user-bucket",
        "cohorts": [
            {"name": "testers", "headers": [{"name": "x-tester", "value": "yes"}], "gets": "Canary"},
            {"name": "loans", "pathPrefix": "/loans", "gets": "Stable"},
        ],
    }
}


def a_detour(since: datetime = START, **fields: object) -> Detour:
    """A standby in the place of stable."""
    usual = {"id": "4f2a91c0", "cause": "Standby", "percent": 100, "standby": SPARE, "since": since}
    return Detour.model_validate({**usual, **fields})


DETOURS: Final = st.builds(
    Detour,
    id=st.text("0123456789abcdef", min_size=8, max_size=8),
    cause=st.sampled_from(DetourCause),
    percent=st.integers(1, 100),
    since=st.integers(0, 3).map(lambda seconds: START + timedelta(seconds=seconds)),
    standby=st.none() | st.just(SPARE),
)


@given(st.lists(DETOURS, max_size=6, unique_by=lambda each: each.id))
def test_whatever_takes_traffic_from_all_releases_replaces_a_standby_and_never_the_reverse(
    detours: list[Detour],
) -> None:
    """Of those without a standby the largest stays; of standbys the newest; each change is written first."""
    status = AgentRolloutStatus()
    for detour in detours:
        before, status = status, begun(status, detour)
        assert begins(before, status) == (status.detour is not before.detour)
    off = [each for each in detours if each.standby is None]
    if off:
        assert status.detour == max(off, key=lambda each: each.percent)
        assert share_off(status) == max(each.percent for each in off)
    else:
        assert status.detour == max(detours, key=lambda each: each.since, default=None)
        assert share_off(status) == 0


@pytest.mark.parametrize("traffic", [{}, BY_ROUTE, COHORTS, {"grpcRoute": BY_ROUTE["httpRoute"]}])
@pytest.mark.parametrize("state", [None, *State])
def test_the_standby_has_the_place_of_stable_in_each_rule(
    state: State | None, traffic: dict[str, Any]
) -> None:
    """Whatever the attempt does, no other release gets a request."""
    builder = a_rollout(**PLAN, traffic=traffic).serving(OLD)
    builder = builder.in_state(state) if state else builder
    builder = builder.having(detour=a_detour())
    routing = Routing(an_observation(builder, traffic={}))

    written = [change.manifest for change in routing.state(builder.status).changes]

    assert written
    for manifest in written:
        if manifest["kind"] == "ConfigMap":
            split = json.loads(manifest["data"]["split.json"])
            assert (split["stable"]["release"], split["stable"]["weight"]) == (OLDEST, 100)
            assert split["detour"] == {"id": "4f2a91c0", "percent": 100, "standby": OLDEST}
            flag = json.loads(manifest["data"]["flags.json"])["flags"]
            assert flag["support-agent-release"]["defaultVariant"] == OLDEST
            assert "support-agent-enabled" not in flag
            continue
        for rule in manifest["spec"]["rules"]:
            shares = {ref["name"]: ref["weight"] for ref in rule["backendRefs"] if ref["weight"]}
            assert shares == {service_of(OLDEST): 100}


@pytest.mark.parametrize(
    ("fields", "is_credible"),
    [
        ({}, True),
        ({"until": START + timedelta(seconds=3600)}, True),
        ({"until": START + timedelta(seconds=3601)}, False),
        ({"since": START + timedelta(days=1), "until": START + timedelta(days=1, seconds=60)}, False),
        ({"standby": SPARE.copy_with(digest=digest_of(NEW))}, False),
        ({"standby": SPARE.copy_with(service=None)}, False),
        ({"standby": standby_release(a_record(NEW))}, False),
        ({"standby": None}, True),
    ],
)
def test_a_mark_chooses_no_release_that_the_spec_does_not_name(
    fields: dict[str, Any],
    is_credible: bool,  # noqa: FBT001 a case
) -> None:
    """Anyone who may edit a route can write one; without a standby it only takes traffic away."""
    obs = an_observation(a_rollout(**PLAN).serving(OLDEST).serving(OLD))
    mark = a_detour(**fields)

    assert credible(obs, mark) == (mark if is_credible else None)
    assert credible(replace(obs, rollout=a_rollout().serving(OLD).build()), a_detour()) is None
    assert credible(obs, None) is None


def an_end(number: int, release: str, **fields: object) -> HistoryEntry:
    """A past attempt."""
    usual = {
        "number": number,
        "release": release,
        "version": "1.0.0",
        "digest": digest_of(release),
        "snapshot": snapshot_of(release),
        "outcome": Outcome.HEALTHY,
        "reason": "Healthy",
        "start_time": START,
        "end_time": START,
    }
    return HistoryEntry.model_validate({**usual, **fields})


def test_the_history_keeps_what_proves_a_standby() -> None:
    """However many attempts came after it."""
    drill = {"kind": AttemptKind.DRILL, "outcome": Outcome.ROLLED_BACK, "reason": "DrillPassed"}
    later = tuple(an_end(number, f"support-agent-5.{number}.0") for number in range(20, 2, -1))
    history = (*later, an_end(2, OLDEST, **drill), an_end(1, OLDEST))
    spec = a_rollout(**PLAN, historyLimit=5).serving(OLD).plan

    assert [entry.number for entry in kept(history, spec, ())][-2:] == [2, 1]
    assert 2 not in [entry.number for entry in kept(history, a_rollout(historyLimit=5).plan, ())]
