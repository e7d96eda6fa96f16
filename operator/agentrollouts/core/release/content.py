"""The ten components of a release and every value in them: where content comes from, and how it is read."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from agentrollouts.api.components import (
    COMPONENTS,
    Component,
    Components,
    ModelComponent,
    RuntimeComponent,
    ToolsComponent,
)
from agentrollouts.core.release.canonical import without_nulls

MAX_DEPTH: Final = 64
"""Levels of nesting that content may have. What lies deeper is not opened; the caller refuses it."""


_PLAIN_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_KEY_LENGTH: Final = 256
"""Characters of a key that a path shows: every field below it has the key in its path."""
_NAMES: Final = ("name", "key", "header", "variable", "id", "title")
_VALUES: Final = frozenset({"value", "val", "default", "content", "const"})
"""Fields of a pair of a name and a value, as in an `env` list."""
_OF_SCHEMA: Final = frozenset({"default", "const", "enum", "example", "examples"})
"""Values in a JSON schema, whose name is that of the property."""
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_. -]{0,63}")
_PAIR: Final = 2
"""Texts in a list of lists that are a name and a value, as in a list of headers."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value that holds no others, or a container that lies too deep to be opened."""

    path: str
    """Where it stands, `spec.components.tools.items[0].name`; a key with unusual characters as `["a.b"]`."""
    key: str
    """The nearest name above it; a list's items have the name of the list, and in `{name: TOKEN, value: ...}`
    the value has that name."""
    value: object


def child_path(path: str, key: str) -> str:
    """The path of a field below `path`, written so that it can be read back without doubt.

    A key that is longer than any name is cut: paths are repeated for each field, and must stay short.
    """
    key = key if len(key) <= _KEY_LENGTH else f"{key[:_KEY_LENGTH]}…"
    return f"{path}.{key}" if _PLAIN_KEY.fullmatch(key) else f"{path}[{json.dumps(key)}]"


def leaves(value: object, path: str, key: str = "") -> Iterator[Leaf]:
    """Walk `value` in document order."""
    stack: list[tuple[Leaf, int]] = [(Leaf(path, key, value), 0)]
    while stack:
        leaf, depth = stack.pop()
        children = _children(leaf) if depth < MAX_DEPTH else []
        if children:
            stack.extend((child, depth + 1) for child in reversed(children))
        else:
            yield leaf


def keys(value: object) -> Iterator[str]:
    """All keys of all maps in `value`, as deep as `leaves` goes."""
    stack: list[tuple[object, int]] = [(value, 0)]
    while stack:
        node, depth = stack.pop()
        if depth < MAX_DEPTH and isinstance(node, Mapping):
            yield from node
            stack.extend((child, depth + 1) for child in node.values())
        elif depth < MAX_DEPTH and isinstance(node, list | tuple):
            stack.extend((child, depth + 1) for child in node)


def _children(parent: Leaf) -> list[Leaf]:
    if isinstance(parent.value, Mapping):
        named = next((name for key in _NAMES if _is_name(name := parent.value.get(key))), None)
        return [
            Leaf(child_path(parent.path, key), _name_of(key, named, parent.key), value)
            for key, value in parent.value.items()
        ]
    if isinstance(parent.value, list | tuple):
        items = parent.value
        is_pair = parent.path.endswith("]") and len(items) == _PAIR and _is_name(items[0])
        return [
            Leaf(f"{parent.path}[{index}]", items[0] if is_pair and index else parent.key, value)
            for index, value in enumerate(items)
        ]
    return []


def _is_name(value: object) -> bool:
    """Whether a value can be the name of another one; messages repeat it, so it is not any text."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _name_of(key: str, named: str | None, parent: str) -> str:
    """What a field is called: by the name in its pair, by the property of its schema, or by itself."""
    if named and key in _VALUES:
        return named
    return parent if key in _OF_SCHEMA else key


AnyComponent = Component | ModelComponent | ToolsComponent | RuntimeComponent


@dataclass(frozen=True, slots=True)
class ConfigMapData:
    """What a ConfigMap holds."""

    data: Mapping[str, str]
    binary_keys: tuple[str, ...] = ()
    """Names of its `binaryData`, which a bundle cannot hold: it is JSON that people read and compare."""


ConfigMaps = Mapping[str, ConfigMapData | None]
"""The ConfigMaps of a namespace by name; None, or no entry, for one that does not exist."""


def present(components: Components) -> Iterator[tuple[str, AnyComponent]]:
    """The components that a release has, with their names, in the order in which people read them."""
    for name in COMPONENTS:
        component = getattr(components, name)
        if component is not None:
            yield name, component


def referenced(component: AnyComponent) -> str | None:
    """Name of the ConfigMap that holds a component's content."""
    reference = component.config_map_ref if isinstance(component, Component) else None
    return reference.name if reference else None


def content(component: AnyComponent, config_maps: ConfigMaps) -> Mapping[str, Any] | None:
    """What a component holds by value; None for an artifact, and where its ConfigMap is missing."""
    source = referenced(component)
    if source is not None:
        config_map = config_maps.get(source)
        return dict(config_map.data) if config_map else None
    return None if isinstance(component, ModelComponent | ToolsComponent) else component.inline


def parts(components: Components, config_maps: ConfigMaps) -> Iterator[Leaf]:
    """All values of all components, cut into pieces that each have a field path of their own.

    Free-form content comes as it is and not through pydantic, which refuses to copy it when it is nested
    too deep.
    """
    for name, component in present(components):
        path = f"spec.components.{name}"
        yield Leaf(path, name, _plain_fields(component))
        inside = content(component, config_maps)
        if inside is not None:
            yield Leaf(f"{path}.{'configMapRef' if referenced(component) else 'inline'}", name, inside)
        if isinstance(component, ToolsComponent):
            for index, tool in enumerate(component.items):
                yield Leaf(f"{path}.items[{index}].schema", "schema", tool.schema_)


def resolved(component: AnyComponent, config_maps: ConfigMaps) -> dict[str, Any]:
    """A component as it is in the bundle: its fields, and under `content` its content by value.

    Fields that equal their default are left out, so that a field which a later version adds changes no
    digest. So are fields of content that are null, since not every way to apply a file keeps them.
    """
    fields = component.model_dump(
        mode="json", by_alias=True, exclude_defaults=True, exclude={"inline", "config_map_ref"}
    )
    inside = content(component, config_maps)
    whole = fields if inside is None else fields | {"content": inside}
    return dict(without_nulls(whole))


def _plain_fields(component: AnyComponent) -> dict[str, Any]:
    """The fields whose form the schema bounds."""
    free_form: dict[str, Any] = {
        "inline": True,
        "config_map_ref": True,
        "items": {"__all__": {"schema_"}},
    }
    return component.model_dump(mode="json", by_alias=True, exclude=free_form)
