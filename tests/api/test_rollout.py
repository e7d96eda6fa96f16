from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from agentrollouts.api.gates import Gate
from agentrollouts.api.objects import ObjectMeta
from agentrollouts.api.rollout import AgentRollout, AgentRolloutSpec, Phase
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.api.traffic import Traffic

EXAMPLES = Path(__file__).parents[2] / "crds" / "examples" / "valid"


def example(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text()))


def test_agent_and_release_make_a_complete_plan() -> None:
    """What a user leaves out is the plan of the playbook: these phases, these gates, these times."""
    spec = AgentRolloutSpec.model_validate(
        {"agent": "support-agent", "releaseRef": {"name": "support-agent-4.2.0"}}
    )

    assert spec.to_json() == {
        "agent": "support-agent",
        "releaseRef": {"name": "support-agent-4.2.0"},
        "paused": False,
        "phases": [
            {
                "name": "canary-5",
                "weight": 5,
                "durationSeconds": 3600,
                "approval": "NotRequired",
                "when": "Always",
            },
            {
                "name": "canary-25",
                "weight": 25,
                "durationSeconds": 14400,
                "approval": "NotRequired",
                "when": "Always",
            },
            {
                "name": "ramp",
                "weight": 95,
                "durationSeconds": 10800,
                "rampSeconds": 10800,
                "approval": "NotRequired",
                "when": "Always",
            },
        ],
        "gates": [
            {"name": "errors", "template": "error-rate"},
            {"name": "completion", "template": "task-completion"},
            {"name": "latency", "template": "latency"},
            {"name": "cost", "template": "cost-per-run"},
        ],
        "analysis": {
            "intervalSeconds": 30,
            "warmupSeconds": 120,
            "staleAfterSeconds": 120,
            "maxExtensions": 2,
            "endpointGraceSeconds": 10,
            "onTimeout": "Hold",
        },
        "caps": [],
        "bake": {"durationSeconds": 1800},
        "rollback": {
            "budgetSeconds": 60,
            "verify": {"withinSeconds": 120, "watchSeconds": 1800},
            "maxWalkBack": 3,
            "lastResort": "Hold",
            "hooksAfter": ["Breach", "Cap", "Timeout", "Action", "SwitchOff"],
        },
        "hooks": [],
        "standby": [],
        "traffic": {},
        "metrics": {
            "source": "default",
            "labels": {"agent": "agent", "release": "release"},
            "convention": "AgentRollouts",
        },
        "historyLimit": 10,
    }


def test_a_fresh_object_has_an_empty_status() -> None:
    """An object that nobody has looked at yet reads as one about which nothing is known."""
    rollout = AgentRollout.model_validate(example("rollout-configmap-only"))

    assert rollout.status == AgentRolloutStatus()
    assert rollout.metadata == ObjectMeta(name="triage-agent")
    assert rollout.spec.traffic == Traffic()


def test_a_full_rollout_says_what_was_written() -> None:
    """Every field that a user can write is read; decimals are numbers from then on."""
    written = example("rollout-full")["spec"]

    spec = AgentRollout.model_validate({"metadata": {"name": "a"}, "spec": written}).spec
    (errors, *_), (spend, outbound) = spec.gates, spec.caps

    assert errors.limit is not None
    assert (errors.max_ratio, errors.confidence, errors.limit.value) == (1.1, 0.99, 0.15)
    assert (spend.max, outbound.max_per_run, outbound.per_seconds) == (50.0, 5.0, 3600)
    assert spec.to_json().keys() == written.keys()
    assert spec.rollback.to_json() == written["rollback"]
    assert spec.traffic.to_json() == written["traffic"]


@pytest.mark.parametrize(("written", "read"), [("Auto", "Auto"), ("2.5", 2.5), ("1", 1.0)])
def test_a_burst_factor_is_a_number_or_auto(written: str, read: float | str) -> None:
    """The factor is measured, or it is what the user says."""
    gate = Gate.model_validate({"name": "errors", "template": "error-rate", "burstFactor": written})

    assert gate.burst_factor == read
    assert gate.to_json()["burstFactor"] == written


def test_a_gate_without_words_of_its_own_says_nothing() -> None:
    """What the template fills in later is absent before, so that a better default reaches old rollouts."""
    gate = Gate(name="errors", template="error-rate")

    assert gate.to_json() == {"name": "errors", "template": "error-rate"}


@pytest.mark.parametrize(
    ("field", "value"), [("maxRatio", "0.5"), ("minRatio", "1.5"), ("confidence", "99"), ("minSamples", 0)]
)
def test_a_gate_out_of_bounds_is_refused(field: str, value: object) -> None:
    """Bounds that the API server states by CEL hold here as well, with the same message."""
    with pytest.raises(ValidationError, match=field):
        Gate.model_validate({"name": "errors", "template": "error-rate", field: value})


def test_phases_may_be_as_short_as_a_second() -> None:
    """A demonstration takes seconds, not hours; nothing in the form of a plan forbids it."""
    phase = Phase(name="blink", weight=1, duration_seconds=1, ramp_seconds=1)

    assert (phase.duration_seconds, phase.ramp_seconds) == (1, 1)
