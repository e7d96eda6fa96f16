"""Inputs: cohorts, the split of a status. Outputs: the rules of our route, and what they give to whom."""

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.attempt import State
from agentrollouts.api.recovery.detour import Detour, DetourCause
from agentrollouts.core.effects import Manifest, Write
from agentrollouts.core.rollout.decide import decide
from agentrollouts.core.states import LATCHED
from agentrollouts.core.traffic.manifests import key_of
from agentrollouts.core.traffic.state import Routing
from testkit.builders.names import NEW, OLD, OLDEST, START, service_of
from testkit.builders.observations import an_observation, shown
from testkit.builders.rollouts import RolloutBuilder, a_rollout
from testkit.builders.routes import ROUTE

TESTERS: Final[dict[str, Any]] = {
    "name": "testers",
    "headers": [{"name": "x-tester", "value": "yes"}],
    "gets": "Canary",
}
RISKY: Final[dict[str, Any]] = {"name": "high-risk", "pathPrefix": "/loans", "gets": "Stable"}
SPEC: Final[dict[str, Any]] = {
    "traffic": {"httpRoute": {"parentRefs": [{"name": "public"}], "cohorts": [TESTERS, RISKY]}},
    "metrics": {"labels": {"cohort": "cohort"}},
}
STABLE, CANARY = service_of(OLD), service_of(NEW)
AT_REST: Final = a_rollout(**SPEC).serving(OLD)


def rules(builder: RolloutBuilder) -> list[Any]:
    """The rules of the route that the status desires, as JSON."""
    rules: list[Any] = shown(builder.build())[ROUTE]["spec"]["rules"]
    return rules


def served(route: Manifest) -> list[dict[str, int]]:
    """The weights by Service, rule by rule; what has none is left out."""
    refs = [rule["backendRefs"] for rule in route["spec"]["rules"]]
    return [{ref["name"]: ref["weight"] for ref in each if ref["weight"]} for each in refs]


def test_the_whole_rules() -> None:
    """Each cohort sets the header, and the main rule, which is the last one, removes it."""
    marks = [
        [{"type": "RequestHeaderModifier", "requestHeaderModifier": change}]
        for change in (
            {"set": [{"name": "agent-cohort", "value": "testers"}]},
            {"set": [{"name": "agent-cohort", "value": "high-risk"}]},
            {"remove": ["agent-cohort"]},
        )
    ]
    header = {"type": "Exact", "name": "x-tester", "value": "yes"}

    def ref(service: str, weight: int) -> dict[str, Any]:
        return {"group": "", "kind": "Service", "name": service, "port": 8080, "weight": weight}

    assert rules(AT_REST.trying(NEW)) == [
        {
            "matches": [{"path": {"type": "PathPrefix", "value": "/"}, "headers": [header]}],
            "filters": marks[0],
            "backendRefs": [ref(CANARY, 100)],
        },
        {
            "matches": [{"path": {"type": "PathPrefix", "value": "/loans"}}],
            "filters": marks[1],
            "backendRefs": [ref(STABLE, 100)],
        },
        {
            "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
            "filters": marks[2],
            "backendRefs": [ref(STABLE, 95), ref(CANARY, 5)],
        },
    ]


@pytest.mark.parametrize(
    ("builder", "expected"),
    [
        (AT_REST, [OLD, OLD, OLD]),
        (AT_REST.in_state(State.PENDING), [OLD, OLD, OLD]),
        (AT_REST.trying(NEW).in_phase(1), [NEW, OLD, None]),
        (AT_REST.trying(NEW).changing(state=State.BAKING, weight=100), [NEW, OLD, NEW]),
        (AT_REST.remembering(NEW).trying(NEW).changing(state=State.BAKING, weight=100), [NEW, NEW, NEW]),
        (a_rollout(**SPEC).trying(NEW).changing(state=State.INITIAL, weight=100), [NEW, NEW, NEW]),
        *((AT_REST.in_state(state), [OLD, OLD, OLD]) for state in sorted(LATCHED)),
    ],
    ids=["at rest", "pending", "canary", "bake at 100%", "return", "first release", *sorted(LATCHED)],
)
def test_who_serves_a_cohort(builder: RolloutBuilder, expected: list[str | None]) -> None:
    """Testers get the canary while it has a share; high-risk requests get it only when it must serve all."""
    services = [release and {service_of(release): 100} for release in expected]
    route = shown(builder.build())[ROUTE]

    assert [got if want else None for got, want in zip(served(route), services, strict=True)] == services


