from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.components import COMPONENTS as NAMES
from agentrollouts.api.release import Change, ComponentDiff
from agentrollouts.core.release.content import ConfigMapData
from agentrollouts.core.release.diff import diff, only_narrows
from tests.core.release.releases import COMPONENTS, SMALL, bundle_of, with_part

WHOLE = bundle_of(COMPONENTS, {"support-guardrails": ConfigMapData({})}).text


def entry(
    component: str, change: Change, before: str | None = "1.0.0", after: str | None = "1.0.0"
) -> ComponentDiff:
    """One line of a diff."""
    return ComponentDiff.model_validate(
        {"component": component, "from": before, "to": after, "change": change}
    )


def of_permissions(version: str, content: Any) -> str:  # noqa: ANN401  any JSON
    """A bundle whose permissions have this content."""
    return bundle_of(with_part("permissions", version=version, inline=content)).text


def test_bundle_does_not_differ_from_itself() -> None:
    """The same content gives no entries."""
    assert diff(WHOLE, WHOLE) == ()


@pytest.mark.parametrize(
    ("version", "change"),
    [
        ("2.0.0", Change.MAJOR),
        ("0.9.9", Change.MAJOR),
        ("1.1.0", Change.MINOR),
        ("1.0.1", Change.PATCH),
        ("1.0.0-rc.1", Change.PATCH),
        ("1.0.0+build.2", Change.PATCH),
    ],
)
def test_change_follows_the_version(version: str, change: Change) -> None:
    """The step of a component's version, up or down, is what its author says of the change."""
    changed = bundle_of(with_part("prompt", version=version)).text

    assert diff(bundle_of(SMALL).text, changed) == (entry("prompt", change, after=version),)


def test_content_without_a_new_version() -> None:
    """Content that changed under an old version is said to be just that."""
    changed = bundle_of(with_part("prompt", inline={"system": "Be brief."})).text

    assert diff(bundle_of(SMALL).text, changed) == (entry("prompt", Change.CONTENT_ONLY),)


def test_components_come_and_go() -> None:
    """What only one side has is added or removed, in the order in which people read components."""
    some = bundle_of(with_part("routing", inline={}) | with_part("config", inline={})).text
    other = bundle_of(with_part("runtime", image="registry.example/agent:1")).text

    assert diff(some, other) == (
        entry("config", Change.REMOVED, after=None),
        entry("routing", Change.REMOVED, after=None),
        entry("runtime", Change.ADDED, before=None),
    )


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        (["a"], ["a", "b"], Change.WIDENED),
        (["a", "b"], ["a"], Change.NARROWED),
        (["a", "b"], ["b", "c"], Change.WIDENED),
        (["a", "b"], ["c"], Change.WIDENED),
        ([], ["a"], Change.WIDENED),
        (["a"], [], Change.NARROWED),
        (["a", "b"], ["b", "a"], Change.MINOR),
        (["orders.*"], ["orders.read"], Change.WIDENED),
        (["a"], None, Change.MINOR),
        (["a"], [{"name": "a"}], Change.MINOR),
        ("a", ["a"], Change.MINOR),
    ],
)
def test_permissions_are_compared_by_what_they_allow(before: object, after: object, change: Change) -> None:
    """Any new scope widens, fewer scopes narrow; where scopes cannot be read the version decides."""
    parent = of_permissions("1.0.0", {"scopes": before})
    child = of_permissions("1.1.0", {} if after is None else {"scopes": after})

    assert diff(parent, child) == (entry("permissions", change, after="1.1.0"),)


def test_permissions_held_elsewhere_are_compared_by_version() -> None:
    """Scopes in an artifact cannot be read."""
    artifact = {"uri": "s3://scopes", "digest": "sha256:" + "ab" * 32}
    elsewhere = bundle_of(with_part("permissions", version="2.0.0", artifact=artifact)).text

    assert diff(of_permissions("1.0.0", {"scopes": ["a"]}), elsewhere) == (
        entry("permissions", Change.MAJOR, after="2.0.0"),
    )


@given(
    before=st.fixed_dictionaries({}, optional={name: st.integers(1, 3) for name in NAMES[2:4]}),
    after=st.fixed_dictionaries({}, optional={name: st.integers(1, 3) for name in NAMES[2:4]}),
)
def test_diff_names_exactly_what_differs(before: dict[str, int], after: dict[str, int]) -> None:
    """The components in a diff are those whose digests differ, whichever side is called the parent."""
    sides = [
        bundle_of(
            {**SMALL, **{name: {"version": f"{major}.0.0", "inline": {}} for name, major in side.items()}}
        )
        for side in (before, after)
    ]
    digests = [bundle.component_digests for bundle in sides]
    expected = {name for name in NAMES if digests[0].get(name) != digests[1].get(name)}

    for parent, child in (sides, reversed(sides)):
        assert {line.component for line in diff(parent.text, child.text)} == expected


def a_tool(name: str, version: str = "1.0.0") -> dict[str, Any]:
    """A tool by its name."""
    return {"name": name, "version": version}


@pytest.mark.parametrize(
    ("after", "change"),
    [
        ([a_tool("read")], Change.NARROWED),
        ([], Change.NARROWED),
        ([a_tool("refund")], Change.NARROWED),
        ([a_tool("refund"), a_tool("read")], Change.MINOR),
        ([a_tool("read", "1.1.0")], Change.MINOR),
        ([a_tool("read"), a_tool("send")], Change.MINOR),
        ([a_tool("read"), a_tool("refund"), a_tool("send")], Change.MINOR),
    ],
)
def test_tools_that_were_only_removed_narrow(after: list[dict[str, Any]], change: Change) -> None:
    """Another tool, or another version of one, is more than less of the same; then the version decides."""
    before = bundle_of(with_part("tools", version="1.0.0", items=[a_tool("read"), a_tool("refund")])).text
    changed = bundle_of(with_part("tools", version="1.1.0", items=after)).text

    entries = diff(before, changed)

    assert entries == (entry("tools", change, after="1.1.0"),)
    assert only_narrows(entries) == (change is Change.NARROWED)


def test_a_bundle_that_differs_in_anything_else_does_not_only_narrow() -> None:
    """No difference is not less either; all tools can go, but not all permissions, which are limits."""
    narrowed = (entry("permissions", Change.NARROWED), entry("tools", Change.REMOVED, after=None))
    assert only_narrows(narrowed)
    assert not only_narrows(())
    assert not only_narrows((*narrowed, entry("prompt", Change.CONTENT_ONLY)))
    assert not only_narrows((entry("permissions", Change.REMOVED, after=None),))
    assert not only_narrows((entry("model", Change.NARROWED),))
