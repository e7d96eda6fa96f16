"""From a release to its bundle: every reference replaced by content, checked, and named by a digest.

Resolved until the snapshot is written, once in the life of most releases. The text of the bundle is what the
snapshot contains as `bundle.json` and what the digest is computed over, byte for byte: `sha256sum` of the one
proves the other.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from semantic_version import validate

from agentrollouts.api.reasons import Reason
from agentrollouts.api.recovery.tools import Tools
from agentrollouts.api.release import AgentRelease
from agentrollouts.core.release.canonical import canonical, rounded, without_nulls
from agentrollouts.core.release.checks import Refusal, find_refusals
from agentrollouts.core.release.content import ConfigMapData, ConfigMaps, present, referenced, resolved

MAX_BYTES: Final = 900 * 1024
"""Size of the largest bundle: the API server lets a ConfigMap have 1 MiB, metadata and managed fields
included."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """The resolved components of a release."""

    text: str
    """Canonical JSON (RFC 8785) of all components: `{"prompt": {"version": ..., "content": {...}}, ...}`.

    Fields that are null are left out, and integers are exact to 64 bits, whatever RFC 8785 says of them.

    It holds everything that decides behavior, and so neither the release's name nor who made or approved it.
    """
    digest: str
    """`sha256:` and 64 hexadecimal digits over `text`: the identity of this behavior."""
    component_digests: Mapping[str, str]
    """The same over the canonical JSON of each component by itself."""
    tools: Tools | None = None
    """The tools that it declares; None without the component `tools`: what the agent can do is unknown."""


def references(release: AgentRelease) -> tuple[str, ...]:
    """Names of the ConfigMaps that a release's content comes from, each once."""
    names = {referenced(component) for _, component in present(release.spec.components)}
    return tuple(sorted(name for name in names if name))


def resolve(release: AgentRelease, config_maps: ConfigMaps) -> Bundle | Refusal:
    """Resolve a release.

    Args:
        release: As returned by the API server, so that its form is right; the contents are checked here.
        config_maps: Those that `references` names.

    Returns:
        The bundle, or the first thing that is wrong with it.
    """
    return next(find_refusals(release, config_maps), None) or assemble(release, config_maps)


def assemble(release: AgentRelease, config_maps: ConfigMaps) -> Bundle | Refusal:
    """The bundle of a release of which nothing is refused but its size."""
    components = {
        name: resolved(component, config_maps) for name, component in present(release.spec.components)
    }
    texts = {name: canonical(component) for name, component in components.items()}
    text = canonical(components)
    if len(text) > MAX_BYTES:
        return _too_large(len(text), max(texts, key=lambda name: len(texts[name])))
    digests = {name: digest_of(part) for name, part in texts.items()}
    return Bundle(text.decode(), digest_of(text), digests, declared(components))


def read_bundle(text: str) -> Bundle:
    """The bundle that a snapshot holds.

    Args:
        text: Of a bundle that `resolve` made.
    """
    components = json.loads(text)
    digests = {name: digest_of(canonical(component)) for name, component in components.items()}
    return Bundle(text, digest_of(text.encode()), digests, declared(components))


def declared(components: Mapping[str, Mapping[str, Any]]) -> Tools | None:
    """The tools of resolved components, and whether each acts on the world; None if that is unknown."""
    tools = components.get("tools")
    if tools is None:
        return None
    return {tool["name"]: tool.get("externalAction") is True for tool in tools.get("items", ())}


def config_maps_of(release: AgentRelease, text: str) -> ConfigMaps:
    """The content of the ConfigMaps that a release refers to, as its bundle holds it."""
    kept = json.loads(text)
    return {
        name: ConfigMapData(kept.get(part, {}).get("content", {}))
        for part, component in present(release.spec.components)
        if (name := referenced(component))
    }


def edited(release: AgentRelease, text: str) -> str | None:
    """The name of the first component that no longer is what the snapshot holds; None if there is none.

    The API server refuses every change but those of free-form content, into which it cannot look. Content of
    a ConfigMap is not compared: it is read once, and may differ by now. Integers are compared as doubles:
    kubectl rounds those above 2^53 when it applies an unchanged file client-side once more.

    Args:
        release: as returned by the API server.
        text: `bundle.json` of the snapshot that was made of it.
    """
    kept = without_nulls(json.loads(text))
    current = dict(present(release.spec.components))
    for name in dict.fromkeys((*kept, *current)):
        component = current.get(name)
        before = dict(kept.get(name, {}))
        if component is not None and referenced(component):
            before.pop("content", None)
        if component is None or canonical(rounded(resolved(component, {}))) != canonical(rounded(before)):
            return str(name)
    return None


def is_bundle(text: str) -> bool:
    """Whether a text that anybody may have written has the form of a bundle."""
    try:
        components = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(components, dict) and all(
        isinstance(part, dict) and validate(str(part.get("version"))) for part in components.values()
    )


def digest_of(text: bytes) -> str:
    """`sha256:` and 64 hexadecimal digits."""
    return f"sha256:{hashlib.sha256(text).hexdigest()}"


def _too_large(size: int, largest: str) -> Refusal:
    path = f"spec.components.{largest}"
    advice = f"use an artifact for {path}, its largest part"
    applying = "a file above 256 KiB needs kubectl apply --server-side"
    message = f"The bundle has {size:,} bytes, and the limit is {MAX_BYTES:,}; {advice} ({applying})"
    return Refusal(Reason.TOO_LARGE, path, message)
