"""What a command prints beside the screens: objects, lines of progress, and tables."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from agentrollouts.insight.view.acting.command import PROGRAM, repeating
from agentrollouts.plugin.kubectl import Manifest
from agentrollouts.plugin.screens.terminal import Row, console, has_utf8, plain, show


def document(value: object, form: str) -> str:
    """A value as JSON or as YAML; what cannot be written as it is has an escape sequence."""
    if form == "yaml":
        return as_yaml(value)
    return json.dumps(value, indent=2, ensure_ascii=not has_utf8(console())) + "\n"


def as_yaml(value: object) -> str:
    """A value as YAML, its fields in their order."""
    import yaml  # noqa: PLC0415 slow, and rarely needed

    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=has_utf8(console())))


def object_as(manifest: Mapping[str, Any], form: str) -> str:
    """An object, or its kind and name as kubectl prints them."""
    if form != "name":
        return document(manifest, form)
    group = manifest["apiVersion"].partition("/")[0]
    return f"{manifest['kind'].lower()}.{group}/{manifest['metadata']['name']}\n"


def line(sentence: str) -> None:
    """Print a sentence."""
    show([Row(Text(plain(sentence)))], console())


def step(seconds: float, sentence: str) -> None:
    """Print something that was observed, and when."""
    show([Row(Text(plain(sentence)), (Text(f"{seconds:6.2f} s  "),))], console())


def verifying(rollout: Manifest, flags: Sequence[str]) -> None:
    """Print how to see whether a rollback helped."""
    verify = ((rollout.get("spec") or {}).get("rollback") or {}).get("verify") or {}
    metadata = rollout["metadata"]
    status = f"{PROGRAM} status {metadata['name']} -n {metadata['namespace']} -w"
    within = verify.get("withinSeconds", 120)
    line(f"The operator verifies for {within} s whether this helped: {repeating(status, flags)}")
