"""The wiring of a rollout: what is missing is a problem with a remedy, and what may not be read is not."""

import copy
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.insight.check.check import check, problems
from agentrollouts.insight.check.installation import PLURALS
from agentrollouts.insight.check.lines import Answer, Found, Line, Mark, Probe, Seen
from testkit.builders.names import AGENT, NEW, OLD, START
from testkit.builders.releases import a_record
from testkit.builders.rollouts import a_rollout
from testkit.properties import usually
from tests.view.test_total import FULL, damaged

ROOT: Final = Path(__file__).parents[2]
FORBIDDEN: Final = 'Error from server (Forbidden): x is forbidden: User "v" cannot get resource'
HOOK: Final = {"name": "repair", "at": "AfterRollback", "job": {"cronJob": "repair"}}
START_TEXT: Final = START.isoformat().replace("+00:00", "Z")
ALLOWED: Final = {"create": True, "rollback": True, "hold": True, "promote": False}


STABLE: Final = a_record(OLD).to_json()


def named(name: str, /, *, labels: Mapping[str, str] | None = None, **parts: Any) -> dict[str, Any]:  # noqa: ANN401 any part
    """An object with this name."""
    return {"metadata": {"name": name, "labels": labels or {}}, **parts}


def found(*objects: dict[str, Any]) -> Found:
    """All that were looked for."""
    return Found({each["metadata"]["name"]: each for each in objects})


def slice_of(service: str, *, ready: bool = True) -> dict[str, Any]:
    """The endpoints of a Service."""
    labels = {"kubernetes.io/service-name": service}
    return named(f"{service}-x", labels=labels, endpoints=[{"conditions": {"ready": ready}}])


def condition(kind: str, status: str, reason: str) -> dict[str, str]:
    """A condition, as the operator writes it."""
    about = {"type": kind, "status": status, "reason": reason, "message": "m"}
    return about | {"lastTransitionTime": START_TEXT}


def right() -> Seen:
    """A canary with everything that it needs."""
    builder = a_rollout(
        hooks=[HOOK],
        workload={"deploymentRef": {"name": "template"}, "port": 8080},
        fallback={"service": {"name": "queue", "port": 80}},
    )
    rollout = builder.serving(OLD).trying(NEW).build().to_json()
    rollout["status"]["observedGeneration"] = rollout["metadata"]["generation"]
    conditions = [("MetricsAvailable", "True", "MetricsAvailable"), ("TrafficApplied", "True", "Applied")]
    rollout["status"]["conditions"] = [condition(*each) for each in conditions]
    rollout["status"]["gates"] = [
        {
            "name": "errors",
            "verdict": "Inconclusive",
            "reason": "Collecting",
            "message": "m",
            "severity": "High",
            "present": {
                "phaseIndex": 0,
                "weight": 5,
                "canary": {"bad": "1", "total": "52"},
                "stable": {"bad": "9", "total": "948"},
            },
        }
    ]
    services = [rollout["status"][each]["service"]["name"] for each in ("canary", "stable")]
    snapshots = [rollout["status"][each]["snapshot"] for each in ("canary", "stable")]
    parents = rollout["spec"]["traffic"]["httpRoute"]["parentRefs"]
    said = [{"type": each, "status": "True"} for each in ("Accepted", "ResolvedRefs")]
    records = [rollout["status"][each] for each in ("canary", "stable")]
    return Seen(
        now=START,
        rollout=rollout,
        rights=ALLOWED,
        served=frozenset(PLURALS),
        plugin="1.2.0",
        probe=Probe(
            "/healthz",
            {each["release"]: Answer(200, (each["release"],), (each["digest"],)) for each in records},
        ),
        kinds={
            "Operator": found(named("agentrollouts", labels={"app.kubernetes.io/version": "1.2.0"})),
            "Lease": found(named("agentrollouts", spec={"holderIdentity": "pod-a", "renewTime": START_TEXT})),
            "AgentRelease": found(
                named(NEW, status={"conditions": [{"type": "Ready", "status": "True"}]}),
            ),
            "ConfigMap": found(*(named(each) for each in snapshots)),
            "Service": found(*(named(each) for each in (*services, "queue"))),
            "EndpointSlice": found(*(slice_of(each) for each in services)),
            "HTTPRoute": found(
                named(
                    AGENT,
                    spec={"parentRefs": parents},
                    status={"parents": [{"parentRef": each, "conditions": said} for each in parents]},
                )
            ),
            "CronJob": found(
                named("repair", labels={"agentrollouts.dev/hook": "true"}, spec={"suspend": True})
            ),
            "Deployment": found(
                named("template", labels={"agentrollouts.dev/template": "true"}, spec={"replicas": 0})
            ),
        },
    )


