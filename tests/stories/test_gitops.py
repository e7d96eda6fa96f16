"""Inputs: statuses of every state, hold and rest. Outputs: what Argo CD and kstatus make of them."""

from collections.abc import Iterator
from typing import Any

import pytest

from agentrollouts.api.attempt import State
from agentrollouts.api.objects import ConditionStatus
from agentrollouts.api.people.action import ActionType, AgentRolloutAction
from agentrollouts.api.reasons import Reason
from agentrollouts.core.endings import NEEDS_A_PERSON
from agentrollouts.core.release.decide import ReleaseObservation, decide_release
from agentrollouts.core.rollout.decide import decide
from agentrollouts.core.states import ENDS
from testkit.builders.names import NEW, OLD, START
from testkit.builders.observations import an_observation
from testkit.builders.releases import a_ready_release, not_ready
from testkit.builders.rollouts import RolloutBuilder, a_rollout
from testkit.world import Behavior, World, a_world
from tests.gitops_tools import ARGO_CD, FLUX, actions, flux, health, kstatus
from tests.repetitions import without_repetitions

PROGRESSING, SERVING = "agentrollout-progressing", "agentrollout-serving"
UNDER_WAY = [state for state in State if state not in ENDS]


def reconcile_object(builder: RolloutBuilder) -> dict[str, Any]:
    """The object after the operator's next visit."""
    obs = an_observation(builder)
    status = decide(obs).status or obs.status
    return as_seen(builder.having(**dict(status)))


def as_seen(builder: RolloutBuilder) -> dict[str, Any]:
    """The object as a Git tool reads it."""
    return builder.build().to_json()


AS_SERVED = {"Healthy": "Current", "Progressing": "InProgress", "Degraded": "Failed"}
"""What Flux by our expressions says of an object of which the script `serving` says this."""


def verdicts(manifest: dict[str, Any]) -> tuple[str, str, str]:
    """By both scripts, and by kstatus; what Flux says by our expressions always agrees with `serving`."""
    assert flux(manifest) == AS_SERVED[health(SERVING, manifest)[0]]
    return health(PROGRESSING, manifest)[0], health(SERVING, manifest)[0], kstatus(manifest)


USUAL = ("Progressing", "Healthy", "InProgress")
"""An attempt under way while a stable release serves."""
BAD = ("Degraded", "Degraded", "Failed")
"""A person has to do something."""


@pytest.mark.parametrize("state", UNDER_WAY)
def test_every_state_under_way(state: State) -> None:
    """Progress for those who wait for the canary, health for those who only want to be served."""
    special = {
        State.INITIAL: ("Progressing", "Progressing", "InProgress"),
        State.AWAITING_APPROVAL: ("Suspended", "Healthy", "InProgress"),
    }
    builder = a_rollout().in_state(state)
    if state is State.HELD:
        builder, special[state] = builder.planning(paused=True), ("Suspended", "Healthy", "InProgress")
    if state is State.AWAITING_APPROVAL:
        phase = {**builder.spec["phases"][0], "approval": "Required"}
        with_approval = a_rollout(phases=[phase, *builder.spec["phases"][1:]])
        builder = with_approval.in_state(state)

    assert verdicts(reconcile_object(builder)) == special.get(state, USUAL)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_of_a_hold(reason: Reason) -> None:
    """One that only a person can release is Degraded and Failed; any other goes on by itself."""
    held = a_rollout().serving(OLD).trying(NEW).held_for(reason)
    status = decide(an_observation(held)).status
    assert status is not None
    kept = held.having(**dict(status)).having(attempt=held.status.attempt)
    conditions = {condition.type: condition for condition in kept.status.conditions}
    is_bad = reason in NEEDS_A_PERSON
    stalled = conditions["Stalled"].replace(status=ConditionStatus.TRUE if is_bad else ConditionStatus.FALSE)
    reconciling = conditions["Reconciling"].replace(
        status=ConditionStatus.FALSE if is_bad else ConditionStatus.TRUE
    )
    reported = kept.having(
        conditions=(*kept.status.conditions[:1], reconciling, stalled, *kept.status.conditions[3:])
    )

    usual = ("Suspended", "Healthy", "InProgress") if reason is Reason.PAUSED else USUAL
    assert verdicts(as_seen(reported)) == (BAD if is_bad else usual)


@pytest.mark.parametrize(
    ("builder", "expected"),
    [
        (a_rollout().asking_for(OLD).serving(OLD), ("Healthy", "Healthy", "Current")),
        (a_rollout().serving(OLD).quarantining(NEW), BAD),
        (a_rollout(gates=[{"name": "x", "template": "none"}]).serving(OLD), BAD),
        (a_rollout().serving(OLD).planning(paused=True), USUAL),
        (a_rollout().asking_for("support-agent-9.9.9").serving(OLD), USUAL),
        (a_rollout(), ("Progressing", "Progressing", "InProgress")),
    ],
)
def test_at_rest_and_in_line(builder: RolloutBuilder, expected: tuple[str, str, str]) -> None:
    """Current only where what is asked for serves."""
    assert verdicts(reconcile_object(builder)) == expected


def test_an_edit_that_was_not_seen_yet() -> None:
    """Nothing that was said of an older generation counts, so a sync never ends on old news."""
    manifest = reconcile_object(a_rollout().asking_for(OLD).serving(OLD))
    manifest["metadata"]["generation"] += 1
    assert verdicts(manifest) == ("Progressing", "Progressing", "InProgress")


