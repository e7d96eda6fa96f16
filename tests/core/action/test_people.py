"""Inputs: who approves what, and who decided before. Output: whether the approval counts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentrollouts.api.attempt import Attempt, State
from agentrollouts.api.people.action import ActionType, GivenApproval, Retried
from agentrollouts.api.reasons import Reason
from agentrollouts.api.release import Source
from agentrollouts.core.action.people import Authority, Origin, why_not
from agentrollouts.core.rollout.decide import decide
from testkit.builders.names import NEW, NEXT, OLD, START, digest_of
from testkit.builders.observations import an_observation
from testkit.builders.releases import a_ready_release
from testkit.builders.rollouts import a_rollout
from testkit.world import World, a_world

PEOPLE = ("ana@example.com", "Ana@Example.com", "lee@example.com", "max@example.com")
people = st.sampled_from(PEOPLE)


def an_attempt(**fields: object) -> Attempt:
    """An attempt of `NEW`, with these facts."""
    start = {"number": 2, "state": State.CANARY, "digest": digest_of(NEW), "startTime": START, "planHash": ""}
    return Attempt.model_validate(start | fields)


def given_by(by: str, phase: str = "asked") -> GivenApproval:
    """An approval that counts."""
    return GivenApproval(by=by, action="an-action", time=START, phase_name=phase)


def retried_by(by: str, release: str) -> Retried:
    """That release is tried again."""
    return Retried(by=by, action="an-action", time=START, digest=digest_of(release), attempt=1)


@given(people, people, people, people, people, people)
def test_an_approval_counts_unless_that_person_decided_already(
    by: str, author: str, shipper: str, promoter: str, retrier: str, approver: str
) -> None:
    """Who wrote it, shipped it, promoted it, had it tried again, or approved; by name, whatever its case."""
    attempt = an_attempt(promoted_by=(promoter,), approved_by=(given_by(approver),))
    why = why_not(by, "asked", attempt, Origin(author, shipper), retried_by(retrier, NEW))

    excluded = {each.casefold() for each in (author, shipper, promoter, retrier, approver)}
    assert bool(why) == (by.casefold() in excluded)


@given(people, people, st.sampled_from(["", "oidc:", "OIDC:", "ana"]))
def test_a_prefix_is_no_part_of_a_name(by: str, other: str, prefix: str) -> None:
    """The API server puts it before each name, and Git before none."""
    authority = Authority(username_prefix=prefix)
    attempt, requester = an_attempt(), f"{prefix.upper()}{by}"
    expected = by.casefold() == other.casefold()
    for author in (other, f"{prefix}{other}"):
        assert bool(why_not(requester, "asked", attempt, Origin(author), authority=authority)) == expected
    promoted = an_attempt(promoted_by=(f"{prefix}{other}",))
    assert bool(why_not(requester, "asked", promoted, Origin(), authority=authority)) == expected
    approved = an_attempt(approved_by=(given_by(f"{prefix}{other}"),))
    assert bool(why_not(requester, "asked", approved, Origin(), authority=authority)) == expected


def test_without_the_setting_a_prefix_hides_the_author() -> None:
    """Which is why there is one; with it, the author does not approve his own release."""
    dana, written = "oidc:dana@example.com", Source(author="Dana@Example.com")
    answers = []
    for prefix in ("", "oidc:"):
        world = a_world(a_rollout(phases=PHASES).serving(OLD), OLD)
        world.authority = Authority(username_prefix=prefix)
        release = a_ready_release(NEW)
        world.ship(NEW)
        world.releases[NEW] = release.replace(spec=release.spec.replace(source=written))
        world.settle()
        world.act(ActionType.APPROVE, by=dana, phase="asked")
        world.settle()
        answers.append(world.status.actions[0].result)
    assert answers == ["Counted", "Refused"]


@given(people, people)
def test_what_was_decided_about_something_else_excludes_nobody(by: str, other: str) -> None:
    """Another phase was approved, another digest was tried again, and the author is unknown."""
    attempt = an_attempt(approved_by=(given_by(other, "another-phase"),))
    assert why_not(by, "asked", attempt, Origin(), retried_by(other, NEXT)) == ""


PHASES = [
    {"name": "first", "weight": 10, "durationSeconds": 300},
    {"name": "asked", "weight": 30, "durationSeconds": 300, "approval": "Required", "approvals": 2},
    {"name": "last", "weight": 60, "durationSeconds": 300},
]


def asked(**spec: object) -> World:
    """`NEW` waits for two approvals."""
    world = a_world(a_rollout(phases=PHASES, **spec).serving(OLD), OLD)
    world.ship(NEW)
    world.run_until(State.AWAITING_APPROVAL)
    return world


@settings(max_examples=25)
@given(st.lists(people, max_size=6))
def test_two_approvals_are_of_two_people(by: list[str]) -> None:
    """However often each of them approves, and in whatever order."""
    rollout = a_rollout(phases=PHASES).serving(OLD).trying(NEW).in_phase(1).awaiting_approval()
    for number, person in enumerate(by):
        rollout = rollout.requesting(
            ActionType.APPROVE, 2, phase="asked", requestedBy=person, name=f"approval-{number}"
        )
    world = a_world(rollout, OLD, NEW)
    world.actions = {action.metadata.name: action for action in rollout.actions}
    world.run(120)

    count = len({person.casefold() for person in by})
    assert world.canary_weight == (60 if count > 1 else 30)
    results = [entry.result for entry in world.status.actions]
    assert results.count("Counted") == min(count, 2) or count > 2


def test_an_edit_of_the_plan_does_not_lower_the_number_of_people() -> None:
    """Two were required when the attempt began; one, or none, after an edit."""
    for approval in ({"approval": "Required"}, {}):
        world = a_world(a_rollout(phases=PHASES).serving(OLD), OLD)
        world.ship(NEW)
        world.settle()
        edited = {"name": "asked", "weight": 30, "durationSeconds": 300, **approval}
        world.edit(lambda builder, edited=edited: builder.planning(phases=[PHASES[0], edited, PHASES[2]]))  # type: ignore[misc] # default of a lambda
        world.run_until(State.AWAITING_APPROVAL)
        world.act(ActionType.APPROVE, by="ana@example.com", phase="asked")
        world.run(1000)
        assert (world.state, world.canary_weight) == (State.AWAITING_APPROVAL, 30)
        assert "(1 of 2, by ana@example.com)" in world.status.conditions[0].message
        world.act(ActionType.APPROVE, by="lee@example.com", phase="asked")
        world.run_until(State.HEALTHY)


def test_more_people_may_be_required_while_the_attempt_waits() -> None:
    """The one who approved counts, and another is needed; no phase starts over for that."""
    world = asked()
    world.act(ActionType.APPROVE, by="ana@example.com", phase="asked")
    world.settle()
    world.edit(lambda builder: builder.planning(phases=[PHASES[0], PHASES[1] | {"approvals": 3}, PHASES[2]]))
    world.act(ActionType.APPROVE, by="lee@example.com", phase="asked")
    world.run(100)
    assert (world.state, world.canary_weight) == (State.AWAITING_APPROVAL, 30)
    world.act(ActionType.APPROVE, by="max@example.com", phase="asked")
    world.run_until(State.HEALTHY)


def test_an_approval_may_come_before_it_is_asked_for() -> None:
    """Also of a phase that has not begun; it counts for this attempt alone."""
    world = a_world(a_rollout(phases=PHASES).serving(OLD), OLD)
    world.ship(NEW)
    world.settle()
    for by in ("ana@example.com", "lee@example.com"):
        world.act(ActionType.APPROVE, by=by, phase="asked")
    world.run_until(State.HEALTHY)
    assert world.told(Reason.AWAITING_APPROVAL) == []


@pytest.mark.parametrize("who", ["author", "promoter", "retrier"])
def test_whoever_decided_before_is_refused_by_name(who: str) -> None:
    """The author as the release names it; the others from the facts of the attempt, also phases later."""
    ana = "ana@example.com"
    builder = a_rollout(phases=PHASES).serving(OLD).trying(NEW).in_phase(1).awaiting_approval()
    release = a_ready_release(NEW)
    match who:
        case "author":
            release = release.replace(spec=release.spec.replace(source=Source(author="Ana@Example.com")))
        case "promoter":
            builder = builder.changing(promoted_by=(ana,))
        case _:
            builder = builder.having(retried=retried_by(ana, NEW))
    requested = builder.requesting(ActionType.APPROVE, 2, phase="asked", requestedBy=ana)
    status = decide(an_observation(requested, release=release)).status
    assert status is not None
    assert (status.actions[0].result, status.actions[0].message.startswith(ana)) == ("Refused", True)
    assert status.attempt is not None
    assert status.attempt.approved_by == ()
