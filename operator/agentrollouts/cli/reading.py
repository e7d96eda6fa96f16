"""What the commands read: YAML files of objects, and every mistake in them told by its place."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError


class WrongUseError(Exception):
    """A file or an argument cannot be used; the text says which, where and why."""


def read_yaml(name: str) -> list[Any]:
    """The documents of a file, or of standard input for `-`, without empty ones. Raises `WrongUseError`."""
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
        return [each for each in yaml.safe_load_all(text) if each is not None]
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise WrongUseError(f"{name}: cannot be read: {error}") from None


def problems(error: ValidationError, *root: str) -> list[str]:
    """Every field that is wrong, and how."""
    return [
        f"{_path((*root, *detail['loc']))}: {detail['msg'].removeprefix('Value error, ')}"
        for detail in error.errors(include_url=False)
    ]


def _path(place: Sequence[str | int]) -> str:
    """`phases[0].canary.bad`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")
