"""Mistakes in files and arguments of the commands, each reported by its place."""

from collections.abc import Sequence

from pydantic import ValidationError


class WrongUseError(Exception):
    """A file or an argument cannot be used; the text says which, where and why, and can be shown."""

    def __init__(self, text: str) -> None:
        super().__init__("\n".join(map(printable, text.split("\n"))))


def printable(text: str) -> str:
    """Text that cannot end its line, move the cursor of a terminal or fail to be encoded."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def problems(error: ValidationError, *root: str) -> list[str]:
    """Every field that is wrong, and how."""
    return [
        f"{place((*root, *detail['loc']))}: {detail['msg'].removeprefix('Value error, ')}"
        for detail in error.errors(include_url=False)
    ]


def place(path: Sequence[str | int]) -> str:
    """`phases[0].canary.bad`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
