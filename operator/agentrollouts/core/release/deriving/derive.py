"""From a base and parts of other releases to a whole AgentRelease, and how it differs from its base.

`agentrollouts derive` prints it. Nothing is written to a cluster.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from agentrollouts.api.components import COMPONENTS
from agentrollouts.api.model.versions import version_of
from agentrollouts.api.names import API_VERSION
from agentrollouts.api.reasons import Reason
from agentrollouts.api.release import AgentRelease, ComponentDiff
from agentrollouts.core.effects import Manifest
from agentrollouts.core.release.bundle import Bundle, references, resolve
from agentrollouts.core.release.checks import ANNOTATION_ALLOW, Refusal
from agentrollouts.core.release.content import ConfigMapData, ConfigMaps
from agentrollouts.core.release.deriving.origin import Origin, Part
from agentrollouts.core.release.deriving.workload import renamed
from agentrollouts.core.release.diff import diff

DESCRIPTION_LENGTH: Final = 1024
"""Characters of `spec.description`."""
MODEL: Final = "model"
_VERSION: Final = ".version"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a release is derived from."""

    base: Origin
    name: str
    version: str
    takes: Mapping[str, Origin]
    """By component: the release that it is taken from."""
    settings: Mapping[str, str]
    """`model`, as `provider/name`, or the version of a component, as `prompt.version`."""
    namespace: str | None = None
    service: str | None = None
    """Name of the Service; None to follow that of the base."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """The new release."""

    manifest: Manifest
    diff: tuple[ComponentDiff, ...]
    """How it differs from its base."""
    digest: str | None
    """None if a ConfigMap that it refers to is not at hand."""
    base_digest: str | None
    """That of the base, with the same exception."""
    equal: str | None = None
    """A release that it takes parts from and that has the same digest."""
    has_shared_service: bool = False
    """Whether it names the Service of its base, since that name does not follow from the release's."""


def derive(recipe: Recipe, config_maps: ConfigMaps) -> Derived | Refusal:
    """Derive a release.

    Args:
        recipe: What to derive it from.
        config_maps: Those that its components refer to. One that is missing is taken to exist.

    Returns:
        The release, or the first thing that is wrong: `path` names the option.
    """
    refusal = next(_refusals(recipe), None)
    if refusal is not None:
        return refusal
    parts = _parts(recipe)
    if isinstance(parts, Refusal):
        return parts
    manifest = _manifest(recipe, parts)
    derived = AgentRelease.model_validate(manifest)
    base_release = AgentRelease.model_validate(_base_manifest(recipe.base))
    before = _resolved(base_release, config_maps)
    if isinstance(before, Refusal):
        return Refusal(before.reason, f"BASE: {recipe.base.name}", before.message)
    after = _resolved(derived, config_maps)
    if isinstance(after, Refusal):
        return after
    if before.digest == after.digest:
        names = ", ".join(dict.fromkeys((*recipe.takes, *recipe.settings)))
        return _refused("--take", f"nothing changes: {names} is as in {recipe.base.name} already")
    is_known, is_base_known = (
        all(name in config_maps for name in references(each)) for each in (derived, base_release)
    )
    return Derived(
        manifest=manifest,
        diff=diff(before.text, after.text),
        digest=after.digest if is_known else None,
        base_digest=before.digest if is_base_known else None,
        equal=_equal(recipe, after, config_maps) if is_known else None,
        has_shared_service=_shares_service(recipe, manifest),
    )


def _refusals(recipe: Recipe) -> Iterator[Refusal]:
    base, version = recipe.base, recipe.version
    if version_of(version) is None:
        yield _refused("--version", "is not a semantic version; write it as 4.2.2 or 4.2.2-rc.1")
    for name, origin in recipe.takes.items():
        if name not in COMPONENTS:
            yield _refused("--take", f"{name} is not a component; name one of {', '.join(COMPONENTS)}")
        if origin.agent != base.agent:
            problem = f"{origin.name} is of agent {origin.agent}, but {base.name} is of {base.agent}"
            yield _refused("--take", f"{problem}; take it from a release of {base.agent}")
    if not recipe.takes and not recipe.settings:
        yield _refused("--take", "is missing; name a component and a release, as prompt=support-agent-4.1.0")


def _parts(recipe: Recipe) -> dict[str, Part] | Refusal:
    """The components of the new release, in the order in which people read them."""
    parts = dict(recipe.base.parts)
    for name, origin in recipe.takes.items():
        if name in origin.parts:
            parts[name] = origin.parts[name]
        elif parts.pop(name, None) is None:
            return _refused("--take", f"neither {origin.name} nor {recipe.base.name} has {name}")
    for key, value in recipe.settings.items():
        changed = _set(parts, key, value, has_version=f"{MODEL}{_VERSION}" in recipe.settings)
        if isinstance(changed, Refusal):
            return changed
        parts |= changed
    return {name: parts[name] for name in COMPONENTS if name in parts}