def test_a_revert_in_mid_canary_is_applied_at_once() -> None:
    """Neither the canary nor the edit that reverts it keeps a tool waiting for longer than one visit."""
    on_trial = reconcile_object(a_rollout().serving(OLD).trying(NEW))
    reverted = {**on_trial, "metadata": {**on_trial["metadata"], "generation": 2}}
    reverted["spec"] = {**on_trial["spec"], "releaseRef": {"name": OLD}}
    manifest = as_seen(a_rollout().asking_for(OLD).serving(OLD).trying(NEW))
    after = decide(an_observation(a_rollout().asking_for(OLD).serving(OLD).trying(NEW))).status
    assert after is not None

    assert flux(on_trial) == "Current"
    assert flux(reverted) == "InProgress"
    assert flux({**manifest, "status": after.to_json()}) == "Current"


def test_the_page_shows_the_expressions_that_are_shipped() -> None:
    """What a reader copies from docs/gitops.md is what was tested."""
    page = (FLUX.parents[1] / "docs" / "gitops.md").read_text()
    shipped = (FLUX / "support-agent.yaml").read_text().partition("healthCheckExprs:\n")[2].splitlines()

    assert len(shipped) == 5
    assert [line for line in shipped if line.strip() not in page] == []


def test_an_object_that_no_operator_has_seen() -> None:
    """As the API server stores it: its generation is 1, and the schema says that 0 was observed."""
    fresh = as_seen(a_rollout()) | {"status": {"observedGeneration": 0}}
    assert verdicts(fresh) == ("Progressing", "Progressing", "InProgress")
    assert health("agentrelease", fresh)[0] == "Progressing"


def course(world: World, seconds: int) -> Iterator[dict[str, Any]]:
    """Every status of some time."""
    for _ in range(0, seconds, 30):
        world.run(30)
        yield as_seen(world.builder)


def words(manifests: list[dict[str, Any]], script: str) -> list[str]:
    """What a script said, repetitions left out."""
    statuses = [health(script, manifest)[0] for manifest in manifests]
    assert set(statuses) <= ARGO_CD
    return without_repetitions(statuses)


def test_the_course_of_a_good_release() -> None:
    """One way there, and never back."""
    manifests = list(course(a_world(a_rollout().serving(OLD), OLD, NEW), 3600))

    assert words(manifests, PROGRESSING) == ["Progressing", "Healthy"]
    assert words(manifests, SERVING) == ["Healthy"]
    assert {flux(manifest) for manifest in manifests} == {"Current"}


def test_the_course_of_a_bad_release() -> None:
    """It ends where a person has to ship another one, and the message says what failed."""
    world = a_world(a_rollout().serving(OLD), OLD, NEW)
    world.agents[NEW] = Behavior(failed=0.6)
    manifests = list(course(world, 1800))

    assert words(manifests, PROGRESSING) == ["Progressing", "Degraded"]
    assert words(manifests, SERVING) == ["Healthy", "Degraded"]
    assert "ship another release" in health(PROGRESSING, manifests[-1])[1]


def test_releases() -> None:
    """Healthy with a snapshot, in progress while something is awaited, refused permanently."""
    ready = a_ready_release()
    assert (health("agentrelease", with_observed(ready))[0], kstatus(with_observed(ready))) == (
        "Healthy",
        "Current",
    )

    def decided(**components: object) -> dict[str, Any]:
        release = not_ready(a_ready_release())
        changed = release.to_json()
        changed["spec"]["components"] |= components
        changed.pop("status")
        parsed = type(release).model_validate(changed)
        status = decide_release(
            ReleaseObservation(now=START, release=parsed, config_maps={}, snapshots=())
        ).status
        assert status is not None
        return {**parsed.to_json(), "status": status.to_json()}

    awaited = decided(config={"version": "1.0.0", "configMapRef": {"name": "later"}})
    refused = decided(knowledge={"version": "1.0.0", "artifact": {"uri": "s3://kb"}})
    assert (health("agentrelease", awaited)[0], kstatus(awaited)) == ("Progressing", "InProgress")
    assert (health("agentrelease", refused)[0], kstatus(refused)) == ("Degraded", "Failed")


def with_observed(release: Any) -> dict[str, Any]:  # noqa: ANN401 a release
    """The release as after its last visit."""
    manifest: dict[str, Any] = release.to_json()
    manifest["status"]["observedGeneration"] = manifest["metadata"]["generation"]
    return manifest


@pytest.mark.parametrize(
    ("builder", "offered"),
    [
        (a_rollout(), {}),
        (a_rollout().serving(OLD), {}),
        (a_rollout().serving(OLD).in_state(State.HEALTHY).having(canary=None), {"roll-back": OLD}),
        (a_rollout().serving(OLD).trying(NEW), {"roll-back": NEW, "hold": None}),
        (a_rollout().serving(OLD).trying(NEW).rolling_back(), {}),
    ],
    ids=["new", "recalled", "at rest", "in canary", "on the way back"],
)
def test_argo_cd_offers_what_has_an_effect(builder: RolloutBuilder, offered: dict[str, str | None]) -> None:
    """Rolling back what has traffic, and holding a canary; each names the attempt and no person."""
    manifest = as_seen(builder)

    created = actions(manifest)

    assert {name: action["spec"].get("release") for name, action in created.items()} == offered
    for action in created.values():
        AgentRolloutAction.model_validate({**action, "spec": {"requestedBy": "x", **action["spec"]}})
        assert "requestedBy" not in action["spec"]
        assert action["spec"]["attempt"] == manifest["status"]["attempt"]["number"]


def test_who_holds_an_attempt_is_not_offered_to_hold_it() -> None:
    """Rolling back stays."""
    held = a_rollout().serving(OLD).trying(NEW).requesting(ActionType.HOLD, 2)

    assert actions(reconcile_object(held)).keys() == {"roll-back"}