def lines(seen: Seen) -> list[Line]:
    """All of them."""
    return [line for section in check(seen) for line in section.lines]


def test_what_is_right_has_no_other_line() -> None:
    """Each line of a rollout that has all it needs is good, and the count of runs is as in the status."""
    assert {each.mark for each in lines(right())} == {Mark.GOOD}
    assert [section.title for section in check(right())] == ["Installation", "Rollout", "Agent"]
    assert "the canary has 5.2% of 1,000 runs at a weight of 5%" in [each.sentence for each in lines(right())]
    assert "you may request hold, rollback" in [each.sentence for each in lines(right())]


def test_the_installation_alone() -> None:
    """Without a rollout nothing is said about one."""
    assert [each.title for each in check(replace(right(), rollout=None))] == ["Installation"]


KINDS: Final = sorted(set(right().kinds))
_CHANGES: Final = st.dictionaries(
    st.sampled_from(KINDS), st.sampled_from([Found(), Found(problem=FORBIDDEN)]), max_size=len(KINDS)
)


@usually(150)
@given(changes=_CHANGES, may_review=st.booleans(), may_discover=st.booleans())
def test_only_what_is_known_to_be_missing_is_a_problem(
    changes: dict[str, Found], *, may_review: bool, may_discover: bool
) -> None:
    """An object that is gone is a problem with a page that exists; one that may not be read is unknown."""
    seen = right()
    seen = replace(
        seen,
        kinds={**seen.kinds, **changes},
        rights=seen.rights if may_review else None,
        served=seen.served if may_discover else None,
    )
    all_lines = lines(seen)
    # Of the operator an absent object proves nothing: it may be in another namespace.
    gone = {kind for kind, each in changes.items() if not each.problem} - {"Operator", "Lease"}
    bad = [each for each in all_lines if each.mark is Mark.PROBLEM]

    assert bool(bad) == bool(gone - ({"EndpointSlice"} if "Service" in changes else set()))
    assert problems(check(seen)) == len(bad)
    for each in all_lines:
        page = re.search(r"docs/[\w/-]+\.md", each.remedy)
        assert (page is not None) if each.mark is Mark.PROBLEM else True, each
        assert page is None or (ROOT / page[0]).is_file(), each
    unknown = {kind for kind, each in changes.items() if each.problem}
    hidden = {"EndpointSlice"} if "Service" in changes else set()
    assert any(each.mark is Mark.UNKNOWN for each in all_lines) or not (
        (unknown - hidden) or not may_review or not may_discover
    )


def changed(kind: str, **parts: Any) -> Seen:  # noqa: ANN401 any part
    """The first object of a kind has other parts."""
    seen = right()
    name, first = next(iter(seen.kinds[kind].objects.items()))
    return replace(
        seen, kinds={**seen.kinds, kind: Found({**seen.kinds[kind].objects, name: {**first, **parts}})}
    )


def with_status(**parts: Any) -> Seen:  # noqa: ANN401 any part
    """The status has other parts."""
    seen = right()
    rollout = copy.deepcopy(dict(seen.rollout or {}))
    rollout["status"] |= parts
    return replace(seen, rollout=rollout)


def refused(kind: str) -> list[dict[str, Any]]:
    """What a gateway says against a route."""
    parent = (right().rollout or {})["spec"]["traffic"]["httpRoute"]["parentRefs"][0]
    conditions = [{"type": kind, "status": "False", "reason": "NotAllowedByListeners", "message": "no"}]
    return [{"parentRef": parent, "conditions": conditions}]


LATE: Final = (START - timedelta(seconds=61)).isoformat()
GATE: Final = (right().rollout or {})["status"]["gates"][0]
NO_DATA: Final = GATE | {"verdict": "NoData", "reason": "MetricMissing"}
MISMATCH: Final = {**NO_DATA, "verdict": "TrafficMismatch", "message": "far too few runs"}


def counted(canary: int, stable: int) -> dict[str, Any]:
    """The gate with so many runs of each release at a weight of 5%."""
    counts = {"canary": {"bad": "0", "total": str(canary)}, "stable": {"bad": "0", "total": str(stable)}}
    return {**GATE, "present": {**GATE["present"], **counts}}


def to_an_agent(**status: Any) -> Seen:  # noqa: ANN401 any field
    """The same with another agent as its fallback, which has this status."""
    seen = right()
    assert seen.rollout is not None
    spec = {**seen.rollout["spec"], "fallback": {"rollout": {"name": "faq"}}}
    other = found(named("faq", status=status))
    return replace(seen, rollout={**seen.rollout, "spec": spec}, kinds={**seen.kinds, "AgentRollout": other})


