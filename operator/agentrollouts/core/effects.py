"""What a decision does to objects, and what it says: values that the shell carries out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agentrollouts.api.reasons import Reason

Manifest = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an effect of an earlier decision could not be applied; an input of the next one."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Event:
    """A Kubernetes Event to be sent after the status was written.

    Its `reason` is also in the status, where it can be acted on.
    """

    reason: Reason
    message: str
    is_warning: bool = False


@dataclass(frozen=True, slots=True)
class Write:
    """One object to be applied by server-side apply, as `manager`."""

    manifest: Manifest
    manager: str
    is_known: bool = False
    """Whether it is known to be ours, so that nothing is read or compared before it is written."""


@dataclass(frozen=True, slots=True)
class Patch:
    """Single fields of an object that someone else owns; applied as a whole or not at all."""

    manifest: Manifest
    """Which object: apiVersion, kind, name and namespace."""
    operations: tuple[Mapping[str, Any], ...]
    """A JSON patch (RFC 6902)."""


@dataclass(frozen=True, slots=True)
class Deletion:
    """An object of ours that is no longer needed, in exactly the version that was seen."""

    manifest: Manifest


@dataclass(frozen=True, slots=True)
class Creation:
    """A new object, to be created by POST under its own name: the Job of a hook.

    One that exists already (409) with the same annotation `agentrollouts.dev/hook-key` counts as created; one
    with another annotation, or none, is a `Problem` with the reason NameTaken.
    """

    manifest: Manifest


Effect = Write | Patch | Deletion
"""What a decision does to an object; each names it by its `manifest`."""
