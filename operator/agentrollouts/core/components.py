"""The components of a release, as they are read by whoever turns them into a bundle.

Under `bundle` and `refusals`: which components there are, where their content comes from, and the content
itself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agentrollouts.api.release import (
    COMPONENTS,
    Component,
    Components,
    ModelComponent,
    RuntimeComponent,
    ToolsComponent,
)
from agentrollouts.core.canonical import without_nulls
from agentrollouts.core.leaves import Leaf

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
        found = config_maps.get(source)
        return dict(found.data) if found else None
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
    """A component as it stands in the bundle: its fields, and under `content` what it holds by value.

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