@pytest.mark.parametrize(
    ("seen", "mark", "sentence"),
    [
        (changed("Lease", spec={"holderIdentity": ""}), Mark.PROBLEM, "no replica of the operator leads"),
        (changed("Lease", spec={"holderIdentity": "p", "renewTime": LATE}), Mark.PROBLEM, "for 61 s"),
        (replace(right(), plugin="1.1.0"), Mark.WARNING, "the plugin is version 1.1.0, the operator 1.2.0"),
        (replace(right(), rights={"create": False, "hold": True}), Mark.WARNING, "you may request no action"),
        (replace(right(), served=frozenset(PLURALS[1:])), Mark.PROBLEM, "does not serve agentreleases"),
        (
            changed(
                "AgentRelease", status={"conditions": [{"type": "Ready", "status": "False", "reason": "X"}]}
            ),
            Mark.PROBLEM,
            "is not Ready: X",
        ),
        (changed("AgentRelease", status={}), Mark.UNKNOWN, "has not said yet"),
        (changed("EndpointSlice", endpoints=[]), Mark.PROBLEM, "has no ready endpoint"),
        (changed("HTTPRoute", status={"parents": refused("Accepted")}), Mark.PROBLEM, "did not accept"),
        (changed("HTTPRoute", status={"parents": refused("ResolvedRefs")}), Mark.PROBLEM, "cannot resolve"),
        (changed("HTTPRoute", status={}), Mark.PROBLEM, "it does not exist, or no controller"),
        (
            changed("CronJob", spec={"suspend": False}),
            Mark.PROBLEM,
            "CronJob repair does not have `suspend: true`",
        ),
        (changed("CronJob", metadata={"name": "repair"}), Mark.PROBLEM, 'agentrollouts.dev/hook: "true"'),
        (changed("Deployment", spec={"replicas": 2}), Mark.PROBLEM, "does not have `replicas: 0`"),
        (to_an_agent(stable=STABLE), Mark.GOOD, "AgentRollout faq, serves by Service support-agent-4-1-0"),
        (to_an_agent(), Mark.PROBLEM, "cannot answer: AgentRollout faq has no stable release"),
        (to_an_agent(stable=5), Mark.UNKNOWN, "AgentRollout faq, has a status of another version"),
        (with_status(observedGeneration=0), Mark.WARNING, "has not read the newest spec"),
        (with_status(gates=[counted(120, 880)]), Mark.WARNING, "the canary has 12% of 1,000 runs"),
        (with_status(gates=[counted(20, 980)]), Mark.WARNING, "the canary has 2.0% of 1,000 runs"),
        (with_status(gates=[counted(90, 910)]), Mark.GOOD, "the canary has 9.0% of 1,000 runs"),
        (with_status(gates=[counted(12, 80)]), Mark.GOOD, "the canary has 13% of 92 runs"),
        (with_status(gates=[NO_DATA]), Mark.WARNING, "gate errors has no data: MetricMissing"),
        (with_status(gates=[MISMATCH]), Mark.PROBLEM, "gate errors: far too few runs"),
        (
            with_status(conditions=[condition("Stalled", "True", "Forbidden")]),
            Mark.PROBLEM,
            "the rollout waits for a person: Forbidden: m",
        ),
        (
            with_status(conditions=[condition("Stalled", "True", "AwaitingApproval")]),
            Mark.WARNING,
            "the rollout waits for a person: AwaitingApproval: m",
        ),
        (
            replace(with_status(conditions=[]), kinds={**right().kinds, "HTTPRoute": Found()}),
            Mark.UNKNOWN,
            "is not written before the first attempt begins",
        ),
        (with_status(conditions=[]), Mark.UNKNOWN, "no gate is evaluated now"),
        (
            with_status(conditions=[condition("MetricsAvailable", "False", "MetricMissing")]),
            Mark.PROBLEM,
            "metrics are missing: MetricMissing",
        ),
        (
            with_status(conditions=[condition("TrafficApplied", "False", "Forbidden")]),
            Mark.PROBLEM,
            "the weights are not in effect: Forbidden",
        ),
    ],
)
def test_a_fault_has_its_line(seen: Seen, mark: Mark, sentence: str) -> None:
    """What is wrong is named, with its mark."""
    assert [each.mark for each in lines(seen) if sentence in each.sentence] == [mark]


@usually(100)
@given(damaged())
def test_a_damaged_rollout_is_checked(manifest: dict[str, Any]) -> None:
    """Whatever a rollout contains, there are lines and no error."""
    assert lines(replace(right(), rollout=manifest))
    assert lines(replace(right(), rollout=FULL, kinds={}))
