"""Reads the settings file, and watches it.

`main` loads it before anything else and exits with 2 and the text of `SettingsError` if it cannot; from
then on a `Watcher` looks at the file, and a wrong one changes nothing.
"""

import asyncio
import difflib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Final, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from agentrollouts.settings.settings import Settings


class SettingsError(Exception):
    """The settings cannot be used; the text names every problem, where it is and what to do."""


def load(path: Path) -> Settings:
    """Read the settings.

    Raises:
        SettingsError: the file is missing, empty, not YAML, or breaks a rule.
    """
    return _parse(path, _read(path))


class Watcher:
    """The settings as last found good, and the file that they came from.

    The content is compared, not its time: the files of a mounted ConfigMap are swapped through a symlink.

    Raises:
        SettingsError: from the constructor, when the file is wrong at the start.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: str | SettingsError = _read(path)
        self.settings = _parse(path, self._seen)

    def look(self) -> Settings | SettingsError | None:
        """Read the file once: None if nothing is new, else the new settings, or why the old ones stay."""
        try:
            text = _read(self._path)
        except SettingsError as error:
            return self._remember(error) if str(error) != str(self._seen) else None
        if text == self._seen:
            return None
        self._seen = text
        try:
            self.settings = _parse(self._path, text)
        except SettingsError as error:
            return error
        return self.settings

    async def changes(self, every_seconds: float = 5.0) -> AsyncGenerator[Settings | SettingsError]:
        """Watch the file indefinitely; yield each change, valid or not."""
        while True:
            await asyncio.sleep(every_seconds)
            if (news := await asyncio.to_thread(self.look)) is not None:
                yield news

    def _remember(self, error: SettingsError) -> SettingsError:
        self._seen = error
        return error


_SIZE_MAX: Final = 1 << 20


def _read(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_SIZE_MAX + 1)
    except OSError as error:
        raise SettingsError(f"Failed to read the settings file {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"Failed to read the settings file {path}: it is not UTF-8 text") from error
    if len(text) > _SIZE_MAX:
        raise SettingsError(
            f"Failed to read the settings file {path}: it is longer than {_SIZE_MAX} characters"
        )
    return text


def _parse(path: Path, text: str) -> Settings:
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise SettingsError(f"The settings file {path} is not YAML{place}") from None
    if not isinstance(content, dict):
        raise SettingsError(
            f"The settings file {path} does not contain a mapping; write {{}} to take every default"
        )
    try:
        return Settings.model_validate(content, by_name=False)
    except ValidationError as error:
        problems = "\n".join(f"- {_sentence(problem)}" for problem in error.errors(include_url=False))
        raise SettingsError(f"The settings file {path} cannot be used:\n{problems}") from None


def _sentence(problem: ErrorDetails) -> str:
    """Field path, what is wrong, what to do. The value is left out: it may be a secret in the wrong place."""
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"]).lstrip(
        "."
    )
    if problem["type"] != "extra_forbidden":
        return f"{place}: {problem['msg'].removeprefix('Value error, ')}"
    keys = _keys(problem["loc"][:-1])
    near = difflib.get_close_matches(str(problem["loc"][-1]), keys, n=1)
    return f"{place}: unknown key; " + (
        f"did you mean {near[0]}?" if near else f"known here: {', '.join(keys)}"
    )


def _keys(place: tuple[int | str, ...]) -> list[str]:
    """The keys that the section at this path knows."""
    section: Any = Settings
    for part in place:
        section = get_args(section)[0] if isinstance(part, int) else _fields(section)[part]
    return list(_fields(section))


def _fields(section: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field.annotation for name, field in section.model_fields.items()}
