"""The ten parts of a bundle, as a user writes them in an AgentRelease.

Only their form: that a component has exactly one content, that a digest looks like one. What the contents
mean together is judged in `core.bundle`.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import ConfigDict, Field, WithJsonSchema

from agentrollouts.api.immutable import kept_order, kept_presence, together, unchanged
from agentrollouts.api.meta import ApiModel, Digest, ObjectName, SemVer, VersionRange, list_map

ComponentName = Literal[
    "prompt",
    "model",
    "config",
    "tools",
    "permissions",
    "knowledge",
    "memory",
    "guardrails",
    "routing",
    "runtime",
]
"""The name of a component, in the order in which people read them."""

COMPONENTS: Final[tuple[ComponentName, ...]] = get_args(ComponentName)
"""All ten names."""

FreeForm = Annotated[
    dict[str, Any],
    WithJsonSchema(
        {
            "type": "object",
            "maxProperties": 256,
            "additionalProperties": {"x-kubernetes-preserve-unknown-fields": True},
        }
    ),
]
"""Content whose shape is the agent's own business; its size is checked when the bundle is resolved.

A map of unknown values and not an unknown object, so that CEL and the API server's comparisons see the keys.
"""

_ONE_CONTENT: Final[dict[str, Any]] = {
    "oneOf": [{"required": ["inline"]}, {"required": ["configMapRef"]}, {"required": ["artifact"]}]
}
"""Exactly one content. Not a CEL rule, since CEL cannot see a field with values of unknown type."""

_CONTENT: Final = ("configMapRef", "artifact")
"""Where content can be, apart from `inline`."""


class ConfigMapRef(ApiModel):
    """A ConfigMap in the same namespace that holds a component's content."""

    name: ObjectName
    """Name of the ConfigMap. It is read once, when the release is materialised; its data becomes part of
    the digest."""


class Artifact(ApiModel):
    """Content that is too large to hold by value, pinned by its digest."""

    uri: Annotated[str, Field(min_length=1, max_length=1024)]
    """Where the content is, such as `s3://kb/2026-11-01`. The operator never fetches it; the agent does."""
    digest: Digest | None = None
    """`sha256:` and 64 hexadecimal digits over the content. Without it the release does not become Ready."""


class Component(ApiModel):
    """A versioned part of the bundle: prompt, config, permissions, knowledge, guardrails or routing."""

    model_config = ConfigDict(
        json_schema_extra=together(_ONE_CONTENT, unchanged("version", optional=_CONTENT))
    )

    version: SemVer
    """Semantic version of this component by itself. A new major version means breaking."""
    inline: FreeForm | None = None
    """Content, by value. Any JSON object; a field that is null is the same as no field. A file above 256 KiB
    must be applied with `kubectl apply --server-side`; a bundle can have 900 KiB."""
    config_map_ref: ConfigMapRef | None = None
    """Content, from a ConfigMap."""
    artifact: Artifact | None = None
    """Content, by pointer and digest."""


class ModelId(ApiModel):
    """A model of a provider."""

    provider: Annotated[str, Field(min_length=1, max_length=128)]
    """Who serves the model, such as `openai`."""
    name: Annotated[str, Field(min_length=1, max_length=256)]
    """Exact name of the model at its provider. Pin a dated version; a moving alias changes behaviour
    without a release."""


class ModelComponent(ModelId):
    """The language model that the agent calls."""

    model_config = ConfigDict(
        json_schema_extra=unchanged("version", "provider", "name", optional=("releaseDate", "fallbacks"))
    )

    version: SemVer
    """Semantic version of the choice of model."""
    release_date: date | None = None
    """The day on which the provider released this model, as `2026-08-01`."""
    fallbacks: Annotated[tuple[ModelId, ...], Field(max_length=8)] = ()
    """Models to use, in this order, when the first cannot be reached."""


class Tool(ApiModel):
    """A tool that the agent may call."""

    model_config = ConfigDict(json_schema_extra=unchanged("version", "externalAction"))

    name: Annotated[str, Field(max_length=128, pattern=r"^[A-Za-z0-9_.-]+$")]
    """Name by which the model calls it."""
    version: SemVer
    """Semantic version of the tool. A new parameter is a new version."""
    schema_: Annotated[FreeForm | None, Field(alias="schema")] = None
    """JSON Schema of the tool's arguments, as the model sees it."""
    external_action: bool = False
    """Whether a call changes something outside the agent, such as a refund or a message. Default false."""


class ToolsComponent(ApiModel):
    """The tools that the agent may call, and the prompts that know how to call them."""

    model_config = ConfigDict(
        json_schema_extra=together(
            unchanged("version", optional=("compatiblePrompt",)), kept_presence("items"), kept_order("items")
        )
    )

    version: SemVer
    """Semantic version of the set of tools."""
    compatible_prompt: VersionRange | None = None
    """Versions of the prompt that fit these tools, such as `>=3.0.0,<4.0.0`. By default any."""
    items: Annotated[tuple[Tool, ...], Field(max_length=128, json_schema_extra=list_map("name"))] = ()
    """The tools, in the order in which the model sees them; names are unique. At most 128."""


class MemorySnapshot(ApiModel):
    """Where the state of the agent's memory at release time is kept."""

    uri: Annotated[str, Field(min_length=1, max_length=1024)]
    """Where the snapshot is, such as `s3://mem/2026-11-20`. A record that the operator does not read."""


class MemoryComponent(Component):
    """Schema and settings of the agent's memory."""

    model_config = ConfigDict(
        json_schema_extra=together(_ONE_CONTENT, unchanged("version", optional=(*_CONTENT, "snapshot")))
    )

    snapshot: MemorySnapshot | None = None
    """State of the memory at the time of the release. A record: it is part of the digest and of the snapshot
    that agents read, and the operator neither takes nor restores it."""


class RuntimeComponent(ApiModel):
    """What the agent runs in."""

    model_config = ConfigDict(json_schema_extra=unchanged("version", "image"))

    version: SemVer
    """Semantic version of the runtime."""
    image: Annotated[str, Field(max_length=512, pattern=r"^[^\s]+$")]
    """Container image. Pin it by digest (`@sha256:...`); a tag can move."""
    inline: FreeForm | None = None
    """Runtime environment and feature flags. Any JSON object."""


class Components(ApiModel):
    """The parts of the bundle. Change one and the agent is another agent."""

    prompt: Component
    """System prompt, instructions, examples and formatting rules."""
    model: ModelComponent
    """The language model."""
    config: Component | None = None
    """Temperature, token limits, retrieval sizes and other parameters."""
    tools: ToolsComponent | None = None
    """Tools and their schemas."""
    permissions: Component | None = None
    """What the agent may do; rolled back together with the rest. Kept in `scopes`, it is compared with the
    parent's."""
    knowledge: Component | None = None
    """Documents and indexes for retrieval."""
    memory: MemoryComponent | None = None
    """Schema and settings of the memory."""
    guardrails: Component | None = None
    """Input filters, output validators, limits and approval thresholds."""
    routing: Component | None = None
    """Which task goes to which model or version."""
    runtime: RuntimeComponent | None = None
    """Container image and environment."""
