"""How a bundle differs from its parent's, component by component.

Written into the status of a release for its approvers. The parent is known by its snapshot alone, since its
AgentRelease may be gone long before; so both sides are texts of `bundle.json`.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from agentrollouts.api.components import COMPONENTS
from agentrollouts.api.model.base import SEMVER
from agentrollouts.api.release import Change, ComponentDiff
from agentrollouts.core.release.canonical import without_nulls

_VERSION: Final = re.compile(SEMVER)
"""With groups for major, minor and patch."""


def diff(parent: str, bundle: str) -> tuple[ComponentDiff, ...]:
    """The components that differ, in the order in which people read them.

    Args:
        parent: `bundle.json` of the parent.
        bundle: `bundle.json` of the release.

    Returns:
        One entry for each component that differs. Which change it is follows from the versions, since they
        are what an author says of a change; for permissions from the scopes, since those are what it does,
        and for tools that were only removed from the tools.
    """
    before, after = without_nulls(json.loads(parent)), without_nulls(json.loads(bundle))
    return tuple(
        ComponentDiff.model_validate(
            {
                "component": name,
                "from": before.get(name, {}).get("version"),
                "to": after.get(name, {}).get("version"),
                "change": _change(name, before.get(name), after.get(name)),
            }
        )
        for name in COMPONENTS
        if before.get(name) != after.get(name)
    )


def _change(name: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> Change:
    if before is None:
        return Change.ADDED
    if after is None:
        return Change.REMOVED
    known = _BY_CONTENT[name](before, after) if name in _BY_CONTENT else None
    return known or _change_of_version(before["version"], after["version"])


def _change_of_scopes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Change | None:
    """Widened where any scope is new, whatever was given up for it.

    Scopes are compared as names: one that another contains (`orders.*`, `orders.read`) counts as new.
    """
    old, new = _scopes(before), _scopes(after)
    if old is None or new is None or old == new:
        return None
    return Change.NARROWED if new < old else Change.WIDENED


def _change_of_tools(before: Mapping[str, Any], after: Mapping[str, Any]) -> Change | None:
    """Narrowed where tools were removed and nothing else differs but the version of the set."""
    old, new = before.get("items") or [], after.get("items") or []
    others = {"version", "items"}
    is_same = {k: v for k, v in before.items() if k not in others} == {
        k: v for k, v in after.items() if k not in others
    }
    is_part = len(new) < len(old) and all(tool in old for tool in new)
    return Change.NARROWED if is_same and is_part else None


_BY_CONTENT: Final = {"permissions": _change_of_scopes, "tools": _change_of_tools}
"""Components of which the content says more than the version."""


def only_narrows(entries: Iterable[ComponentDiff]) -> bool:
    """Whether a bundle can do less than its parent, and differs in nothing else."""
    listed = tuple(entries)
    return bool(listed) and all(
        (entry.change is Change.NARROWED and entry.component in _BY_CONTENT)
        or (entry.component == "tools" and entry.change is Change.REMOVED)
        for entry in listed
    )


def _scopes(permissions: Mapping[str, Any]) -> frozenset[str] | None:
    """The scopes, or None if the content is held elsewhere or has another form."""
    content = permissions.get("content")
    scopes = content.get("scopes") if isinstance(content, Mapping) else None
    if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
        return None
    return frozenset(scopes)


def _change_of_version(before: str, after: str) -> Change:
    (old_major, old_minor), (major, minor) = _numbers(before), _numbers(after)
    if before == after:
        return Change.CONTENT_ONLY
    if old_major != major:
        return Change.MAJOR
    return Change.MINOR if old_minor != minor else Change.PATCH


def _numbers(version: str) -> tuple[str, str]:
    """Major and minor. Raises `ValueError` if it is not a semantic version."""
    match = _VERSION.fullmatch(version)
    if match is None:
        raise ValueError(f"{version}: is not a semantic version")
    return match[1], match[2]
