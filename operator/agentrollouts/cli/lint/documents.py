"""The objects in files, each with the lines of its fields. No mistake stops the reading of the next document.

A document that names none of the kinds that are looked at is not parsed: it can be a template of helm.
"""

import contextlib
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
from agentrollouts.cli.reading import (
    NOT_UTF_8,
    Loader,
    as_json,
    items_of,
    json_documents,
    line_of,
    sentence_of,
    undecoded_line,
)

SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})
"""What is read in a directory."""
HELPERS: Final = ("ConfigMap", "CronJob", "Deployment")
"""Kinds of other groups that our objects refer to."""
_SEPARATOR: Final = re.compile(r"^---(?=\s|\Z)", re.MULTILINE)

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
            self.findings.append(_unread(file, undecoded_line(error), NOT_UTF_8))
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
            for place, value in _parsed(text, lines):
                self._add_object(file, as_json("it", value), place)
        except (yaml.YAMLError, WrongUseError, RecursionError, ValueError) as error:
            if _mentions(text, (GROUP, *kinds())):
                self.findings.append(_unread(file, lines + line_of(error, text), sentence_of(error)))
            else:
                self.skipped += 1

    def _add_object(self, file: str, value: Any, place: Place) -> None:  # noqa: ANN401 any JSON
        if (items := items_of(value)) is not None:
            for index, item in enumerate(items):
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


def _parsed(text: str, lines: int) -> Iterator[tuple[Place, Any]]:
    """Each document, as a place and as a value.

    Args:
        text: What is between two separators.
        lines: Lines of the file before it.
    """
    if found := json_documents(text):
        lines += text.count("\n", 0, found[0][0])
        ends = [*(begin for begin, _ in found[1:]), len(text)]
        for (begin, value), end in zip(found, ends, strict=True):
            part = text[begin:end]
            yield Place(_json_node(part), part, lines), value
            lines += part.count("\n")
        return
    loader = Loader(text)
    while loader.check_node():
        if node := loader.get_node():
            yield Place(node, text, lines), loader.construct_document(node)


def _json_node(text: str) -> yaml.Node:
    """The nodes of JSON, which is YAML but for long keys, and for tabs; those are only between values."""
    start = yaml.Mark("", 0, 0, 0, None, 0)
    with contextlib.suppress(yaml.YAMLError):
        if node := Loader(text.replace("\t", " ")).get_single_node():
            return node
    return yaml.ScalarNode("", "", start, start)


def _unread(file: str, line: int, sentence: str) -> Finding:
    return Finding(file, line, "", "", sentence)
