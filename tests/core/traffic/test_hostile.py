"""Inputs: traffic objects with any text where their editors can write one. Output: what is decided then."""

import json
from typing import Any, Final

import pytest

from agentrollouts.api.attempt import State
from agentrollouts.api.names import ANNOTATION_DETOUR
from agentrollouts.api.people.action import ActionType
from agentrollouts.core.effects import Manifest
from agentrollouts.core.rollout.decide import decide
from agentrollouts.core.states import LATCHED
from agentrollouts.core.traffic.route_claim import SPLIT
from testkit.builders.names import AGENT, NEW, OLD, UID
from testkit.builders.observations import an_observation, shown
from testkit.builders.rollouts import a_rollout
from testkit.builders.routes import BY_PATCH, BY_ROUTE

DEEP: Final = 100_000
FIELDS: Final = {"id": "0123abcd", "cause": "SwitchOff", "percent": 50, "since": "2026-01-01T00:00:00Z"}


def a_mark(**fields: object) -> str:
    """A detour that names the rollout, with these fields instead."""
    return json.dumps({"uid": UID, **FIELDS, **fields})


def a_claim(**fields: object) -> str:
    """A claim of the rollout, with these fields."""
    return json.dumps({"uid": UID, "rule": "support", **fields})


def a_split(weight: object, digest: object = "sha256:0") -> str:
    """A split with that weight on both sides."""
    side = {"digest": digest, "weight": weight}
    return json.dumps({"stable": side, "canary": side})


TEXTS: Final = {
    "lists in lists": "[" * DEEP,
    "maps in maps": '{"a":' * DEEP,
    "a number without an end": "9" * 10_000,
    "half of a character": a_mark(message="\ud800"),
    "a time that UTC does not have": a_mark(since="9999-12-31T23:59:59-14:00"),
    "an end that UTC does not have": a_mark(until="0001-01-01T00:00:00+14:00"),
    "the last time of all": a_mark(since="9999-12-31T23:59:59Z", until="9999-12-31T23:59:59Z"),
    "a detour that is a text": a_claim(detour="no"),
    "a detour of the last time": a_claim(detour={**FIELDS, "since": "9999-12-31T23:59:59-14:00"}),
    "a number of an attempt": a_claim(rolledBack=10**30, stable="a", services=["", "b" * 1000]),
    "weights that are texts": a_split("50"),
    "weights that are maps": a_split({}, {}),
    "no weights": a_split(None, None),
    "sides that are texts": '{"stable": "a", "canary": "b"}',
}
WAYS: Final = {"own route": BY_ROUTE, "route of another": BY_PATCH, "ConfigMap": {}}


def with_text(manifest: Manifest, text: str) -> Manifest:
    """The object with that text wherever its editor can write one."""
    metadata = manifest["metadata"]
    annotations = {**metadata.get("annotations", {}), ANNOTATION_DETOUR: text, f"{AGENT}{SPLIT}": text}
    data = {"split.json": text, "flags.json": text} if manifest["kind"] == "ConfigMap" else None
    changed = {**manifest, "metadata": {**metadata, "annotations": annotations}}
    return {**changed, "data": data} if data else changed


@pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))
@pytest.mark.parametrize("traffic", WAYS.values(), ids=list(WAYS))
def test_no_text_on_a_traffic_object_stops_a_rollback(traffic: dict[str, Any], text: str) -> None:
    """A canary is rolled back on request, and the objects are written."""
    trying = a_rollout(traffic=traffic).serving(OLD).trying(NEW).in_phase(1)
    seen = {key: with_text(manifest, text) for key, manifest in shown(trying.build()).items()}

    decision = decide(an_observation(trying.requesting(ActionType.ROLL_BACK, 2, release=NEW), traffic=seen))

    assert decision.status is not None
    assert decision.status.attempt is not None
    assert decision.status.attempt.state in LATCHED
    written = {write.manifest["kind"] for write in decision.writes}
    assert written >= ({"HTTPRoute", "ConfigMap"} if traffic else {"ConfigMap"})
    rolling = trying.rolling_back(State.ROLLING_BACK)
    assert decide(an_observation(rolling, traffic=seen)).writes
