"""Whether a freeze is active at a time, and what it covers."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.objects import ConditionStatus, ObjectMeta
from agentrollouts.core.action.freeze import activity, covers, frozen_by, is_excepted, next_edge, status_of
from testkit.builders.freezes import WEEKEND, a_freeze
from testkit.builders.names import AGENT, NAMESPACE, NEW, OLD, START

HOME: Final = "agentrollouts"
"""Namespace of the operator."""
ROLLOUT: Final = ObjectMeta(name=AGENT, namespace=NAMESPACE, labels={"tier": "gold", "team": "care"})
OFFICE: Final = {"schedule": "0 9 * * MON-FRI", "durationSeconds": 8 * 3600}
MINUTE: Final = timedelta(minutes=1)


def at(text: str) -> datetime:
    """A time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("spec", "now", "active", "reason", "edge"),
    [
        ({}, "2026-11-21T10:00", True, "NoWindows", None),
        ({"endTime": "2026-12-01T00:00:00Z"}, "2026-11-21T10:00", True, "NoWindows", "2026-12-01T00:00"),
        ({"endTime": "2026-11-21T10:00:00Z"}, "2026-11-21T10:00", False, "Over", None),
        (
            {"endTime": "9999-12-31T23:59:59-05:00"},
            "2026-11-21T10:00",
            True,
            "NoWindows",
            "9999-12-31T23:59:59.999999",
        ),
        ({"startTime": "2026-11-21T10:01:00Z"}, "2026-11-21T10:00", False, "NotBegun", "2026-11-21T10:01"),
        ({"startTime": "2026-11-21T10:00:00Z"}, "2026-11-21T10:00", True, "NoWindows", None),
        ({"windows": [WEEKEND]}, "2026-11-20T14:59", False, "OutsideWindows", "2026-11-20T15:00"),
        ({"windows": [WEEKEND]}, "2026-11-20T15:00", True, "InWindow", "2026-11-23T07:00"),
        ({"windows": [WEEKEND]}, "2026-11-23T07:00", False, "OutsideWindows", "2026-11-27T15:00"),
        (
            {"windows": [WEEKEND], "endTime": "2026-11-21T00:00:00Z"},
            "2026-11-20T15:00",
            True,
            "InWindow",
            "2026-11-21T00:00",
        ),
        (
            {"windows": [OFFICE], "when": "OutsideWindows"},
            "2026-11-20T12:00",
            False,
            "InWindow",
            "2026-11-20T17:00",
        ),
        (
            {"windows": [OFFICE], "when": "OutsideWindows"},
            "2026-11-20T17:00",
            True,
            "OutsideWindows",
            "2026-11-23T09:00",
        ),
    ],
)
def test_when_a_freeze_is_active(
    spec: Mapping[str, Any],
    now: str,
    active: bool,  # noqa: FBT001 a column
    reason: str,
    edge: str | None,
) -> None:
    """Between its start and its end, in its windows or outside of them; and when that changes."""
    what = activity(a_freeze(**spec).spec, at(now))

    assert (what.is_active, what.reason, what.edge) == (active, reason, edge and at(edge))


@pytest.mark.parametrize("when", ["InWindows", "OutsideWindows"])
@pytest.mark.parametrize("bad", [{"schedule": "61 * * * *"}, {"timeZone": "Europe/Amsterdm"}])
def test_a_window_that_cannot_be_read_counts_as_frozen(bad: Mapping[str, str], when: str) -> None:
    """Nothing goes forward on doubt, whatever the other windows say, and the status says what is wrong."""
    freeze = a_freeze(windows=[WEEKEND, {**WEEKEND, **bad}], when=when)

    status = status_of(freeze, None, START)

    [condition] = status.conditions
    assert (condition.status, condition.reason) == (ConditionStatus.UNKNOWN, "InvalidWindow")
    assert next(iter(bad.values())) in condition.message
    assert frozen_by([freeze], ROLLOUT, NEW, START, is_in_flight=True) is not None


WINDOWS = st.lists(
    st.builds(
        lambda minute, hour, day, seconds: {
            "schedule": f"{minute} {hour} * * {day}",
            "durationSeconds": seconds,
            "timeZone": "Europe/Amsterdam",
        },
        st.sampled_from(["0", "30", "*/15"]),
        st.sampled_from(["2", "9", "16", "*"]),
        st.sampled_from(["*", "FRI", "SUN"]),
        st.integers(60, 4 * 24 * 3600),
    ),
    min_size=1,
    max_size=3,
)
SPECS = st.fixed_dictionaries(
    {"windows": WINDOWS, "when": st.sampled_from(["InWindows", "OutsideWindows"])},
    optional={
        "startTime": st.just("2026-10-24T12:00:00Z"),
        "endTime": st.just("2026-10-26T12:00:00Z"),
    },
)


