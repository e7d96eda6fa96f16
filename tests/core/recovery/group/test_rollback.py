"""Inputs: the persisted statuses of the members of a group. Output: what each of them rolls back."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.attempt import AttemptKind, State, Trigger
from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import AgentRolloutStatus, GroupStatus
from agentrollouts.core.recovery.group.member import Change, Harm, Member, member_of
from agentrollouts.core.recovery.group.rollback import Due, due_at_rest, due_on_trial, overdue
from testkit.builders.names import NEW, OLD, START
from testkit.builders.rollouts import a_rollout
from tests.core.recovery.group.group_model import FAULTS, Rule, ViolationError, explore
from tests.core.recovery.group.statuses import GROUP, SINCE, by_decisions, by_rule

MINUTE = timedelta(minutes=1)


def test_groups_come_to_rest_with_nothing_left_and_nothing_rolled_back_without_a_cause() -> None:
    """In random histories of real statuses, with views that are late, in at most four rounds."""
    result = explore(by_rule, histories=400)

    assert (result.histories, result.rounds <= 4, result.harmful > 300) == (400, True, True)


def test_whole_decisions_follow_the_same_model() -> None:
    """Also where the member verifies a rollback of its own, and where its target overlaps too."""
    result = explore(by_decisions, histories=30, lengths=(20,))

    assert (result.histories, result.rounds <= 4, result.harmful > 20) == (30, True, True)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_the_model_catches_a_faulty_rule(fault: Rule) -> None:
    """Each of the planted faults breaks a property."""
    with pytest.raises(ViolationError):
        explore(fault)


def in_group(status: AgentRolloutStatus, since: datetime = SINCE) -> AgentRolloutStatus:
    """A member since then."""
    return status.replace(group=GroupStatus(name=GROUP, since=since))


def test_a_member_is_what_its_status_says() -> None:
    """From the decision on, an attempt that is rolled back is harm, and no longer a change."""
    stable = Change(OLD, START - timedelta(days=2), START - timedelta(days=1))
    trying = in_group(a_rollout().serving(OLD).trying(NEW).status)
    assert member_of("a", GROUP, trying) == Member("a", SINCE, stable, Change(NEW, START))
    for state in (State.ROLLING_BACK, State.VERIFYING):
        back = in_group(a_rollout().serving(OLD).trying(NEW).rolling_back(state).status)
        harm = Harm(2, NEW, START, START, "It failed.")
        assert member_of("a", GROUP, back) == Member("a", SINCE, stable, None, (harm,))
    first = in_group(a_rollout().trying(NEW).changing(state=State.INITIAL).status)
    assert member_of("a", GROUP, first) == Member("a", SINCE, None, Change(NEW, START), is_stuck=True)


def test_no_member_without_a_persisted_membership_of_the_same_group() -> None:
    """A rollout that was just put into a group has not joined it yet."""
    status = a_rollout().serving(OLD).status
    assert member_of("a", GROUP, status) is None
    assert member_of("a", None, in_group(status)) is None
    assert member_of("a", "other", in_group(status)) is None


@pytest.mark.parametrize("trigger", list(Trigger))
@pytest.mark.parametrize("kind", list(AttemptKind))
@pytest.mark.parametrize("reason", [Reason.GATE_FAILED, Reason.ROUTE_MARKED])
def test_only_harm_to_a_release_on_trial_spreads(trigger: Trigger, kind: AttemptKind, reason: Reason) -> None:
    """Not a revert in Git, a rollback by the group or at rest, a return, or a mark that nothing confirms."""
    builder = a_rollout().serving(OLD).trying(NEW).changing(kind=kind).rolling_back(trigger=trigger)
    rollback = builder.status.last_rollback
    assert rollback is not None
    member = member_of(
        "a", GROUP, in_group(builder.having(last_rollback=rollback.replace(reason=reason)).status)
    )
    spreads = {Trigger.BREACH, Trigger.CAP, Trigger.TIMEOUT, Trigger.ACTION}
    is_harm = trigger in spreads and kind is AttemptKind.RELEASE and reason is Reason.GATE_FAILED
    assert member is not None
    assert bool(member.harms) is is_harm


times = st.integers(0, 9).map(lambda minutes: START + minutes * MINUTE)
spans = st.tuples(times, times).map(sorted)


@given(spans, spans, times, times)
def test_a_change_overlaps_or_it_does_not(
    change: list[datetime], attempt: list[datetime], since: datetime, other: datetime
) -> None:
    """It began before the decision and ended after the attempt began, and both were members by then."""
    (start, end), (began, decided) = change, attempt
    harm = Harm(3, NEW, began, decided, "errors")
    sibling = Member("b", other, harms=(harm,))
    member = Member("a", since, Change(OLD, start, end), Change(NEW, start))
    are_members = decided >= since and decided >= other
    on_trial, at_rest = due_on_trial(member, [sibling]), due_at_rest(member, [sibling])

    assert on_trial == (Due(Change(NEW, start), "b", harm) if are_members and start < decided else None)
    overlaps = start < decided and end >= began
    assert at_rest == (Due(Change(OLD, start, end), "b", harm) if are_members and overlaps else None)
    assert list(overdue([sibling, member])) == ([(member, on_trial)] if on_trial else [])


def test_a_sentence_names_both_releases_the_sibling_and_its_cause() -> None:
    """A reader finds the attempt of the sibling by it."""
    due = Due(Change(NEW, START), "billing", Harm(3, "billing-2.0.0", START, START, "errors: 9 of 10 failed"))

    assert due.sentence("checkout") == (
        f"{NEW} was shipped together with billing-2.0.0, which billing of group checkout rolled back "
        "(attempt 3): errors: 9 of 10 failed"
    )
