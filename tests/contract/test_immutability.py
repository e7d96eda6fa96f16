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
    "a value of inline content": lambda spec: _prompt(spec).update(system="Help more."),
    "a key of inline content": lambda spec: _prompt(spec).update(rule=_prompt(spec).pop("system")),
    "a key deep in inline content": lambda spec: _prompt(spec).update(tone={"casual": True}),
    "a key of a tool's schema": lambda spec: spec["components"]["tools"]["items"][0].update(
        schema={"kind": "object"}
    ),
    "the order of the tools": lambda spec: spec["components"]["tools"]["items"].reverse(),
}


def _prompt(spec: Manifest) -> Manifest:
    inline: Manifest = spec["components"]["prompt"]["inline"]
    return inline


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
    """Whatever is changed in a stored release's spec, the API server refuses and says what to do instead."""
    changed = deepcopy(stored)
    edit(changed["spec"])

    answer = api_server.update(changed)

    assert answer.code == 422, answer.message
    assert "spec: Invalid value: `spec` may not be changed; make a new AgentRelease" in answer.message


def test_what_is_not_spec_can_be_changed(stored: Manifest, api_server: ApiServer) -> None:
    """Labels may come and go; they are no part of the behaviour."""
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
    assert "spec.agent: Invalid value: `agent` may not be changed" in answer.message
