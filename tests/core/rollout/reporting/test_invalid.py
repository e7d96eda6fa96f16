"""An object that cannot be read: one condition, and everything else as it was."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from agentrollouts.api.people.freeze import AgentFreeze
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.core.action.freeze import status_of
from agentrollouts.core.rollout.reporting.invalid import invalid_events, invalid_status
from testkit.builders.freezes import a_freeze
from testkit.builders.names import NEW, OLD, START
from testkit.builders.rollouts import a_rollout
from tests.gitops_tools import kstatus


def stored(status: Any = None, **spec: object) -> dict[str, Any]:  # noqa: ANN401 any value of JSON, or any field
    """A rollout in which these fields of the spec are not what they may be."""
    manifest = a_rollout().serving(OLD).trying(NEW).build().to_json()
    return {**manifest, "spec": manifest["spec"] | spec} | ({"status": status} if status is not None else {})


def error_of(manifest: dict[str, Any]) -> ValidationError:
    """Why it cannot be read."""
    with pytest.raises(ValidationError) as caught:
        AgentRollout.model_validate(manifest)
    return caught.value


def test_each_problem_is_named_by_its_field() -> None:
    """People find what is wrong by the path in the object."""
    manifest = stored(paused="perhaps", phases=[{"name": "x", "weight": 500, "durationSeconds": 1}])

    status = invalid_status(manifest, error_of(manifest), START)

    assert status is not None
    ready = status["conditions"][0]
    assert (ready["type"], ready["status"], ready["reason"]) == ("Ready", "False", "InvalidSpec")
    words = {
        condition["type"]: (condition["status"], condition["reason"]) for condition in status["conditions"]
    }
    assert (words["Reconciling"], words["Stalled"]) == (("False", "Settled"), ("True", "InvalidSpec"))
    assert "spec.paused: " in ready["message"]
    assert "spec.phases.0.weight: " in ready["message"]


def test_everything_else_stays() -> None:
    """What serves goes on serving: nothing but the conditions and the observed generation changes."""
    manifest = stored(paused="perhaps")

    status = invalid_status(manifest, error_of(manifest), START)

    assert status is not None
    said = {"conditions": status["conditions"], "observedGeneration": 1}
    assert status == manifest["status"] | said


def test_it_is_said_once() -> None:
    """What the status says already is not written again, whatever time it is."""
    manifest = stored(paused="perhaps")
    error = error_of(manifest)
    reported = manifest | {"status": invalid_status(manifest, error, START)}

    assert invalid_status(reported, error, START + timedelta(hours=1)) is None


@pytest.mark.parametrize("status", [{}, {"conditions": "none"}, {"conditions": [{"type": "Ready"}]}])
def test_a_status_that_cannot_be_read_is_no_obstacle(status: dict[str, Any]) -> None:
    """Conditions that are none are replaced."""
    manifest = stored(status, paused="perhaps")

    new_status = invalid_status(manifest, error_of(manifest), START)

    assert new_status is not None
    assert [condition["type"] for condition in new_status["conditions"]] == [
        "Ready",
        "Reconciling",
        "Stalled",
    ]


def test_each_change_of_what_is_wrong_sends_one_warning() -> None:
    """An Event for the first sight and for another mistake; none while the status says the same."""
    manifest = stored(paused="perhaps")
    error = error_of(manifest)
    [event] = invalid_events(manifest, error)
    assert (event.reason, event.is_warning) == ("InvalidSpec", True)
    assert "spec.paused: " in event.message

    reported = manifest | {"status": invalid_status(manifest, error, START)}
    assert invalid_events(reported, error) == ()
    other = reported | {"spec": stored(historyLimit="many")["spec"]}
    assert ["historyLimit" in warning.message for warning in invalid_events(other, error_of(other))] == [True]


def test_the_generation_is_acknowledged() -> None:
    """Otherwise kstatus reports InProgress for an object that cannot be read, however long one waits."""
    manifest = stored(paused="perhaps")
    manifest["metadata"] |= {"generation": 4}
    reported = manifest | {"status": invalid_status(manifest, error_of(manifest), START)}
    assert (reported["status"]["observedGeneration"], kstatus(reported)) == (4, "Failed")


def test_a_freeze_that_cannot_be_read_is_shown_as_it_counts() -> None:
    """Active is Unknown, which counts as True, without an end; nothing of this is left after a correction."""
    freeze = a_freeze(endTime="2026-12-01T00:00:00Z")
    active = freeze.to_json() | {"status": status_of(freeze, None, START).to_json()}
    assert active["status"]["activeUntil"] == "2026-12-01T00:00:00Z"
    broken = active | {"spec": {**active["spec"], "endTime": "2026-12-01T00:00:00+99:99"}}
    with pytest.raises(ValidationError) as caught:
        AgentFreeze.model_validate(broken)

    status = invalid_status(broken, caught.value, START + timedelta(hours=1))

    assert status is not None
    said = {each["type"]: (each["status"], each["reason"], each["message"]) for each in status["conditions"]}
    kind, reason, message = said["Active"]
    assert (kind, reason, "activeUntil" in status) == ("Unknown", "InvalidSpec", False)
    assert message.startswith("Counts as active: spec.endTime: ")
    corrected = AgentFreeze.model_validate(active | {"status": status})
    assert [each.type for each in status_of(corrected, None, START).conditions] == ["Active"]
