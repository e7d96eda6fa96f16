"""The objects in files, each with the lines of its fields. No mistake stops the reading of the next document.

A document that names none of the kinds that are looked at is not parsed: it can be a template of helm.
"""

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from agentrollouts.api.names import GROUP
from agentrollouts.cli.admission import is_ours, kinds
from agentrollouts.cli.lint.finding import Finding
from agentrollouts.cli.lint.places import Place
from agentrollouts.cli.mistakes import WrongUseError
from agentrollouts.cli.reading import Loader, as_json

SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})
"""What is read in a directory."""
HELPERS: Final = ("ConfigMap", "CronJob", "Deployment")
"""Kinds of other groups that our objects refer to."""
_SEPARATOR: Final = re.compile(r"^---(?=\s|\Z)", re.MULTILINE)
_TOO_DEEP: Final = "is nested too deeply to be read; make it flatter"

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Document:
    """An object as it is written in a file."""

    file: str
    manifest: Manifest
    place: Place

    @property
    def title(self) -> str:
        """`AgentRollout/support-agent`."""
        metadata = self.manifest.get("metadata")
        named = metadata if isinstance(metadata, dict) else {}
        name = named.get("name") or named.get("generateName")
        return f"{self.manifest['kind']}/{name}" if isinstance(name, str) else str(self.manifest["kind"])

    def finding(self, text: str, *, is_warning: bool = False) -> Finding:
        """What a text says: it begins with the path of a field, and a colon."""
        line, path, sentence = self.place.of(text)
        return Finding(self.file, line, self.title, path, sentence, is_warning)


@dataclass(slots=True)
class Found:
    """What is in some files."""

    ours: list[Document] = field(default_factory=list)
    helpers: list[Manifest] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    skipped: int = 0
    """Objects of other kinds."""

    def add(self, file: str, data: bytes) -> None:
        """Read a file."""
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            self.findings.append(_unread(file, line, "is not UTF-8; save it as UTF-8"))
            return
        text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
        begins = [0, *(match.start() for match in _SEPARATOR.finditer(text))]
        for begin, end in zip(begins, [*begins[1:], len(text)], strict=True):
            self._add_part(file, text[begin:end], text.count("\n", 0, begin))

    def _add_part(self, file: str, text: str, lines: int) -> None:
        """Read what is between two separators."""
        if not _mentions(text, (GROUP, *kinds(), *HELPERS)):
            self.skipped += any(line[:1] not in {"", "#"} for line in text.removeprefix("---").splitlines())
            return
        try:
            for node, value in _parsed(text):
                self._add_object(file, as_json("it", value), Place(node, text, lines))
        except (yaml.YAMLError, WrongUseError, RecursionError, ValueError) as error:
            if _mentions(text, (GROUP, *kinds())):
                self.findings.append(_unread(file, lines + _line_of(error, text), _sentence(error)))
            else:
                self.skipped += 1

    def _add_object(self, file: str, value: Any, place: Place) -> None:  # noqa: ANN401 any JSON
        if isinstance(value, dict) and value.get("kind") == "List" and isinstance(value.get("items"), list):
            for index, item in enumerate(value["items"]):
                self._add_object(file, item, place.below("items", index))
        elif is_ours(value):
            self.ours.append(Document(file, value, place))
        elif isinstance(value, dict) and str(value.get("apiVersion")).startswith(f"{GROUP}/"):
            unknown = f"kind: unknown kind; write one of {', '.join(kinds())}"
            self.findings.append(Document(file, {"kind": "?", **value}, place).finding(unknown))
        elif value is not None:
            self.skipped += 1
            self.helpers += [value] if isinstance(value, dict) and value.get("kind") in HELPERS else []


def paths_in(name: str) -> Iterator[Path]:
    """The files that a name on the command line stands for.

    Raises:
        WrongUseError: there is nothing of that name.
    """
    path = Path(name)
    if not path.is_dir():
        yield path
        return
    for each in sorted(path.rglob("*")):
        is_hidden = any(part.startswith(".") for part in each.relative_to(path).parts)
        if each.suffix in SUFFIXES and not is_hidden and each.is_file():
            yield each


def _mentions(text: str, names: tuple[str, ...]) -> bool:
    return any(name in text for name in names)


def _parsed(text: str) -> Iterator[tuple[yaml.Node, Any]]:
    """Each document, as nodes and as a value. JSON is tried first, as by kubectl."""
    if text.lstrip().startswith("{"):
        with contextlib.suppress(ValueError):  # then it is YAML of that form
            value = json.loads(text)
            yield _json_node(text), value
            return
    loader = Loader(text)
    while loader.check_node():
        if node := loader.get_node():
            yield node, loader.construct_document(node)


def _json_node(text: str) -> yaml.Node:
    """The nodes of JSON, which is YAML but for long keys, and for tabs; those are only between values."""
    start = yaml.Mark("", 0, 0, 0, None, 0)
    with contextlib.suppress(yaml.YAMLError):
        if node := Loader(text.replace("\t", " ")).get_single_node():
            return node
    return yaml.ScalarNode("", "", start, start)


def _unread(file: str, line: int, sentence: str) -> Finding:
    return Finding(file, line, "", "", sentence)


def _line_of(error: Exception, text: str) -> int:
    """The line of a mistake in the text, from 1."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    position = mark.index if mark else getattr(error, "position", 0)
    return text.count("\n", 0, position) + 1


def _sentence(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return _TOO_DEEP
    if isinstance(error, yaml.MarkedYAMLError):
        return f"is not YAML: {error.problem or error.context}"
    if isinstance(error, yaml.reader.ReaderError):
        return f"is not YAML: has the character {error.character:#06x}, {error.reason}"
    return str(error).partition("\n")[0].removeprefix("it: ")
