"""Reading `bundle.json` and its snapshot."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from agentrollouts.core.release.bundle import digest_of
from sandbox import scenarios
from sandbox.agent.bundle import Approval, Bundle, BundleError, read_bundle
from sandbox.agent.snapshot import verified_bundle
from sandbox.agent.tools import Tool

MINIMAL: dict[str, Any] = {
    "prompt": {"version": "1.0.0", "content": {"system": "Be kind."}},
    "model": {"version": "1.0.0", "name": "gpt-x-2026-08-01"},
}


def test_whole_bundle() -> None:
    """Each component that the agent heeds arrives in the bundle, with examples joined to the prompt."""
    text = json.dumps(
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

    assert read_bundle(text) == Bundle(
        digest=read_bundle(text).digest,
        system="Be kind.\nQ: hi A: hello",
        model="gpt-x-2026-08-01",
        max_tokens=300,
        tools={"issue_refund": Tool("issue_refund", {"type": "object"}, acts_outside=True)},
        scopes=frozenset({"refunds.write"}),
        approvals={"issue_refund": Approval(30, 250.0)},
    )


def test_optional_components() -> None:
    """Prompt and model are enough; without permissions and guardrails nothing is restricted."""
    bundle = read_bundle(json.dumps(MINIMAL))

    assert (bundle.tools, bundle.scopes, bundle.approvals) == ({}, None, {})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "bundle.json is not JSON"),
        ("[]", "bundle.json must be an object of components"),
        (json.dumps({"model": MINIMAL["model"]}), "prompt.system must be a text that is not empty"),
        (json.dumps({"prompt": MINIMAL["prompt"]}), "model.name must be a text that is not empty"),
        (
            json.dumps({**MINIMAL, "model": {"name": "gpt-y"}}),
            "model.name: there is no model gpt-y; there are gpt-x",
        ),
        (
            json.dumps({**MINIMAL, "tools": {"items": [{"name": "fly"}]}}),
            "tools: the shop has no fly; it has change_address",
        ),
        (
            json.dumps({**MINIMAL, "tools": {"items": [{"name": "find_order", "schema": {"oneOf": []}}]}}),
            "tools: the schema of find_order cannot be checked at /oneOf",
        ),
        (
            json.dumps(
                {**MINIMAL, "guardrails": {"content": {"approvals": {"issue_refund": {"windowDays": 30}}}}}
            ),
            "guardrails: each of approvals needs the numbers windowDays and upToUsd",
        ),
    ],
)
def test_unservable_bundles(text: str, problem: str) -> None:
    """A bundle that this agent cannot serve is refused with a sentence that says where and what."""
    with pytest.raises(BundleError) as caught:
        read_bundle(text)

    assert str(caught.value).startswith(problem)


def test_snapshot_is_believed_only_with_its_digest(bundle_text: Callable[[str], str]) -> None:
    """The text of a snapshot is taken when it has the digest that stands beside it, and not when changed."""
    text = bundle_text(scenarios.HEALTHY)
    data = {"bundle.json": text, "release.json": json.dumps({"digest": read_bundle(text).digest})}

    assert verified_bundle(data, "support/s") == text
    with pytest.raises(BundleError, match=r"^ConfigMap support/s: bundle\.json has digest sha256:"):
        verified_bundle({**data, "bundle.json": text + " "}, "support/s")


@pytest.mark.parametrize("name", scenarios.names())
def test_agent_and_operator_agree_on_the_digest(bundle_text: Callable[[str], str], name: str) -> None:
    """What the agent takes for the identity of its behavior is what the operator computed."""
    text = bundle_text(name)

    assert read_bundle(text).digest == digest_of(text.encode())


@pytest.mark.parametrize("data", [{}, {"bundle.json": "{}"}, {"bundle.json": "{}", "release.json": "[]"}])
def test_other_configmaps_are_no_snapshots(data: dict[str, str]) -> None:
    """A ConfigMap that lacks one of the two keys, or the digest, is refused by name."""
    with pytest.raises(BundleError, match="ConfigMap support/s is not a snapshot"):
        verified_bundle(data, "support/s")


def test_components_from_a_configmap() -> None:
    """A component that came from a ConfigMap, whose values are texts, is read as YAML."""
    guardrails = {"content": {"approvals": "issue_refund: {windowDays: 30, upToUsd: 250}\n"}}
    permissions = {"content": {"scopes": "[orders.read]"}}
    bundle = read_bundle(json.dumps({**MINIMAL, "guardrails": guardrails, "permissions": permissions}))

    assert (bundle.approvals, bundle.scopes) == (
        {"issue_refund": Approval(30, 250.0)},
        frozenset({"orders.read"}),
    )