def _set(parts: Mapping[str, Part], key: str, value: str, *, has_version: bool) -> dict[str, Part] | Refusal:
    """The one component that a setting changes."""
    name = key.removesuffix(_VERSION)
    if key == MODEL:
        provider, _, model = value.partition("/")
        if not provider or not model:
            return _refused("--set", f"{key}: must be a provider and a name, such as openai/gpt-x-2026-08-01")
        fields = {field: each for field, each in parts[MODEL].items() if field != "releaseDate"}
        version = version_of(str(fields.get("version")))
        bumped = {} if has_version or version is None else {"version": str(version.next_minor())}
        return {MODEL: {**fields, "provider": provider, "name": model, **bumped}}
    if name == key or name not in COMPONENTS:
        return _refused("--set", f"{key} cannot be set; use model, or a version such as prompt.version")
    if name not in parts:
        return _refused("--set", f"{key}: the release has no {name}")
    if version_of(value) is None:
        return _refused("--set", f"{key}: is not a semantic version; write it as 3.2.1")
    return {name: {**parts[name], "version": value}}


def _manifest(recipe: Recipe, parts: Mapping[str, Part]) -> Manifest:
    """The release as a user would write it. Approvals and the commit of the base were not about it."""
    base, spec = recipe.base, recipe.base.spec
    metadata: dict[str, Any] = {"name": recipe.name}
    if recipe.namespace:
        metadata["namespace"] = recipe.namespace
    if allowed := _allowed(recipe):
        metadata["annotations"] = {ANNOTATION_ALLOW: ",".join(allowed)}
    written: dict[str, Any] = {
        "agent": base.agent,
        "version": recipe.version,
        "parent": {"name": base.name},
        "description": _description(recipe, parts),
    }
    written |= {key: spec[key] for key in ("riskTier", "requires") if spec.get(key)}
    written["components"] = dict(parts)
    if serving := _serving(recipe):
        written["serving"] = serving
    return {"apiVersion": API_VERSION, "kind": "AgentRelease", "metadata": metadata, "spec": written}


def _allowed(recipe: Recipe) -> tuple[str, ...]:
    """The paths that may look like credentials, of each component from the release that it is taken from."""
    paths = [path for path in recipe.base.allowed if _component_of(path) not in recipe.takes]
    paths += [
        path
        for name, origin in recipe.takes.items()
        for path in origin.allowed
        if _component_of(path) == name
    ]
    return tuple(dict.fromkeys(paths))


def _component_of(path: str) -> str:
    return path.removeprefix("spec.components.").partition(".")[0].partition("[")[0]


def _description(recipe: Recipe, parts: Mapping[str, Part]) -> str:
    """What is where in the new release."""
    base, changes = recipe.base, list[str]()
    for name, origin in recipe.takes.items():
        old, new = (each.get(name, {}).get("version") for each in (base.parts, parts))
        instead = f" instead of {old}" if old else ""
        changes.append(f"{name} {new} of {origin.name}{instead}" if new else f"no {name}, as {origin.name}")
    changes += [f"{key} {value}" for key, value in recipe.settings.items()]
    text = f"Derived from {base.name}: {', '.join(changes)}"
    return text if len(text) <= DESCRIPTION_LENGTH else f"{text[: DESCRIPTION_LENGTH - 3]}..."


def _serving(recipe: Recipe) -> Mapping[str, Any] | None:
    """A Service of its own: two releases with one Service cannot be distinguished by a route."""
    serving = recipe.base.spec.get("serving")
    if not serving:
        return None
    service = serving["service"]
    return {"service": {**service, "name": recipe.service or _renamed(recipe, service["name"])}}


def _renamed(recipe: Recipe, service: str) -> str:
    """The name of the base's Service with the new name, or the new version, in the place of the old one."""
    base = recipe.base
    return renamed(service, (base.name, recipe.name), (base.version, recipe.version))


def _shares_service(recipe: Recipe, manifest: Manifest) -> bool:
    serving = recipe.base.spec.get("serving")
    return bool(serving) and manifest["spec"].get("serving") == serving


def _base_manifest(origin: Origin) -> Manifest:
    """The base, for its digest."""
    metadata: dict[str, Any] = {"name": origin.name}
    if origin.allowed:
        metadata["annotations"] = {ANNOTATION_ALLOW: ",".join(origin.allowed)}
    spec = {"agent": origin.agent, "version": origin.version, "components": dict(origin.parts)}
    return {"metadata": metadata, "spec": spec}


def _resolved(release: AgentRelease, config_maps: ConfigMaps) -> Bundle | Refusal:
    """The bundle, with the name of each missing ConfigMap in the place of its content."""
    assumed = {name: ConfigMapData({"configMapRef": name}) for name in references(release)}
    return resolve(release, {**assumed, **config_maps})


def _equal(recipe: Recipe, bundle: Bundle, config_maps: ConfigMaps) -> str | None:
    for origin in recipe.takes.values():
        other = _resolved(AgentRelease.model_validate(_base_manifest(origin)), config_maps)
        if isinstance(other, Bundle) and other.digest == bundle.digest:
            return origin.name
    return None


def _refused(option: str, problem: str) -> Refusal:
    return Refusal(Reason.INVALID_SPEC, option, problem)
