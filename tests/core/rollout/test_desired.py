"""What `spec.releaseRef` asks for: compared with the status first, so that going back needs no object."""

import pytest

from agentrollouts.api.reasons import Reason
from agentrollouts.api.release import AgentRelease
from agentrollouts.api.status import Outcome
from agentrollouts.core.effects import Problem
from agentrollouts.core.rollout.desired import Desired, Standing, desired_release
from testkit.builders.names import NEW, NEXT, OLD, OLDEST
from testkit.builders.observations import an_observation
from testkit.builders.releases import a_ready_release, a_record, not_ready
from testkit.builders.rollouts import RolloutBuilder, a_rollout
from testkit.builders.routes import BY_ROUTE

KNOWING = a_rollout().remembering(OLDEST).serving(OLD).trying(NEW)


@pytest.mark.parametrize(
    ("builder", "release", "expected"),
    [
        (KNOWING, NEW, Standing.CANARY),
        (KNOWING, OLD, Standing.STABLE),
        (KNOWING, OLDEST, Standing.KNOWN_HEALTHY),
        (KNOWING, NEXT, Standing.NEW),
        (KNOWING.quarantining(NEXT), NEXT, Standing.QUARANTINED),
        (KNOWING.quarantining(OLDEST), OLDEST, Standing.QUARANTINED),
        (KNOWING.remembering(NEXT, Outcome.SUPERSEDED, Reason.SUPERSEDED), NEXT, Standing.NEW),
        (a_rollout(), NEW, Standing.NEW),
    ],
)
def test_what_the_release_is_to_the_rollout(
    builder: RolloutBuilder, release: str, expected: Standing
) -> None:
    """The first of: on trial, serving, quarantined, healthy before, new."""
    desired = desired_release(an_observation(builder.asking_for(release)))

    assert isinstance(desired, Desired)
    assert (desired.standing, desired.record.release, desired.record.digest) == (
        expected,
        release,
        a_record(release).digest,
    )


@pytest.mark.parametrize("release", [NEW, OLD, OLDEST])
@pytest.mark.parametrize(
    "thing", [None, not_ready(a_ready_release(OLD)), a_ready_release(OLD, agent="other")]
)
def test_what_serves_or_was_healthy_needs_no_object(release: str, thing: AgentRelease | None) -> None:
    """Deleted, broken or somebody else's: the status remembers enough to serve it."""
    with_object = desired_release(an_observation(KNOWING.asking_for(release)))

    assert desired_release(an_observation(KNOWING.asking_for(release), release=thing)) == with_object


def test_what_was_never_healthy_needs_its_object() -> None:
    """Nobody keeps the snapshot of a release that was given up, so its name alone cannot be tried."""
    given_up = KNOWING.remembering(NEXT, Outcome.SUPERSEDED, Reason.SUPERSEDED).asking_for(NEXT)

    problem = desired_release(an_observation(given_up, release=None))

    assert isinstance(problem, Problem)
    assert problem.reason is Reason.RELEASE_NOT_FOUND


@pytest.mark.parametrize(
    ("release", "reason", "words"),
    [
        (None, Reason.RELEASE_NOT_FOUND, "no AgentRelease support-agent-4.3.0 in namespace support"),
        (
            not_ready(a_ready_release(NEXT)),
            Reason.RELEASE_NOT_READY,
            "is not ready: ConfigMap support-guardrails",
        ),
        (
            a_ready_release(NEXT, agent="billing"),
            Reason.AGENT_MISMATCH,
            "is for agent billing, but this rollout is for support",
        ),
        (a_ready_release(NEXT, service=None), Reason.SERVICE_MISSING, "has no `serving.service`"),
    ],
)
def test_what_is_wrong_with_a_new_release(release: AgentRelease | None, reason: Reason, words: str) -> None:
    """One reason, and a sentence that names the object and what to do."""
    problem = desired_release(an_observation(KNOWING.asking_for(NEXT), release=release))

    assert isinstance(problem, Problem)
    assert problem.reason is reason
    assert words in problem.message


def test_only_a_route_needs_a_service() -> None:
    """Agents that split by themselves are found by other means."""
    asking = [KNOWING.asking_for(NEXT).planning(traffic=traffic) for traffic in ({}, BY_ROUTE)]
    results = [
        desired_release(an_observation(each, release=a_ready_release(NEXT, service=None))) for each in asking
    ]

    assert [type(each) for each in results] == [Desired, Problem]
