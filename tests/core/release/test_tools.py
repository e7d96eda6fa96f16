"""Input: bundles, and annotations that anyone may have written. Output: which tools act on the world."""

import json
from collections.abc import Mapping
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.objects import ObjectMeta
from agentrollouts.api.recovery.tools import TOOLS, Tools, annotations_of, external_actions, tools_of
from agentrollouts.core.release.bundle import read_bundle
from agentrollouts.core.release.decide import ReleaseObservation, decide_release
from agentrollouts.core.rollout.snapshots.facts import with_own_facts
from testkit.builders.names import START
from tests.core.release.releases import SMALL, a_release, bundle_of

NAMES: Final = st.from_regex(r"^[A-Za-z0-9_.-]{1,20}\Z")
DECLARED: Final = st.dictionaries(NAMES, st.booleans(), max_size=8)


def with_tools(tools: Tools | None) -> Mapping[str, Any]:
    """Components that declare these tools."""
    items = [
        {"name": name, "version": "1.0.0", "externalAction": acts} for name, acts in (tools or {}).items()
    ]
    return SMALL if tools is None else {**SMALL, "tools": {"version": "1.0.0", "items": items}}


def snapshot(annotations: dict[str, str]) -> ObjectMeta:
    """The metadata of a snapshot."""
    return ObjectMeta(name="support-agent-1a2b", annotations=annotations)


@given(tools=st.none() | DECLARED)
def test_what_a_bundle_declares_is_read_back_from_its_snapshot(tools: Tools | None) -> None:
    """Also unknown, which is not the same as no tools; a bundle that is read again says the same."""
    bundle = bundle_of(with_tools(tools))
    assert bundle.tools == tools
    assert read_bundle(bundle.text) == bundle
    assert tools_of(snapshot(annotations_of(tools).get("annotations", {}))) == tools


@pytest.mark.parametrize(
    ("tools", "actions"),
    [
        ({"send_mail": True, "search": False, "issue_refund": True}, ("issue_refund", "send_mail")),
        ({"search": False}, ()),
        ({}, ()),
        (None, None),
    ],
)
def test_the_status_and_the_snapshot_list_external_actions(
    tools: Tools | None, actions: tuple[str, ...] | None
) -> None:
    """Empty if no tool acts on the world, absent if that is unknown."""
    release = a_release(with_tools(tools))
    decision = decide_release(ReleaseObservation(now=START, release=release))

    assert decision.status is not None
    [write] = decision.writes
    kept = tools_of(ObjectMeta.model_validate(write.manifest["metadata"]))
    assert (decision.status.external_actions, external_actions(kept)) == (actions, actions)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "7",
        '["issue_refund"]',
        '{"issue_refund": 1}',
        "[" * 60_000,
        json.dumps({str(n): True for n in range(129)}),
    ],
    ids=["empty", "no JSON", "a number", "a list", "not a truth value", "deep", "too many"],
)
def test_an_annotation_that_is_not_ours_says_nothing(text: str) -> None:
    """The tools are then unknown, and nothing fails."""
    assert tools_of(snapshot({TOOLS: text})) is None
    assert tools_of(None) is None


@pytest.mark.parametrize(
    ("manager", "operation", "is_ours"),
    [
        ("agentrollouts-snapshot-uid-1", "Apply", True),
        ("agentrollouts-facts", "Apply", True),
        ("kubectl-edit", "Update", False),
        ("agentrollouts-snapshot-uid-1", "Update", False),
        ("kubectl", "Apply", False),
    ],
)
def test_an_edited_annotation_does_not_count(manager: str, operation: str, *, is_ours: bool) -> None:
    """Whoever wrote it last owns it in the managed fields: an edit cannot keep a repair from running."""
    fields: dict[str, Any] = {"f:metadata": {"f:annotations": {f"f:{TOOLS}": {}}}}
    manifest = {
        "kind": "ConfigMap",
        "metadata": {
            "name": "support-agent-1a2b",
            "annotations": {TOOLS: "{}", "other": "stays"},
            "managedFields": [{"manager": manager, "operation": operation, "fieldsV1": fields}],
        },
    }
    kept = with_own_facts(manifest)["metadata"]["annotations"]
    assert kept == {"other": "stays"} | ({TOOLS: "{}"} if is_ours else {})