@given(SPECS, st.integers(0, 4 * 24 * 60))
def test_nothing_changes_before_the_edge(spec: dict[str, Any], minutes: int) -> None:
    """Until the edge that is told, a freeze does what it does; whatever else changes, it has told before."""
    freeze = a_freeze(**spec)
    now = at("2026-10-23T12:00") + minutes * MINUTE
    what = activity(freeze.spec, now)

    assert what.edge is None or what.edge > now
    for later in (now + MINUTE, now + timedelta(hours=7), now + timedelta(days=3)):
        if what.edge is None or later < what.edge:
            assert activity(freeze.spec, later).is_active == what.is_active
    if what.edge is not None:
        last = what.edge - timedelta(microseconds=1)
        assert activity(freeze.spec, last).is_active == what.is_active


@pytest.mark.parametrize(
    ("namespace", "spec", "covered"),
    [
        (NAMESPACE, {}, True),
        ("billing", {}, False),
        (HOME, {}, True),
        (HOME, {"namespaces": ["billing", NAMESPACE]}, True),
        (HOME, {"namespaces": ["billing"]}, False),
        ("billing", {"namespaces": [NAMESPACE]}, False),
        (NAMESPACE, {"namespaces": ["billing"]}, True),
        (NAMESPACE, {"rollouts": ["another", AGENT]}, True),
        (NAMESPACE, {"rollouts": ["another"]}, False),
        (NAMESPACE, {"selector": {"tier": "gold"}}, True),
        (NAMESPACE, {"selector": {"tier": "gold", "team": "care"}}, True),
        (NAMESPACE, {"selector": {"tier": "gold", "team": "billing"}}, False),
        (NAMESPACE, {"selector": {"stage": "gold"}}, False),
    ],
)
def test_what_a_freeze_covers(namespace: str, spec: Mapping[str, Any], covered: bool) -> None:  # noqa: FBT001 a column
    """By namespace, name and label; only from the namespace of the operator does it reach others."""
    assert covers(a_freeze(namespace=namespace, **spec), ROLLOUT, HOME) is covered


def test_without_a_namespace_of_the_operator_no_freeze_reaches_another_one() -> None:
    """A freeze covers its own namespace then."""
    assert not covers(a_freeze(namespace=HOME), ROLLOUT, None)


@pytest.mark.parametrize(
    ("exception", "excepted"),
    [
        ({"namespace": NAMESPACE, "rollout": AGENT, "release": NEW}, True),
        ({"release": NEW}, True),
        ({"rollout": AGENT}, True),
        ({"namespace": NAMESPACE}, True),
        ({"namespace": "billing", "release": NEW}, False),
        ({"rollout": "another", "release": NEW}, False),
        ({"release": OLD}, False),
    ],
)
def test_an_exception_is_about_all_that_it_names(exception: Mapping[str, str], excepted: bool) -> None:  # noqa: FBT001 a column
    """Namespace, rollout and release; what it does not name may be anything."""
    freeze = a_freeze(except_=[{**exception, "reason": "fix for INC-77"}])

    assert is_excepted(freeze, ROLLOUT, NEW) is excepted
    assert (frozen_by([freeze], ROLLOUT, NEW, START, is_in_flight=False) is None) is excepted


def test_the_sentence_names_the_freeze_that_ends_last() -> None:
    """With its reason; one without an end is the last, and one that is not active is not named."""
    soon, late = (
        a_freeze("soon", endTime="2026-11-22T00:00:00Z"),
        a_freeze("late", endTime="2026-12-01T00:00:00Z"),
    )
    over, always = a_freeze("over", endTime="2026-11-01T00:00:00Z"), a_freeze("always", HOME)

    def sentence(*freezes: Any) -> str | None:  # noqa: ANN401 freezes
        return frozen_by(freezes, ROLLOUT, NEW, START, is_in_flight=True)

    end = "AgentFreeze support/late is active until 2026-12-01 00:00:00 UTC: the freeze late"
    assert sentence(over, late, soon) == sentence(soon, late) == end
    assert (
        sentence(always, late)
        == "AgentFreeze agentrollouts/always is active until it is deleted: the freeze always"
    )
    assert sentence(over) is None
    assert next_edge([over, late, soon, always], START) == at("2026-11-22T00:00")


def test_a_status_changes_with_what_it_says() -> None:
    """It is the same until the edge, and the time of the condition is that of the change."""
    freeze = a_freeze(windows=[WEEKEND], namespaces=["billing"])
    first = status_of(freeze, HOME, at("2026-11-20T14:00"))
    known = freeze.replace(status=first)

    assert status_of(known, HOME, at("2026-11-20T14:59")) == first
    active = status_of(known, HOME, at("2026-11-20T15:00"))
    [condition] = active.conditions
    assert condition.status is ConditionStatus.TRUE
    assert condition.last_transition_time == at("2026-11-20T15:00")
    assert active.active_until == at("2026-11-23T07:00")
    assert "`namespaces` has no effect" in condition.message
