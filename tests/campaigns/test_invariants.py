"""The checker of the campaigns can fail: each invariant is broken once, by hand."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import rfc8785

from campaigns.cluster.lanes.invariants import broken
from campaigns.cluster.lanes.recorder import Version

Manifest = dict[str, Any]

BUNDLE = "{}"
DIGEST = f"sha256:{hashlib.sha256(BUNDLE.encode()).hexdigest()}"
PHASES = [
    {"name": "start", "weight": 10, "durationSeconds": 1},
    {"name": "half", "weight": 50, "durationSeconds": 1, "approval": "Required"},
    {"name": "most", "weight": 90, "durationSeconds": 1},
]


def rollout(state: str, weight: int, index: int, *, number: int = 2, **status: object) -> Manifest:
    """A stored rollout whose second attempt is somewhere in its plan."""
    attempt = {
        "number": number,
        "state": state,
        "weight": weight,
        "phaseIndex": index,
        "phaseName": PHASES[index]["name"],
    }
    healthy = {"number": 1, "release": "a-1", "outcome": "Healthy"}
    usual = {
        "attempt": attempt,
        "stable": {"release": "a-1"},
        "canary": {"release": "a-2"},
        "history": [healthy],
    }
    spec = {"phases": PHASES, "gates": [{"name": "errors"}]}
    gates = {"gates": [{"name": "errors", "verdict": "Pass"}]}
    return a("AgentRollout", "a", spec=spec, status=usual | gates | status)


def route(*weights: int) -> Manifest:
    """The route as the operator wrote it."""
    backends = [{"name": f"service-{index}", "weight": weight} for index, weight in enumerate(weights)]
    return a("HTTPRoute", "a", spec={"rules": [{"backendRefs": backends}]})


def split(digest: str = DIGEST) -> Manifest:
    """The traffic ConfigMap while one release has all."""
    side = {"release": "a-1", "digest": digest, "snapshot": "a-snapshot", "weight": 100}
    data = {"split.json": json.dumps({"stable": side, "canary": None})}
    return a("ConfigMap", "a-traffic", data=data)


def a(kind: str, name: str, **content: object) -> Manifest:
    """An object that the operator wrote."""
    metadata = {"name": name, "namespace": "n", "managedFields": [{"manager": "agentrollouts"}]}
    return {"kind": kind, "metadata": metadata, **content}


def find_broken(*manifests: Manifest) -> list[str]:
    """The invariants that these versions, stored one after the other, break."""
    numbered: Sequence[Version] = [Version(n, 0.0, manifest) for n, manifest in enumerate(manifests)]
    return [text[:2] for text in broken(numbered)]


START, HALF = rollout("Canary", 10, 0), rollout("Canary", 50, 1)


def test_a_good_course_breaks_nothing() -> None:
    """Status first on the way forward, the route first on the way back."""
    back = rollout("RollingBack", 0, 1)
    assert find_broken(START, route(90, 10), HALF, route(50, 50), route(100, 0), back, route(100, 0)) == []


def test_weights_that_are_no_split() -> None:
    """S1: anything but whole shares of 100."""
    assert find_broken(START, route(90, 20)) == ["S1", "S3"]
    assert find_broken(route(110, -10)) == ["S1"]


FALLBACK = {"fallback": {"service": {"name": "queue"}}}


def off(percent: int, *rules: dict[str, int], number: int = 1) -> Manifest:
    """A route with the mark of a detour of so many percent, and one rule for each of these weights."""
    backends = [[{"name": name, "weight": weight} for name, weight in rule.items()] for rule in rules]
    made = a("HTTPRoute", "a", spec={"rules": [{"backendRefs": refs} for refs in backends]})
    mark = {"agentrollouts.dev/detour": json.dumps({"id": f"{number}", "percent": percent})}
    return made | {"metadata": made["metadata"] | {"annotations": mark if percent else {}}}


def with_fallback(manifest: Manifest, **status: object) -> Manifest:
    """The rollout, with a fallback."""
    return manifest | {"spec": manifest["spec"] | FALLBACK, "status": manifest["status"] | status}


def test_a_detour_takes_exactly_its_share_in_every_rule() -> None:
    """S1: the fallback has what is off, the releases have the rest, and without a mark it has nothing."""
    back = with_fallback(rollout("RollingBack", 0, 1))
    whole, part = {"queue": 100}, {"service-0": 7_000, "queue": 3_000}
    assert find_broken(back, off(100, whole)) == []
    assert find_broken(back, off(100, whole, whole)) == []
    assert find_broken(back, off(30, part)) == []
    assert find_broken(back, off(100, {"service-0": 100}, whole)) == ["S1"]
    assert find_broken(back, off(100, {"service-0": 0, "queue": 50})) == ["S1"]
    assert find_broken(back, off(40, part)) == ["S1"]
    assert find_broken(back, off(0, whole)) == ["S1"]
    assert find_broken(back, off(0, {"service-0": 100}, {"service-0": 100, "service-1": 1})) == [
        "S1",
        "S3",
        "S4",
    ]


def test_a_detour_without_a_fallback_leaves_nothing() -> None:
    """S1: all weights are 0, which is never right while the route has no mark."""
    assert find_broken(HALF, off(100, {"service-0": 0, "service-1": 0})) == []
    assert find_broken(HALF, off(0, {"service-0": 0, "service-1": 0})) == ["S1"]
    assert find_broken(HALF, off(100, {"service-0": 1, "service-1": 0})) == ["S1"]


def test_traffic_that_comes_back_while_the_agent_is_off() -> None:
    """S3: the route lost its mark before the status lost its detour."""
    back = with_fallback(rollout("RollingBack", 0, 1), detour={"id": "1", "percent": 100})
    assert find_broken(back, off(100, {"queue": 100})) == []
    assert find_broken(back, off(0, {"service-0": 100})) == ["S3"]


def test_a_split_adds_up_to_what_a_detour_leaves() -> None:
    """S1: in the ConfigMap as well."""
    release = a("AgentRelease", "a-1", status={"digest": DIGEST})
    snapshot = a("ConfigMap", "a-snapshot", data={"bundle.json": BUNDLE})

    def left(weight: int, **more: object) -> Manifest:
        side = {"release": "a-1", "digest": DIGEST, "snapshot": "a-snapshot", "weight": weight}
        return a(
            "ConfigMap",
            "a-traffic",
            data={"split.json": json.dumps({"stable": side, "canary": None, **more})},
        )

    assert find_broken(release, snapshot, left(70, detour={"id": "1", "percent": 30})) == []
    assert find_broken(release, snapshot, left(70)) == ["S1"]
    assert find_broken(release, snapshot, left(100, detour={"id": "1", "percent": 30})) == ["S1"]


def test_traffic_for_what_is_not_what_its_digest_says() -> None:
    """S2: a release that never was, or a bundle that was changed."""
    release = a("AgentRelease", "a-1", status={"digest": DIGEST})
    snapshot = a("ConfigMap", "a-snapshot", data={"bundle.json": BUNDLE})
    assert find_broken(release, snapshot, split()) == []
    assert find_broken(release, split()) == ["S2"]
    assert find_broken(release, snapshot | {"data": {"bundle.json": "{ }"}}, split()) == ["S2"]


def test_weight_before_it_is_stored() -> None:
    """S3: the route is ahead of the status."""
    assert find_broken(START, route(50, 50)) == ["S3"]


def test_onward_without_a_reason() -> None:
    """S3: a gate that did not pass, a phase that was left out, a person who was not asked."""
    unseen = [{"name": "errors", "verdict": "NoData"}]
    assert find_broken(START, rollout("Canary", 50, 1, gates=unseen)) == ["S3"]
    assert find_broken(START, rollout("Canary", 90, 2)) == ["S3"]
    assert find_broken(HALF, rollout("Canary", 90, 2)) == ["S3"]


def test_up_again_after_the_way_back() -> None:
    """S4: whether the status told of the way back or only the route did."""
    assert find_broken(HALF, route(50, 50), route(100, 0), route(50, 50)) == ["S4"]
    assert "S4" in find_broken(HALF, rollout("RollingBack", 0, 1), HALF)


def test_back_to_what_never_was_healthy() -> None:
    """S5: the target is not in the history, or is what failed."""
    assert find_broken(rollout("RolledBack", 0, 0, lastRollback={"from": "a-2", "to": "a-0"})) == ["S5"]


def test_an_attempt_that_is_remembered_twice() -> None:
    """S6: two entries of one number, or a number that falls."""
    entry = {"number": 2, "release": "a-2", "outcome": "Healthy"}
    assert find_broken(rollout("Healthy", 90, 2, history=[entry, entry])) == ["S6"]
    assert find_broken(HALF, rollout("Canary", 50, 1, number=1)) == ["S6"]


def chained(*events: str) -> list[Manifest]:
    """Entries, each with its hash and that of the one before."""
    entries: list[Manifest] = []
    for number, event in enumerate(events, 1):
        previous = entries[-1]["hash"] if entries else ""
        entry = {"sequence": number, "event": event, "previous": previous}
        entries.append(entry | {"hash": f"sha256:{hashlib.sha256(rfc8785.dumps(entry)).hexdigest()}"})
    return entries


def with_record(manifest: Manifest, entries: list[Manifest]) -> Manifest:
    """The rollout, with these entries to be written."""
    record = {"head": entries[-1]["hash"], "unwritten": entries}
    return manifest | {"status": manifest["status"] | {"record": record}}


def test_a_change_without_an_entry() -> None:
    """A2: more for the canary, or an end, and the head is the same."""
    before, later = chained("AttemptStarted"), chained("AttemptStarted", "PhaseStarted")
    assert find_broken(with_record(START, before), with_record(HALF, later)) == []
    assert find_broken(with_record(START, before), with_record(HALF, before)) == ["A2"]


def test_a_chain_that_does_not_hold() -> None:
    """A3: an entry that was changed, dropped or forged, in the status or in a record."""
    one, two = chained("AttemptStarted", "PhaseStarted")
    assert find_broken(with_record(START, [one, two | {"event": "Healthy"}])) == ["A3"]
    assert find_broken(with_record(START, [one, two | {"previous": ""}])) == ["A3", "A3"]

    def stored(*entries: Manifest) -> Manifest:
        return a("AgentRolloutRecord", "a-1", spec={"previous": "", "entries": entries})

    assert find_broken(stored(one), stored(one, two)) == []
    assert find_broken(stored(one, two), stored(one)) == ["A3"]
    assert find_broken(stored(two)) == ["A3"]


def with_job(name: str, tries: int = 1) -> Manifest:
    """The rollout, whose status names that Job."""
    entry = {"attempt": 2, "at": "BeforeTraffic", "name": "keep", "tries": tries, "job": name}
    return rollout("Pending", 0, 0, hooks=[entry])


def test_a_job_that_the_status_does_not_name_first() -> None:
    """A4: the intent is stored before the Job, and a try has one Job."""
    one, two = a("Job", "keep-2-1"), a("Job", "keep-2-2")
    assert find_broken(with_job("keep-2-1"), one, with_job("keep-2-2", tries=2), one, two) == []
    assert find_broken(one, with_job("keep-2-1")) == ["A4"]
    assert find_broken(with_job("keep-2-1"), two) == ["A4"]
    assert find_broken(with_job("keep-2-1"), with_job("keep-2-2")) == ["A4"]


def test_each_rollout_of_a_group_is_judged_by_itself() -> None:
    """What one has says nothing about what the other may have."""
    sibling = [each | {"metadata": each["metadata"] | {"name": "a-two"}} for each in (HALF, route(50, 50))]
    assert find_broken(START, route(90, 10), *sibling) == []
    assert find_broken(HALF, route(50, 50), START | {"metadata": sibling[0]["metadata"]}, sibling[1]) == [
        "S3"
    ]
