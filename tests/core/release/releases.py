"""Releases as the tests of this folder need them: whole, valid, and changed in one place."""

from collections.abc import Mapping
from typing import Any

from agentrollouts.api.release import AgentRelease, AgentReleaseStatus
from agentrollouts.core.release.bundle import Bundle, resolve
from agentrollouts.core.release.checks import Refusal
from agentrollouts.core.release.content import ConfigMaps
from agentrollouts.core.release.snapshot import Snapshot

DIGEST = "sha256:" + "ab" * 32

COMPONENTS: Mapping[str, Any] = {
    "prompt": {"version": "3.1.0", "inline": {"system": "Help with orders.", "examples": []}},
    "model": {
        "version": "2.0.0",
        "provider": "openai",
        "name": "gpt-x-2026-08-01",
        "releaseDate": "2026-08-01",
    },
    "config": {"version": "1.4.0", "inline": {"temperature": 0.2, "maxTokens": 1200}},
    "tools": {
        "version": "5.0.0",
        "compatiblePrompt": ">=3.0.0,<4.0.0",
        "items": [
            {
                "name": "issue_refund",
                "version": "2.1.0",
                "schema": {"type": "object", "required": ["order"]},
                "externalAction": True,
            }
        ],
    },
    "permissions": {"version": "1.0.0", "inline": {"scopes": ["orders.read", "refunds.write"]}},
    "knowledge": {"version": "2026.11.1", "artifact": {"uri": "s3://kb/2026-11-01", "digest": DIGEST}},
    "memory": {
        "version": "1.0.0",
        "inline": {"schema": 3},
        "snapshot": {"uri": "s3://mem/2026-11-20"},
    },
    "guardrails": {"version": "1.2.0", "configMapRef": {"name": "support-guardrails"}},
    "routing": {"version": "1.0.0", "inline": {}},
    "runtime": {"version": "7.3.1", "image": "registry.example/agent@sha256:0123"},
}
"""All ten components, each in a form that is allowed."""

SMALL: Mapping[str, Any] = {
    "prompt": {"version": "1.0.0", "inline": {"system": "Be kind."}},
    "model": {"version": "1.0.0", "provider": "openai", "name": "gpt-x-2026-08-01"},
}
"""As little as there may be."""


def a_release(
    components: Mapping[str, Any] = SMALL,
    name: str = "support-agent-4.2.0",
    *,
    status: AgentReleaseStatus | None = None,
    metadata: Mapping[str, Any] | None = None,
    **spec: object,
) -> AgentRelease:
    """A release of support-agent; its uid follows from its name."""
    return AgentRelease.model_validate(
        {
            "metadata": {"name": name, "namespace": "support", "uid": f"uid-of-{name}", "generation": 1}
            | dict(metadata or {}),
            "spec": {"agent": "support-agent", "version": "4.2.0", "components": components} | spec,
            "status": status or AgentReleaseStatus(),
        }
    )


def with_part(name: str, **changes: object) -> dict[str, Any]:
    """The small set of components with one of them changed, or added."""
    return {**SMALL, name: {**SMALL.get(name, {"version": "1.0.0"}), **changes}}


def bundle_of(components: Mapping[str, Any] = SMALL, config_maps: ConfigMaps | None = None) -> Bundle:
    """The bundle of components that have nothing wrong with them."""
    bundle = resolve(a_release(components), config_maps or {})
    assert isinstance(bundle, Bundle), bundle
    return bundle


def refusal_of(release: AgentRelease, config_maps: ConfigMaps | None = None) -> Refusal:
    """What is wrong with a release that something is wrong with."""
    refusal = resolve(release, config_maps or {})
    assert isinstance(refusal, Refusal), refusal
    return refusal


def stored(manifest: Mapping[str, Any], *owners: AgentRelease, uid: str = "uid-of-snapshot") -> Snapshot:
    """A snapshot as returned by the API server after its manifest was applied, with these owners."""
    references = [
        {
            "apiVersion": owner.api_version,
            "kind": owner.kind,
            "name": owner.metadata.name,
            "uid": owner.metadata.uid,
        }
        for owner in owners
    ]
    metadata = {**manifest["metadata"], "uid": uid, "ownerReferences": references}
    snapshot = Snapshot.of({**manifest, "metadata": metadata})
    assert snapshot is not None
    return snapshot
