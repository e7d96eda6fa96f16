from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest

from tests.contract.server import ApiServer

Manifest = dict[str, Any]

RELEASE: Manifest = {
    "apiVersion": "agentrollouts.dev/v1alpha1",
    "kind": "AgentRelease",
    "metadata": {"name": "immutable-1.0.0"},
    "spec": {
        "agent": "immutable",
        "version": "1.0.0",
        "components": {
            "prompt": {"version": "1.0.0", "inline": {"system": "Help.", "tone": {"formal": True}}},
            "model": {"version": "1.0.0", "provider": "openai", "name": "gpt-x-2026-08-01"},
            "tools": {
                "version": "1.0.0",
                "items": [
                    {"name": "find", "version": "1.0.0", "schema": {"type": "object"}},
                    {"name": "refund", "version": "1.0.0"},
                ],
            },
        },
    },
}

EDITS: dict[str, Callable[[Manifest], object]] = {
    "the version": lambda spec: spec.update(version="1.0.1"),
    "an optional field that was absent": lambda spec: spec.update(description="New."),
    "an optional component taken away": lambda spec: spec["components"].pop("tools"),
    "the version of a component": lambda spec: spec["components"]["prompt"].update(version="1.0.1"),
    "where content comes from": lambda spec: spec["components"].update(
        prompt={"version": "1.0.0", "configMapRef": {"name": "texts"}}
    ),
    "the model": lambda spec: spec["components"]["model"].update(name="gpt-y"),
    "a fallback": lambda spec: spec["components"]["model"].update(fallbacks=[{"provider": "p", "name": "m"}]),
    "an optional component that was absent": lambda spec: spec["components"].update(
        config={"version": "1.0.0", "inline": {}}
    ),
    "a further tool": lambda spec: spec["components"]["tools"]["items"].append(
        {"name": "more", "version": "1.0.0"}
    ),
    "a tool taken away": lambda spec: spec["components"]["tools"]["items"].pop(),
    "all tools taken away": lambda spec: spec["components"]["tools"].pop("items"),
    "the version of a tool": lambda spec: spec["components"]["tools"]["items"][0].update(version="1.0.1"),
    "what a tool may do": lambda spec: spec["components"]["tools"]["items"][0].update(externalAction=True),
    "the order of the tools": lambda spec: spec["components"]["tools"]["items"].reverse(),
}


@pytest.fixture(scope="module")
def stored(api_server: ApiServer) -> Iterator[Manifest]:
    """A release in the API server."""
    answer = api_server.create(RELEASE, dry_run=False)
    assert answer.code == 201, answer.message
    yield answer.body
    api_server.delete(RELEASE)


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_nothing_of_a_release_can_be_changed(
    edit: Callable[[Manifest], object], stored: Manifest, api_server: ApiServer
) -> None:
    """The API server refuses a change of any field into which it can look, and says what to do instead.

    Of free-form content the operator compares the digest: tests/contract/test_applying.py.
    """
    changed = deepcopy(stored)
    edit(changed["spec"])

    answer = api_server.update(changed)

    assert answer.code == 422, answer.message
    assert "Invalid value: `spec` is immutable; create a new AgentRelease" in answer.message


def test_what_is_not_spec_can_be_changed(stored: Manifest, api_server: ApiServer) -> None:
    """Labels may come and go; they are no part of the behavior."""
    changed = deepcopy(stored)
    changed["metadata"]["labels"] = {"team": "support"}

    answer = api_server.update(changed)

    assert (answer.code, answer.body["spec"]) == (200, stored["spec"])


def test_a_rollout_keeps_its_agent(api_server: ApiServer) -> None:
    """A rollout never becomes another agent's; its history would be another's."""
    rollout: Manifest = {
        "apiVersion": "agentrollouts.dev/v1alpha1",
        "kind": "AgentRollout",
        "metadata": {"name": "immutable"},
        "spec": {"agent": "immutable", "releaseRef": {"name": "immutable-1.0.0"}},
    }
    changed = deepcopy(api_server.create(rollout, dry_run=False).body)
    changed["spec"]["agent"] = "other"

    answer = api_server.update(changed)

    api_server.delete(rollout)
    assert answer.code == 422
    assert "spec.agent: Invalid value: `agent` is immutable" in answer.message
