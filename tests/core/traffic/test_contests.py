"""Inputs: traffic objects that someone else has changed, once or as often as we. Outputs: what is said of it.

Other operators have silent loops there: the weights of Git come back at each sync
(argoproj-labs/rollouts-plugin-trafficrouter-gatewayapi#208), and weights that someone has altered keep a
promotion from ending (fluxcd/flagger#1692).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest

from agentrollouts.api.attempt import State
from agentrollouts.api.names import FIELD_MANAGER, LABEL_ROLLOUT
from agentrollouts.api.reasons import Reason
from agentrollouts.core.effects import Manifest
from agentrollouts.core.rollout.decide import decide
from agentrollouts.core.rollout.decision import Decision
from agentrollouts.core.rollout.observation import Observation
from agentrollouts.core.traffic.drift import NOT_NAMED, Drift
from agentrollouts.core.traffic.observed import Contest
from testkit.builders.names import AGENT, NEW, OLD, START
from testkit.builders.observations import an_observation, shown
from testkit.builders.rollouts import RolloutBuilder, a_rollout
from testkit.builders.routes import BY_PATCH, CONFIG, ROUTE

SERVING: Final = a_rollout().asking_for(OLD).serving(OLD)
TRYING: Final = a_rollout().serving(OLD).trying(NEW).in_phase(1)
CALM: Final = timedelta(seconds=10)
UNTIL: Final = START + CALM
ARGO: Final = Contest("HTTPRoute support-agent", "argocd-controller", START, UNTIL)
SAID: Final = ARGO.problem.message


def conditions(decision: Decision) -> dict[str, tuple[str, str, str]]:
    """Status, reason and message of each condition."""
    assert decision.status is not None
    return {c.type: (c.status, c.reason, c.message) for c in decision.status.conditions}


def test_the_sentence_names_the_writer_or_where_to_look() -> None:
    """An admission webhook, and a client that borrows our name, leave no name in managedFields."""
    sentence = (
        "HTTPRoute support-agent is changed by argocd-controller as often as the operator restores it, since "
        f"{START:%Y-%m-%d %H:%M:%S} UTC, so its split does not hold; exclude the split from what "
        "argocd-controller applies"
    )
    assert sentence == ARGO.problem.message
    unnamed = replace(ARGO, by=None).problem
    assert unnamed.reason is Reason.ROUTE_CONTESTED
    assert "admission webhook" in unnamed.message
    assert FIELD_MANAGER in unnamed.message
    assert "is deleted as often" in replace(ARGO, by=None, is_deleted=True).problem.message


@pytest.mark.parametrize(
    ("builder", "reason", "message"),
    [
        (SERVING, "RouteContested", SAID),
        (TRYING, "Canary", f"{NEW} will get 25% in phase canary-25; {SAID}"),
        (a_rollout().serving(OLD).quarantining(NEW), "RouteContested", f"{SAID}. {NEW}"),
        (
            TRYING.rolling_back(),
            "NotRolledBack",
            f"NOT ROLLED BACK: {NEW} gets requests again and again: {SAID}",
        ),
        (
            TRYING.rolling_back(State.VERIFYING),
            "NotRolledBack",
            f"NOT ROLLED BACK: {NEW} gets requests again and again: {SAID}",
        ),
    ],
    ids=["at rest", "canary", "quarantined", "rolling back", "verifying"],
)
def test_a_contest_is_said_in_every_state(builder: RolloutBuilder, reason: str, message: str) -> None:
    """`Ready` names the writer; `Stalled` and `TrafficApplied` say why, also while the route is right."""
    decision = decide(an_observation(builder, contest=ARGO))
    said = conditions(decision)

    assert said["Ready"][:2] == ("False", reason)
    assert said["Ready"][2].startswith(message)
    assert said["TrafficApplied"] == ("False", "RouteContested", SAID)
    assert said["Stalled"][0] == "True"
    assert decision.is_blocked == (reason == "NotRolledBack")
    assert decision.wake_at is not None
    assert decision.wake_at <= UNTIL


def test_nothing_more_is_said_until_the_contest_is_over() -> None:
    """One Warning and one status, whatever the route shows meanwhile; then the conditions are as before."""
    begun = TRYING.changing(traffic_start_time=START)
    seen, foreign = shown(begun.build()), with_weights(shown(begun.build()), 60)
    first = decide(an_observation(begun, traffic=foreign, contest=ARGO))
    assert first.status is not None
    assert [event.reason for event in first.events].count(Reason.ROUTE_CONTESTED) == 1
    told = begun.having(**dict(first.status))

    for traffic in (seen, foreign):
        again = decide(an_observation(told, traffic=traffic, contest=replace(ARGO, until=UNTIL + CALM)))
        assert (again.status, {event.reason for event in again.events} - {Reason.ROUTE_RESTORED}) == (
            None,
            set(),
        )
    over = conditions(decide(an_observation(told, traffic=seen)))
    assert over["TrafficApplied"] == ("True", "Applied", "")


def test_nothing_goes_forward_in_a_contest() -> None:
    """The clock of the phase stops; a shown route is no reason to count its time."""
    late = START + timedelta(days=1)
    decision = decide(an_observation(TRYING, now=late, contest=replace(ARGO, until=late + timedelta(1))))
    assert decision.status is not None
    attempt = decision.status.attempt
    assert attempt is not None
    assert (attempt.state, attempt.weight, attempt.clock_start_time) == (State.CANARY, 25, None)


def test_a_rollback_is_done_once_nobody_undoes_it() -> None:
    """Weights that are overwritten at once were never in effect."""
    back = TRYING.rolling_back()
    for contest, state in ((ARGO, State.ROLLING_BACK), (None, State.VERIFYING)):
        decision = decide(an_observation(back, contest=contest))
        assert decision.status is not None
        assert decision.status.attempt is not None
        assert decision.status.attempt.state is state


def test_a_rollback_in_a_contest_is_decided_and_written_as_always() -> None:
    """A fight is no reason to leave the canary where it is."""
    foreign = with_weights(shown(TRYING.build()), 60)
    decision = decide(an_observation(TRYING.asking_for(OLD), traffic=foreign, contest=ARGO))

    assert decision.status is not None
    assert decision.status.attempt is not None
    assert decision.status.attempt.state is State.ROLLING_BACK
    assert {write.manifest["kind"] for write in decision.writes} == {"HTTPRoute", "ConfigMap"}


Traffic = dict[tuple[str, str], Manifest]


def with_weights(traffic: Mapping[tuple[str, str], Manifest], canary: int) -> Traffic:
    """The objects with a route that someone else has written."""

    def change(route: Any) -> None:  # noqa: ANN401 any JSON
        stable, other = route["spec"]["rules"][0]["backendRefs"]
        stable["weight"], other["weight"] = 100 - canary, canary

    return changed(traffic, change, {"f:spec": {"f:rules": {}}})


def changed(
    traffic: Mapping[tuple[str, str], Manifest],
    change: Callable[[Any], None],
    fields: Mapping[str, Any],
    manager: str = "argocd-controller",
) -> Traffic:
    """The objects after a change of the route, by a writer that now owns these fields."""
    route = json.loads(json.dumps(traffic[ROUTE]))
    change(route)
    entry = {"manager": manager, "operation": "Update", "time": "2026-11-21T10:00:00Z", "fieldsV1": fields}
    route["metadata"]["managedFields"] = [entry]
    return {**traffic, ROUTE: route}


def seen(
    change: Callable[[Any], None], fields: Mapping[str, Any], manager: str = "argocd-controller"
) -> Observation:
    """A canary whose route was confirmed and then changed."""
    builder = TRYING.having(observed_generation=TRYING.build().metadata.generation)
    return an_observation(builder, traffic=changed(shown(builder.build()), change, fields, manager))


def restored(obs: Observation) -> list[str]:
    """What the Events say."""
    return [event.message for event in decide(obs).events if event.reason is Reason.ROUTE_RESTORED]


def another_parent(route: Any) -> None:  # noqa: ANN401 any JSON
    """All requests of the route come in somewhere else."""
    route["spec"]["parentRefs"] = [{"group": ROUTE[0], "kind": "Gateway", "name": "elsewhere"}]


def a_hostname(route: Any) -> None:  # noqa: ANN401 any JSON
    """The route is for fewer requests."""
    route["spec"]["hostnames"] = ["elsewhere.example.com"]


def another_label(route: Any) -> None:  # noqa: ANN401 any JSON
    """A tool that labels all that it finds."""
    route["metadata"]["labels"][LABEL_ROLLOUT] = "theirs"


def no_label(route: Any) -> None:  # noqa: ANN401 any JSON
    """What someone removes has no owner anymore."""
    del route["metadata"]["labels"][LABEL_ROLLOUT]


def test_who_moves_the_route_elsewhere_is_named() -> None:
    """Not only weights move traffic: without its parent, or with a hostname, a route gets no requests."""
    said = "HTTPRoute support-agent was changed by argocd-controller; the operator restored it"
    assert restored(seen(another_parent, {"f:spec": {"f:parentRefs": {}}})) == [said]
    assert restored(seen(another_label, {"f:metadata": {"f:labels": {f"f:{LABEL_ROLLOUT}": {}}}})) == [said]


def test_a_writer_of_other_fields_is_not_blamed() -> None:
    """A tool that has put its own label on the route did not remove ours."""
    fields: dict[str, Any] = {"f:metadata": {"f:labels": {"f:team": {}}}}
    assert restored(seen(no_label, fields)) == []


@pytest.mark.parametrize(
    ("change", "fields", "manager"),
    [
        (no_label, {"f:metadata": {"f:labels": {"f:team": {}}}}, "argocd-controller"),
        (another_parent, {"f:spec": {"f:parentRefs": {}}}, FIELD_MANAGER),
    ],
    ids=["removed", "in our name"],
)
def test_a_writer_without_a_trace_is_reported_once_it_is_a_fight(
    change: Callable[[Any], None], fields: Mapping[str, Any], manager: str
) -> None:
    """One such difference can be ours, of another version of the operator; the fifth is not."""
    obs = seen(change, fields, manager)
    said = f"HTTPRoute support-agent was changed by {NOT_NAMED}; the operator restored it"

    assert restored(obs) == []
    assert restored(replace(obs, contest=replace(ARGO, by=None))) == [said]


@pytest.mark.parametrize(
    ("change", "fields", "expected"),
    [
        (another_parent, {"f:spec": {"f:parentRefs": {}}}, (Drift(ARGO.target, "argocd-controller"),)),
        (another_label, {"f:metadata": {"f:labels": {f"f:{LABEL_ROLLOUT}": {}}}}, ()),
        (no_label, {}, ()),
    ],
)
def test_only_what_is_about_requests_is_a_drift(
    change: Callable[[Any], None], fields: Mapping[str, Any], expected: tuple[Drift, ...]
) -> None:
    """A fight over a label keeps no canary from advancing."""
    decision = decide(seen(change, fields))

    assert (len(decision.writes), decision.drifts) == (1, expected)


def test_a_drift_is_named_object_by_object() -> None:
    """A route that is gone, and a ConfigMap that was never written."""
    obs = an_observation(TRYING, traffic={})
    names = [" ".join(key) for key in (ROUTE, CONFIG)]

    assert decide(obs).drifts == tuple(Drift(name, None, is_gone=True) for name in names)


def test_a_drift_of_a_rule_of_someone_else_is_named() -> None:
    """The weights in their route, with who wrote them."""
    builder = a_rollout(traffic=BY_PATCH).serving(OLD).trying(NEW).in_phase(1)
    traffic = shown(builder.build())
    key = ("HTTPRoute", "shop")
    route = json.loads(json.dumps(traffic[key]))
    for ref in route["spec"]["rules"][1]["backendRefs"][1:3]:
        ref["weight"] = 50
    fields: dict[str, Any] = {"f:spec": {"f:rules": {}}}
    route["metadata"]["managedFields"] = [{"manager": "flux", "operation": "Apply", "fieldsV1": fields}]

    assert decide(an_observation(builder, traffic={**traffic, key: route})).drifts == (
        Drift("HTTPRoute shop", "flux"),
    )
    assert AGENT in traffic[CONFIG]["metadata"]["name"]
