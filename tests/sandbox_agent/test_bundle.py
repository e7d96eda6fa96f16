"""From a bundle to the behavior of the demo agent."""

from typing import Any

import pytest

from sandbox.agent.bundle import Approval, Behavior, BundleError, read_behavior
from sandbox.agent.tools import Tool

MINIMAL: dict[str, Any] = {
    "prompt": {"version": "1.0.0", "content": {"system": "Be kind."}},
    "model": {"version": "1.0.0", "name": "gpt-x-2026-08-01"},
}


def test_whole_bundle() -> None:
    """Each component that the agent heeds has its effect, with examples joined to the prompt."""
    bundle = read_behavior(
        {
            "prompt": {"content": {"system": "Be kind.", "examples": ["Q: hi A: hello"]}},
            "model": {"name": "gpt-x-2026-08-01"},
            "config": {"content": {"maxTokens": 300}},
            "tools": {
                "items": [{"name": "issue_refund", "schema": {"type": "object"}, "externalAction": True}]
            },
            "permissions": {"content": {"scopes": ["refunds.write"]}},
            "guardrails": {"content": {"approvals": {"issue_refund": {"windowDays": 30, "upToUsd": 250}}}},
        }
    )

    assert bundle == Behavior(
        system="Be kind.\nQ: hi A: hello",
        model="gpt-x-2026-08-01",
        max_tokens=300,
        tools={"issue_refund": Tool("issue_refund", {"type": "object"}, acts_outside=True)},
        scopes=frozenset({"refunds.write"}),
        approvals={"issue_refund": Approval(30, 250.0)},
    )


def test_optional_components() -> None:
    """Prompt and model are enough; without permissions and guardrails nothing is restricted."""
    bundle = read_behavior(MINIMAL)

    assert (bundle.tools, bundle.scopes, bundle.approvals) == ({}, None, {})


@pytest.mark.parametrize(
    ("components", "problem"),
    [
        ({"model": MINIMAL["model"]}, "prompt.system must be a text that is not empty"),
        ({"prompt": MINIMAL["prompt"]}, "model.name must be a text that is not empty"),
        (
            {**MINIMAL, "model": {"name": "gpt-y"}},
            "model.name: there is no model gpt-y; there are gpt-x",
        ),
        (
            {**MINIMAL, "tools": {"items": [{"name": "fly"}]}},
            "tools: the shop has no fly; it has change_address",
        ),
        (
            {**MINIMAL, "tools": {"items": [{"name": "find_order", "schema": {"oneOf": []}}]}},
            "tools: the schema of find_order cannot be checked at /oneOf",
        ),
        (
            {**MINIMAL, "guardrails": {"content": {"approvals": {"issue_refund": {"windowDays": 30}}}}},
            "guardrails: each of approvals needs the numbers windowDays and upToUsd",
        ),
    ],
)
def test_unservable_bundles(components: dict[str, Any], problem: str) -> None:
    """A bundle that this agent cannot serve is refused with a sentence that says where and what."""
    with pytest.raises(BundleError) as caught:
        read_behavior(components)

    assert str(caught.value).startswith(problem)


def test_components_from_a_configmap() -> None:
    """A component that came from a ConfigMap, whose values are texts, is read as YAML."""
    guardrails = {"content": {"approvals": "issue_refund: {windowDays: 30, upToUsd: 250}\n"}}
    permissions = {"content": {"scopes": "[orders.read]"}}
    bundle = read_behavior({**MINIMAL, "guardrails": guardrails, "permissions": permissions})

    assert (bundle.approvals, bundle.scopes) == (
        {"issue_refund": Approval(30, 250.0)},
        frozenset({"orders.read"}),
    )
