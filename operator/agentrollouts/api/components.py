"""The ten parts of a bundle, as a user writes them in an AgentRelease.

Only their form is checked here: a component has exactly one content, and a digest has the right form. The
decision checks whether the contents fit together.
"""

from datetime import date
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import ConfigDict, Field, WithJsonSchema

from agentrollouts.api.model.base import ApiModel, Digest, ObjectName, SemVer, VersionRange
from agentrollouts.api.model.immutable import kept_order, kept_presence, together, unchanged
from agentrollouts.api.model.marks import list_map

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
"""The name of a component, in the order in which they are shown."""

COMPONENTS: Final[tuple[ComponentName, ...]] = get_args(ComponentName)
"""All ten names."""

MAX_TOOLS: Final = 128
"""Tools of one bundle."""
ToolName = Annotated[str, Field(max_length=128, pattern=r"^[A-Za-z0-9_.-]+$")]
"""The name of a tool."""

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
"""Content of any shape. Its size is checked when the bundle is resolved.

A map of unknown values and not an unknown object, so that CEL and the API server's comparisons see the keys.
"""

_ONE_CONTENT: Final[dict[str, Any]] = {
    "oneOf": [{"required": ["inline"]}, {"required": ["configMapRef"]}, {"required": ["artifact"]}]
}
"""Exactly one content. Not a CEL rule, since CEL cannot see a field with values of unknown type."""

_CONTENT: Final = ("configMapRef", "artifact")
"""The fields that can hold content, apart from `inline`."""


class ConfigMapRef(ApiModel):
    """A ConfigMap in the same namespace that contains the content of a component."""

    name: ObjectName
    """Name of the ConfigMap. It is read once, when the release is materialized. Its data becomes part of the
    digest."""


class Artifact(ApiModel):
    """Content that is too large to include by value, pinned by its digest."""

    uri: Annotated[str, Field(min_length=1, max_length=1024)]
    """Location of the content, such as `s3://kb/2026-11-01`. The agent fetches it; the operator does not."""
    digest: Digest | None = None
    """Digest of the content: `sha256:` and 64 hexadecimal digits. Without it, the release does not become
    Ready."""


class Component(ApiModel):
    """A versioned part of the bundle: prompt, config, permissions, knowledge, guardrails or routing."""

    model_config = ConfigDict(
        json_schema_extra=together(_ONE_CONTENT, unchanged("version", optional=_CONTENT))
    )

    version: SemVer
    """Semantic version of this component. A new major version means a breaking change."""
    inline: FreeForm | None = None
    """Content by value: any JSON object. A field that is null counts as absent. Use `kubectl apply
    --server-side` for a file above 256 KiB. A bundle can have 900 KiB."""
    config_map_ref: ConfigMapRef | None = None
    """Content from a ConfigMap."""
    artifact: Artifact | None = None
    """Content by location and digest."""


class ModelId(ApiModel):
    """A model of a provider."""

    provider: Annotated[str, Field(min_length=1, max_length=128)]
    """Provider that serves the model, such as `openai`."""
    name: Annotated[str, Field(min_length=1, max_length=256)]
    """Exact name of the model at its provider. Pin a dated version, since an alias can change the behavior
    without a release."""


class ModelComponent(ModelId):
    """The language model that the agent calls."""

    model_config = ConfigDict(
        json_schema_extra=unchanged("version", "provider", "name", optional=("releaseDate", "fallbacks"))
    )

    version: SemVer
    """Semantic version of the choice of model."""
    release_date: date | None = None
    """Date on which the provider released this model, such as `2026-08-01`."""
    fallbacks: Annotated[tuple[ModelId, ...], Field(max_length=8)] = ()
    """Models to use, in this order, if the first cannot be reached. At most 8."""


class Tool(ApiModel):
    """A tool that the agent can call."""

    model_config = ConfigDict(json_schema_extra=unchanged("version", "externalAction"))

    name: ToolName
    """Name by which the model calls it."""
    version: SemVer
    """Semantic version of the tool. A new parameter is a new version."""
    schema_: Annotated[FreeForm | None, Field(alias="schema")] = None
    """JSON Schema of the tool's arguments, as the model sees it."""
    external_action: bool = False
    """Whether a call has an effect outside the agent, such as a refund or a message. `status.externalActions`
    lists these tools. Defaults to false."""


class ToolsComponent(ApiModel):
    """The tools that the agent can call, and the prompts that fit them."""

    model_config = ConfigDict(
        json_schema_extra=together(
            unchanged("version", optional=("compatiblePrompt",)), kept_presence("items"), kept_order("items")
        )
    )

    version: SemVer
    """Semantic version of the set of tools."""
    compatible_prompt: VersionRange | None = None
    """Versions of the prompt that fit these tools, such as `>=3.0.0,<4.0.0`. Defaults to any version."""
    items: Annotated[tuple[Tool, ...], Field(max_length=MAX_TOOLS, json_schema_extra=list_map("name"))] = ()
    """Tools, in the order in which the model sees them. Names are unique. At most 128."""


class MemorySnapshot(ApiModel):
    """The location of the agent's memory as it was at release time."""

    uri: Annotated[str, Field(min_length=1, max_length=1024)]
    """Location of the snapshot, such as `s3://mem/2026-11-20`. A record that the operator does not read."""


class MemoryComponent(Component):
    """Schema and settings of the agent's memory."""

    model_config = ConfigDict(
        json_schema_extra=together(_ONE_CONTENT, unchanged("version", optional=(*_CONTENT, "snapshot")))
    )

    snapshot: MemorySnapshot | None = None
    """State of the memory at release time. A record: it is part of the digest and of the snapshot that agents
    read, but the operator neither takes nor restores it."""


class RuntimeComponent(ApiModel):
    """The environment in which the agent runs."""

    model_config = ConfigDict(json_schema_extra=unchanged("version", "image"))

    version: SemVer
    """Semantic version of the runtime."""
    image: Annotated[str, Field(max_length=512, pattern=r"^[^\s]+$")]
    """Container image. Pin it by digest (`@sha256:...`); a tag can move."""
    inline: FreeForm | None = None
    """Runtime environment and feature flags. Any JSON object."""


class Components(ApiModel):
    """The parts of the bundle. A change of one part changes the agent."""

    prompt: Component
    """System prompt, instructions, examples and formatting rules."""
    model: ModelComponent
    """The language model."""
    config: Component | None = None
    """Temperature, token limits, retrieval sizes and other parameters."""
    tools: ToolsComponent | None = None
    """Tools and their schemas."""
    permissions: Component | None = None
    """Permissions of the agent, rolled back together with the rest. If they are in `scopes`, `status.diff`
    compares them with those of the parent."""
    knowledge: Component | None = None
    """Documents and indexes for retrieval."""
    memory: MemoryComponent | None = None
    """Schema and settings of the memory."""
    guardrails: Component | None = None
    """Input filters, output validators, limits and approval thresholds."""
    routing: Component | None = None
    """Assignment of tasks to models or versions."""
    runtime: RuntimeComponent | None = None
    """Container image and environment."""
