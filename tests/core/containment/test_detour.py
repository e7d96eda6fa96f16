"""Detours in a status: what begins, replaces, adopts and ends one, and the mark that survives a crash."""

from datetime import timedelta
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.names import ANNOTATION_DETOUR
from agentrollouts.api.recovery.detour import Detour, DetourCause
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.containment.detour import adopted, begun, ended, id_at, id_of, share_off
from agentrollouts.core.containment.mark import annotations_of, read_mark
from agentrollouts.core.traffic.weights import Split, Weights, desired_weights
from testkit.builders.names import NEW, OLD, START, UID
from testkit.builders.rollouts import a_rollout

DETOURS: Final = st.builds(
    Detour,
    id=st.text("0123456789abcdef", min_size=8, max_size=8),
    cause=st.sampled_from(DetourCause),
    percent=st.integers(1, 100),
    gate=st.none() | st.just("leak"),
    message=st.text(max_size=50),
    by=st.none() | st.just("dana@example.com"),
    since=st.just(START),
)


@given(DETOURS)
def test_a_mark_says_all_of_its_detour_to_its_own_rollout(detour: Detour) -> None:
    """What is written is read; a mark of another rollout, or one that someone spoiled, says nothing."""
    marks = annotations_of(detour, UID)
    assert read_mark(marks, UID) == detour
    assert read_mark(marks, "another") is None
    for text in ("", "{", "[]", "1", '{"uid":"%s"}' % UID):  # noqa: UP031 braces
        assert read_mark({ANNOTATION_DETOUR: text}, UID) is None


@given(st.lists(DETOURS, max_size=5))
def test_a_share_only_rises(detours: list[Detour]) -> None:
    """Whatever begins, the largest share stays, and the first of that share."""
    status = AgentRolloutStatus()
    for detour in detours:
        status = begun(status, detour)
    assert share_off(status) == max((each.percent for each in detours), default=0)
    assert status.detour == max(detours, key=lambda each: each.percent, default=None)


@given(DETOURS)
def test_a_detour_that_ended_is_not_adopted_from_its_mark(detour: Detour) -> None:
    """Any other mark is, as the process may have ended before the status was written."""
    status = AgentRolloutStatus()
    assert adopted(status, detour).detour == detour
    over = ended(begun(status, detour), "dana@example.com", START + timedelta(seconds=5))
    assert over.detour is None
    assert over.last_detour is not None
    assert (over.last_detour.id, over.last_detour.start_time) == (detour.id, START)
    assert adopted(over, detour) == over
    assert adopted(status, None) == status


def test_an_identity_is_the_same_however_often_it_is_taken() -> None:
    """For one action, and for one decision of the operator."""
    assert id_of("3f0b1c22-8a9e-4d55-9f3d-000000000001") == "3f0b1c22"
    assert id_of("uid-of-z") == id_of("uid-of-z")
    assert len(id_of("zzz")) == 8
    assert id_at(UID, DetourCause.GATE, START) != id_at(UID, DetourCause.CAP, START)


@given(st.integers(0, 100), st.integers(1, 100), st.booleans())
def test_the_shares_add_up_whatever_is_off(weight: int, percent: int, has_fallback: bool) -> None:  # noqa: FBT001 drawn
    """Releases and detour have 100 together, and the backends 10,000; with all off, no release has any."""
    detour = Detour(id="0" * 8, cause=DetourCause.SWITCH_OFF, percent=percent, since=START)
    plan = {"fallback": {"service": {"name": "queue", "port": 80}}} if has_fallback else {}
    builder = a_rollout(**plan).serving(OLD).trying(NEW).changing(weight=weight).having(detour=detour)

    weights = desired_weights(builder.status)

    assert weights == Weights(weight * (100 - percent) // 100, percent)
    assert weights.stable + weights.canary + weights.diverted == 100
    parts = dict(Split(builder.status, weights).backends(builder.plan))
    shares = {service.name: part for service, part in parts.items()}
    if percent == 100:
        assert shares == ({"queue": 100} if has_fallback else dict.fromkeys(shares, 0))
    elif has_fallback:
        assert sum(shares.values()) == 10_000
        assert shares["queue"] == percent * 100
