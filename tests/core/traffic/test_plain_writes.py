"""Input: the writes of a rollback, whatever text is in them. Output: plainer writes with the same weights."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentrollouts.api.attempt import Trigger
from agentrollouts.api.names import (
    ANNOTATION_ROLLBACK_MESSAGE,
    ANNOTATION_ROLLBACK_TRIGGER,
    ANNOTATION_ROLLED_BACK,
    ANNOTATION_ROLLED_BACK_UID,
)
from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.attempt.moves import RollBack
from agentrollouts.core.attempt.status_draft import Progress
from agentrollouts.core.attempt.transition import advance
from agentrollouts.core.effects import Deletion, Effect, Patch, Write
from agentrollouts.core.rollout.observation import Observation
from agentrollouts.core.traffic.manifests import key_of
from agentrollouts.core.traffic.plain_writes import bare_forms, bare_statuses
from agentrollouts.core.traffic.state import Routing
from agentrollouts.simulation.cluster import after, applied
from testkit.builders.names import NEW, OLD, START
from testkit.builders.observations import an_observation
from testkit.builders.rollouts import a_rollout
from testkit.builders.routes import BY_FLAG, BY_PATCH, BY_ROUTE

ANY_TEXT = st.text(st.characters(), max_size=60) | st.text(st.characters(categories=["Cs", "Cc", "So"]))
ANNOTATIONS_BYTES = 256 * 1024


def rolled_back(
    message: str, traffic: Mapping[str, Any] = BY_ROUTE
) -> tuple[Observation, AgentRolloutStatus]:
    """A canary at 5% that is rolled back for this reason: what was seen, and the next status."""
    obs = an_observation(a_rollout(traffic=traffic).serving(OLD).trying(NEW))
    move = RollBack(Trigger.BREACH, Reason.GATE_FAILED, message)
    return obs, advance(Progress(obs.rollout.spec, obs.status, START), move).status


def writes_of(obs: Observation, status: AgentRolloutStatus) -> list[Effect]:
    """What moves the traffic for this status."""
    return [*Routing(obs).state(status).changes]


def seen_after(obs: Observation, writes: list[Effect]) -> Observation:
    """The traffic objects once these writes are done."""
    traffic = dict(obs.traffic)
    for write in writes:
        before = traffic.get(key_of(write.manifest))
        if isinstance(write, Patch):
            assert before is not None
            traffic[key_of(write.manifest)] = after(write, before)
        elif isinstance(write, Write):
            traffic[key_of(write.manifest)] = applied(write.manifest, before)
    return Observation(
        now=obs.now, rollout=obs.rollout, release=obs.release, traffic=traffic, snapshots=obs.snapshots
    )


def weights(write: Effect) -> object:
    """Everything that a write says about traffic."""
    if isinstance(write, Patch):
        return [change for change in write.operations if "annotations" not in change["path"]]
    return {key: value for key, value in write.manifest.items() if key != "metadata"}


@pytest.mark.parametrize(
    "traffic", [BY_ROUTE, BY_PATCH, BY_FLAG, {}], ids=["route", "patch", "flag", "config"]
)
def test_the_bare_form_of_a_rollback_has_the_same_weights_and_no_sentence(traffic: Mapping[str, Any]) -> None:
    """First without the sentence, then without the mark; the weights are those of the full write."""
    obs, status = rolled_back("errors: 8 of 19 runs failed 🙂", traffic)
    writes = writes_of(obs, status)
    assert writes
    for write in writes:
        marked, *unmarked = bare_forms(write)

        assert [weights(plain) for plain in (marked, *unmarked)] == [weights(write)] * (1 + len(unmarked))
        assert "runs failed" in json.dumps([write.manifest, getattr(write, "operations", ())])
        text = json.dumps([marked.manifest, getattr(marked, "operations", ())])
        assert "runs failed" not in text
        assert "Breach" in text
        for plain in unmarked:
            assert "Breach" not in json.dumps([plain.manifest, getattr(plain, "operations", ())])


@pytest.mark.parametrize(
    "traffic", [BY_ROUTE, BY_PATCH, BY_FLAG, {}], ids=["route", "patch", "flag", "config"]
)
def test_a_bare_rollback_is_complete(traffic: Mapping[str, Any]) -> None:
    """A route with the bare mark counts as shown: nothing is written again, and the rollback goes on."""
    obs, status = rolled_back("errors: 8 of 19 runs failed", traffic)
    bare = [bare_forms(write)[0] for write in writes_of(obs, status)]

    assert not Routing(obs).state(status).is_shown
    assert Routing(seen_after(obs, bare)).state(status).is_shown


@pytest.mark.parametrize(
    "traffic", [BY_ROUTE, BY_PATCH, BY_FLAG, {}], ids=["route", "patch", "flag", "config"]
)
def test_a_forward_write_has_no_plainer_form(traffic: Mapping[str, Any]) -> None:
    """Weights forward are not written without what belongs to them."""
    obs = an_observation(a_rollout(traffic=traffic).serving(OLD).trying(NEW))
    empty = Observation(
        now=obs.now, rollout=obs.rollout, traffic={k: v for k, v in obs.traffic.items() if k[1] == "shop"}
    )
    for write in [*writes_of(empty, obs.status), Deletion({"metadata": {"name": "x"}})]:
        assert bare_forms(write) == ()


@given(text=ANY_TEXT, traffic=st.sampled_from([BY_ROUTE, BY_PATCH, BY_FLAG, {}]))
@example("🙂" * 250_000, BY_ROUTE)
@example("\ud83d" * 1_000_000, BY_PATCH)
@example("\x00" * 1_000_000, {})
def test_a_rollback_for_any_reason_can_be_written(text: str, traffic: Mapping[str, Any]) -> None:
    """Whatever text the reason has, annotations and status are UTF-8 within the limits of the API server."""
    obs, status = rolled_back(text, traffic)

    encoded = json.dumps(status.to_json(), ensure_ascii=False).encode()
    assert len(encoded) < 64 * 1024
    for write in writes_of(obs, status):
        form = json.dumps([write.manifest, getattr(write, "operations", ())], ensure_ascii=False).encode()
        assert len(form) < ANNOTATIONS_BYTES // 4
        if isinstance(write, Write):
            marks = write.manifest["metadata"]["annotations"]
            assert set(marks) == {
                ANNOTATION_ROLLED_BACK,
                ANNOTATION_ROLLED_BACK_UID,
                ANNOTATION_ROLLBACK_TRIGGER,
                ANNOTATION_ROLLBACK_MESSAGE,
            }
    assert Routing(seen_after(obs, writes_of(obs, status))).state(status).is_shown


def test_a_bare_status_keeps_what_an_attempt_needs() -> None:
    """Sentences go first, then the numbers of gates; state, weights, records and times stay."""
    _, status = rolled_back("errors: 8 of 19 runs failed")
    full = status.to_json()

    silent, barest = bare_statuses(full, "status.gates: Too long 🙂")

    for plain in (silent, barest):
        back = AgentRolloutStatus.model_validate(plain)
        assert back.attempt == status.attempt
        assert (back.stable, back.canary, back.weights) == (status.stable, status.canary, status.weights)
        assert "runs failed" not in json.dumps(plain)
        assert {condition["message"] for condition in plain["conditions"]} <= {
            "The status is written without details, since the API server refused it: status.gates: Too long ?"
        }
    assert "gates" not in barest
