"""From the components of a bundle to the few values that the agent's loop works with.

The library has verified the bundle by then. One that this agent cannot serve is refused here, at the start of
the process, with the path of what is wrong.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import yaml

from sandbox.agent.model import MODELS
from sandbox.agent.schema import unknown_keywords
from sandbox.agent.tools import SERVED, Tool

_DEFAULT_MAX_TOKENS = 1200


class BundleError(Exception):
    """The bundle cannot be fetched or served; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Approval:
    """When a tool that acts outside may be called without a person: the guardrail of one tool."""

    window_days: int
    """Older orders are turned down."""
    up_to_usd: float
    """Dearer orders go to a person."""


@dataclass(frozen=True, slots=True)
class Behavior:
    """What makes this agent behave as it does."""

    system: str
    """The system prompt with the examples that follow it."""
    model: str
    max_tokens: int
    tools: Mapping[str, Tool]
    scopes: frozenset[str] | None
    """Permissions; None if the bundle has no such component, so that nothing is restricted."""
    approvals: Mapping[str, Approval]
    """By tool; a tool without an entry needs nobody's approval."""


def read_behavior(components: Mapping[str, Any]) -> Behavior:
    """Find what the loop needs.

    Raises:
        BundleError: The bundle lacks the prompt or the model, or names a model, a tool or a schema keyword
            that this agent does not have.
    """
    prompt, config = _content(components, "prompt"), _content(components, "config")
    scopes = _structured(_content(components, "permissions").get("scopes"))
    return Behavior(
        system="\n".join(
            [_text(prompt, "prompt.system"), *map(str, _structured(prompt.get("examples")) or ())]
        ),
        model=_model(components),
        max_tokens=int(config.get("maxTokens", _DEFAULT_MAX_TOKENS)),
        tools=MappingProxyType({tool.name: tool for tool in map(_tool, _items(components))}),
        scopes=None if scopes is None else frozenset(scopes),
        approvals=MappingProxyType(_approvals(components)),
    )


def _content(components: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return what a component holds by value; empty for an absent one, or one that is held elsewhere."""
    content = components.get(name, {}).get("content", {})
    if not isinstance(content, dict):
        raise BundleError(f"{name}: content must be an object")
    return content


def _structured(value: object) -> Any:  # noqa: ANN401  what YAML says
    """Return a value that a component holds; a component from a ConfigMap holds it as a text of YAML.

    Raises:
        BundleError: The text is no YAML.
    """
    try:
        return yaml.safe_load(value) if isinstance(value, str) else value
    except yaml.YAMLError as error:
        raise BundleError(f"a component from a ConfigMap holds a text that is not YAML: {error}") from error


def _text(content: Mapping[str, Any], path: str) -> str:
    text = content.get(path.rpartition(".")[2])
    if not isinstance(text, str) or not text.strip():
        raise BundleError(f"{path} must be a text that is not empty")
    return text


def _model(components: Mapping[str, Any]) -> str:
    name = _text(components.get("model", {}), "model.name")
    if name not in MODELS:
        raise BundleError(f"model.name: there is no model {name}; there are {', '.join(sorted(MODELS))}")
    return name


def _items(components: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(components.get("tools", {}).get("items", ()))


def _tool(item: Mapping[str, Any]) -> Tool:
    name, schema = _text(item, "tools.items.name"), item.get("schema", {})
    if name not in SERVED:
        raise BundleError(f"tools: the shop has no {name}; it has {', '.join(sorted(SERVED))}")
    if unknown := unknown_keywords(schema):
        raise BundleError(f"tools: the schema of {name} cannot be checked at {', '.join(unknown)}")
    return Tool(name, schema, acts_outside=bool(item.get("externalAction", False)))


def _approvals(components: Mapping[str, Any]) -> dict[str, Approval]:
    approvals = _structured(_content(components, "guardrails").get("approvals")) or {}
    try:
        return {tool: Approval(int(a["windowDays"]), float(a["upToUsd"])) for tool, a in approvals.items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BundleError("guardrails: each of approvals needs the numbers windowDays and upToUsd") from error
