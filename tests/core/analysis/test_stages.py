"""Stages: a plan whose gates never judge the canary is refused, as nothing could stop a bad release."""

from typing import Any

import pytest

from agentrollouts.api.rollout import AgentRolloutSpec
from agentrollouts.core.analysis.stages import check
from agentrollouts.core.gates.resolve import resolve_all

ONE, FEW, ALL = (
    [{"name": name, "weight": weight, "durationSeconds": 60} for name, weight in plan]
    for plan in ([("few", 5)], [("few", 5), ("all", 100)], [("all", 100)])
)
APPROVED = [{"name": "few", "weight": 5, "durationSeconds": 60, "approval": "Required"}]


def errors(*during: str) -> dict[str, Any]:
    """The error gate, asked during these stages; by default wherever it makes sense."""
    return {"name": "errors", "template": "error-rate"} | ({"during": list(during)} if during else {})


def refused(*gates: dict[str, Any], phases: object) -> list[str]:
    """What is wrong with the plan."""
    spec = AgentRolloutSpec.model_validate(
        {"agent": "a", "releaseRef": {"name": "r"}, "gates": gates, "phases": phases}
    )
    return [str(refusal) for refusal in check(spec, resolve_all(spec).gates)]


COST = {"name": "cost", "template": "cost-per-run"}
NOBODY = {
    "only after a rollback": ((errors("Verify"),), FEW),
    "only at 100%, in a plan that ends below": ((errors("Full"),), ONE),
    "only at 100%, after a weight that nothing judges": ((errors("Full", "Verify"),), FEW),
    "none of two": ((errors("Verify"), COST | {"during": ["Verify"]}), FEW),
    "beside stable, in a plan of 100% alone": ((errors("Canary"),), ALL),
    "by default, where the type has nothing to say at 100%": ((COST,), ALL),
}
SOMEBODY = {
    "by default": ((errors(),), FEW),
    "one of two": ((errors("Verify"), COST), FEW),
    "at 100%, in a plan of 100% alone": ((errors("Full"),), ALL),
    "a person": ((errors("Verify"),), APPROVED),
    "a person alone": ((), APPROVED),
}


@pytest.mark.parametrize(("gates", "phases"), NOBODY.values(), ids=list(NOBODY))
def test_a_plan_in_which_no_gate_judges_the_canary_is_refused(
    gates: tuple[dict[str, Any], ...], phases: object
) -> None:
    """At the plan's first stage at least one gate is asked."""
    [message] = refused(*gates, phases=phases)

    assert message.startswith("spec.gates: no gate judges the canary: ")


@pytest.mark.parametrize(("gates", "phases"), SOMEBODY.values(), ids=list(SOMEBODY))
def test_a_plan_in_which_something_judges_the_canary_is_served(
    gates: tuple[dict[str, Any], ...], phases: object
) -> None:
    """One gate that is asked, or a person who approves, is enough."""
    assert refused(*gates, phases=phases) == []


def test_the_refusal_names_the_gates_and_the_remedy() -> None:
    """A person knows which field to change, and to what."""
    assert refused(errors("Verify"), phases=FEW) == [
        (
            "spec.gates: no gate judges the canary: errors is not evaluated during Canary; add Canary to "
            "`during`, add a gate, or set `approval: Required` on a phase"
        )
    ]
