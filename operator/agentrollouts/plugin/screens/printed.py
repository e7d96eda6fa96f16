"""What a command prints beside the screens: objects, lines of progress, and tables."""

import json
from collections.abc import Mapping
from typing import Any

from rich.text import Text

from agentrollouts.plugin.kubectl import Manifest
from agentrollouts.plugin.screens.terminal import Row, console, plain, show


def document(value: object, form: str) -> str:
    """A value as JSON or as YAML."""
    return as_yaml(value) if form == "yaml" else json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def as_yaml(value: object) -> str:
    """A value as YAML, its fields in their order."""
    import yaml  # noqa: PLC0415 slow, and rarely needed

    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True))


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


def verifying(rollout: Manifest) -> None:
    """Print how to see whether a rollback helped."""
    verify = ((rollout.get("spec") or {}).get("rollback") or {}).get("verify") or {}
    metadata = rollout["metadata"]
    command = f"kubectl agentrollout status {metadata['name']} -n {metadata['namespace']} -w"
    within = verify.get("withinSeconds", 120)
    line(f"The operator verifies for {within} s whether this helped: {command}")
