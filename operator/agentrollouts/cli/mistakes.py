"""Mistakes in files and arguments of the commands, each reported by its place."""

from collections.abc import Sequence

from pydantic import ValidationError


class WrongUseError(Exception):
    """A file or an argument cannot be used; the text says which, where and why."""


def problems(error: ValidationError, *root: str) -> list[str]:
    """Every field that is wrong, and how."""
    return [
        f"{place((*root, *detail['loc']))}: {detail['msg'].removeprefix('Value error, ')}"
        for detail in error.errors(include_url=False)
    ]


def place(path: Sequence[str | int]) -> str:
    """`phases[0].canary.bad`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