@given(st.sampled_from([None, "x-user-bucket"]), st.integers(1, 100), st.booleans())
def test_a_detour_is_of_every_cohort_and_bucket(bucket: str | None, percent: int, has_fallback: bool) -> None:  # noqa: FBT001 drawn
    """All rules have the same backends: the fallback with its share, and stable with the rest."""
    if not has_fallback and percent < 100:
        return  # it is refused
    route = SPEC["traffic"]["httpRoute"] | ({"bucketHeader": bucket} if bucket else {})
    fallback = {"fallback": {"service": {"name": "queue", "port": 8080}}} if has_fallback else {}
    builder = a_rollout(**{**SPEC, "traffic": {"httpRoute": route}, **fallback}).serving(OLD)
    detour = Detour(id="0" * 8, cause=DetourCause.SWITCH_OFF, percent=percent, since=START)

    found = rules(builder.having(detour=detour))

    expected = {"queue": 100} if percent == 100 else {STABLE: (100 - percent) * 100, "queue": percent * 100}
    assert served({"spec": {"rules": found}}) == [expected if has_fallback else {}] * 3


@given(st.lists(st.sampled_from([TESTERS, RISKY]), unique_by=lambda each: str(each["name"])))
def test_without_cohorts_the_route_is_as_before(cohorts: list[dict[str, Any]]) -> None:
    """There is one rule for each cohort and the main one; only with cohorts the main one has a filter."""
    traffic = {"httpRoute": {"parentRefs": [{"name": "public"}], "cohorts": cohorts}}
    *before, main = rules(a_rollout(traffic=traffic).serving(OLD).trying(NEW))

    assert len(before) == len(cohorts)
    assert ("filters" in main) is bool(cohorts)


def test_a_rollback_takes_the_testers_back_in_the_same_write() -> None:
    """The first write of the decision gives all rules to stable."""
    trying = AT_REST.trying(NEW)
    decision = decide(an_observation(trying.asking_for(OLD), traffic=shown(trying.build())))
    first = decision.writes[0]

    assert isinstance(first, Write)
    assert (key_of(first.manifest), served(first.manifest)) == (ROUTE, [{STABLE: 100}] * 3)


def test_a_rollback_that_left_the_testers_behind_is_not_shown() -> None:
    """While one rule sends requests to the canary, it has a share, whatever the main rule says."""
    trying = AT_REST.trying(NEW)
    seen = shown(trying.rolling_back().build())
    routing = Routing(an_observation(trying, traffic=seen))
    left = {**seen[ROUTE], "spec": {**seen[ROUTE]["spec"], "rules": [rules(trying)[0], *rules(AT_REST)[1:]]}}
    forged = Routing(an_observation(trying, traffic={**seen, ROUTE: left}))
    canary = trying.status.canary

    assert canary is not None
    assert (routing.share(canary), routing.latch(2) is not None, routing.target()) == (0, True, STABLE)
    assert (forged.share(canary), forged.latch(2), forged.target()) == (100, None, None)


def test_a_foreign_write_of_a_cohort_rule_is_restored() -> None:
    """Also where the weights of the main rule are still right; a rule of someone else is removed."""
    trying = AT_REST.trying(NEW)
    seen = shown(trying.build())
    ours = seen[ROUTE]["spec"]["rules"]
    for changed in (ours[1:], [*ours, ours[0]], [{**ours[0], "filters": []}, *ours[1:]]):
        route = {**seen[ROUTE], "spec": {**seen[ROUTE]["spec"], "rules": changed}}
        obs = an_observation(trying, traffic={**seen, ROUTE: route})
        [change] = Routing(obs).state(obs.status).changes
        assert change.manifest["spec"]["rules"] == ours


def test_stable_of_stable_is_rolled_back_for_cohorts_too() -> None:
    """A rollback at rest moves every rule to the release before."""
    back = a_rollout(**SPEC).serving(OLDEST).serving(OLD).trying(OLD).rolling_back()
    back = back.having(stable=AT_REST.serving(OLDEST).status.stable)

    assert served(shown(back.build())[ROUTE]) == [{service_of(OLDEST): 100}] * 3
