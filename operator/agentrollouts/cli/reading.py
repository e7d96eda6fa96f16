"""Reads the YAML and JSON files of the commands as kubectl does, and reports each mistake by its place."""

import json
import math
import re
import sys
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Final

import yaml

from agentrollouts.cli.mistakes import WrongUseError

_LARGEST: Final = 20_000_000
"""Characters and values of a document, with what its aliases repeat; etcd takes 1.5 MB of an object."""
_INTEGER: Final = r"[-+]?(?:0[bB][01_]+|0[oO][0-7_]+|0[xX][0-9a-fA-F_]+|0[0-7_]+|0|[1-9][0-9_]*)"
_FLOAT: Final = (
    r"[-+]?(?:\.[0-9][0-9_]*|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9_]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_EXPONENT: Final = 10**21
"""Numbers that Go writes with an exponent, so that they are not integers in JSON."""
_OCTAL: Final = re.compile(r"[-+]?0[0-7]+")
NOT_UTF_8: Final = "is not UTF-8; save it as UTF-8"
_HALF: Final = re.compile(r"[\ud800-\udfff]")


class Loader(yaml.SafeLoader):
    """YAML as kubectl reads it: a repeated key is an error, dates and 10:30 are text, and 1e3 is 1000."""

    bool_values: ClassVar[dict[str, bool]] = {**yaml.SafeLoader.bool_values, "y": True, "n": False}

    ESCAPE_REPLACEMENTS = {  # type: ignore[misc]  # noqa: RUF012 the name is PyYAML's
        escape: char for escape, char in yaml.SafeLoader.ESCAPE_REPLACEMENTS.items() if escape != "/"
    }

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: ANN401, FBT001, FBT002 the signature is PyYAML's
        """Build a value, unless it is not what its tag says: `!!bool maybe`."""
        try:
            return super().construct_object(node, deep)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            problem = f"found a value that is not {node.tag.replace('tag:yaml.org,2002:', '!!')}"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from None

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> str:
        """Build a text, unless it has half of a character, as JSON escapes those beyond U+FFFF."""
        text: str = super().construct_scalar(node)
        if _HALF.search(text):
            problem = "found half of a character; write the character itself"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        return text

    def construct_yaml_int(self, node: yaml.ScalarNode) -> Any:  # noqa: ANN401 a number or a text
        """Build an integer, a float far beyond 64 bits, and a text if no number is as large."""
        text = node.value.replace("_", "").lower()
        try:
            number = int(text, 8 if _OCTAL.fullmatch(text) else 0)
            return number if abs(number) < _EXPONENT else float(number)
        except (ValueError, OverflowError):
            return str(node.value)

    def construct_yaml_float(self, node: yaml.ScalarNode) -> Any:  # noqa: ANN401 a number or a text
        """Build a number, an integer if it is one, and a text if no number is as large."""
        number: float = super().construct_yaml_float(node)
        if math.isinf(number) and any(map(str.isdigit, node.value)):
            return str(node.value)
        if not math.isfinite(number):
            problem = f"found {node.value}, a number that JSON does not have"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        return int(number) if number.is_integer() and abs(number) < _EXPONENT else number

    def construct_yaml_binary(self, node: yaml.ScalarNode) -> Any:  # noqa: ANN401 a text, and not bytes
        """Build the text that base64 hides."""
        return super().construct_yaml_binary(node).decode()

    def construct_document(self, node: yaml.Node) -> Any:  # noqa: ANN401 any YAML
        """Build a document, unless a few lines of aliases make it huge."""
        if _size(node, {}) > _LARGEST:
            problem = f"found aliases that repeat more than {_LARGEST:,} characters; write plain YAML"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        return super().construct_document(node)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 the signature is PyYAML's
        """Build a mapping, after a check that no key is repeated."""
        seen: set[str] = set()
        for key, _ in node.value if node.id == "mapping" else ():
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.tag == "tag:yaml.org,2002:null":
                raise yaml.constructor.ConstructorError(None, None, "found null as a key", key.start_mark)
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(
                    "while constructing a mapping",
                    node.start_mark,
                    f"found the key {key.value} twice; remove one",
                    key.start_mark,
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_OTHERS: Final = {f"tag:yaml.org,2002:{name}" for name in ("timestamp", "int", "float", "value")}
Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _OTHERS]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _name, _pattern in (("int", _INTEGER), ("float", _FLOAT)):
    Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_name}", re.compile(rf"(?:{_pattern})\Z"), list("-+.0123456789")
    )
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"[yYnN]\Z"), list("yYnN"))
for _name in ("int", "float", "binary"):
    Loader.add_constructor(f"tag:yaml.org,2002:{_name}", getattr(Loader, f"construct_yaml_{_name}"))
for _name, _form in (("set", "map"), ("omap", "seq"), ("pairs", "seq")):
    Loader.add_constructor(f"tag:yaml.org,2002:{_name}", getattr(Loader, f"construct_yaml_{_form}"))


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """Characters and values of a node, with everything that aliases repeat."""
    if id(node) not in known:
        known[id(node)] = 1  # inside itself; JSON refuses that later
        if isinstance(node, yaml.ScalarNode):
            known[id(node)] += len(node.value)
        else:
            pairs = node.value if isinstance(node, yaml.MappingNode) else [(each,) for each in node.value]
            known[id(node)] += sum(_size(child, known) for pair in pairs for child in pair)
    return known[id(node)]


def read_yaml(name: str) -> list[Any]:
    """The documents of a file, or of standard input for `-`, without empty ones. Raises `WrongUseError`."""
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except OSError as error:
        raise WrongUseError(f"{name}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise WrongUseError(f"{name}:{undecoded_line(error)}: {NOT_UTF_8}") from None
    try:
        return [each for each in _documents(text) if each is not None]
    except (yaml.YAMLError, RecursionError) as error:
        raise WrongUseError(f"{name}:{line_of(error, text)}: {sentence_of(error)}") from None


def undecoded_line(error: UnicodeDecodeError) -> int:
    """The line of what is not UTF-8, from 1."""
    return error.object.count(b"\n", 0, error.start) + 1


def line_of(error: Exception, text: str) -> int:
    """The line of a mistake in a text that is not YAML, from 1."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    position = mark.index if mark else getattr(error, "position", 0)
    return text.count("\n", 0, position) + 1


def sentence_of(error: Exception) -> str:
    """What is wrong with such a text."""
    if isinstance(error, RecursionError):
        return "is nested too deeply to be read; make it flatter"
    if isinstance(error, yaml.MarkedYAMLError):
        return f"is not YAML: {error.problem or error.context}"
    if isinstance(error, yaml.reader.ReaderError):
        return f"is not YAML: has the character {error.character:#06x}, {error.reason}"
    return str(error).partition("\n")[0].removeprefix("it: ")


def read_objects(name: str, *, among_others: bool = False) -> list[dict[str, Any]]:
    """The Kubernetes objects of a file, those of ours as the API server would store them.

    The items of a `List` are objects of their own. A file that the API server would refuse is refused here.

    Args:
        name: The file, or `-` for standard input.
        among_others: Whether it is one of several files, so that each problem names it.

    Raises:
        WrongUseError: the file cannot be read, holds something else, or an object of ours in it is invalid.
    """
    from agentrollouts.cli.admission import completed_object, is_ours, refusals  # noqa: PLC0415 slow, and the operator needs none of it

    objects = [each for document in read_yaml(name) for each in _items(as_json(name, document))]
    if not all(isinstance(each, dict) for each in objects):
        raise WrongUseError(f"{name}: must contain Kubernetes objects")
    ours = [each for each in objects if is_ours(each)]
    prefix = f"{name}: " if among_others else ""
    refused = [
        f"{prefix}{refusal}" + (f" ({_title(each)})" if len(ours) > 1 else "")
        for each in ours
        for refusal in refusals(each)
    ]
    if refused:
        raise WrongUseError("\n".join(refused))
    return [completed_object(each) if is_ours(each) else each for each in objects]


def _documents(text: str) -> Iterator[Any]:
    found = json_documents(text)
    yield from yaml.load_all(text, Loader=Loader) if found is None else (value for _, value in found)


def json_documents(text: str) -> list[tuple[int, Any]] | None:
    """Where each object of a file of JSON begins, and its value; None if it has to be read as YAML.

    JSON is tried first, as by kubectl: YAML has other escapes for characters beyond U+FFFF. Objects can
    follow each other without anything between, as `jq` writes them.
    """
    found, position = list[tuple[int, Any]](), _after_blanks(text, 0)
    if not text.startswith("{", position):
        return None
    while position < len(text):
        begin = position
        try:
            value, end = _JSON.raw_decode(text, begin)
        except ValueError:
            return None
        found.append((begin, value))
        position = _after_blanks(text, end)
    return found


def _after_blanks(text: str, position: int) -> int:
    blanks = _BLANKS.match(text, position)
    return blanks.end() if blanks else position


def _json_number(text: str) -> float:
    """An integer if it is one, as the API server stores it: 1.0 and 1e17."""
    number = float(text)
    return int(number) if number.is_integer() and abs(number) < _EXPONENT else number


_BLANKS: Final = re.compile(r"\s*")
_JSON: Final = json.JSONDecoder(parse_float=_json_number)


def as_json(name: str, document: Any) -> Any:  # noqa: ANN401 any YAML
    """What the API server gets: keys are text, and there is nothing that JSON does not have.

    Raises:
        WrongUseError: there is.
    """
    try:
        return json.loads(json.dumps(document, default=str, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        problem = "contains itself, a key that is not text, or a number that JSON does not have"
        raise WrongUseError(f"{name}: {problem}; write plain YAML") from None


def _title(document: dict[str, Any]) -> str:
    metadata = document.get("metadata")
    return f"{document['kind']} {metadata.get('name', '') if isinstance(metadata, dict) else ''}".rstrip()


def items_of(document: Any) -> list[Any] | None:  # noqa: ANN401 any YAML
    """The objects of a `List`, or of a list of one kind; None if it is not a list."""
    kind = document.get("kind") if isinstance(document, dict) else None
    if not isinstance(kind, str) or not kind.endswith("List") or not isinstance(document.get("items"), list):
        return None
    of_kind = {"apiVersion": document.get("apiVersion"), "kind": kind.removesuffix("List")}
    shared = of_kind if of_kind["kind"] else {}  # the API server leaves it out of the items of its lists
    return [shared | each if isinstance(each, dict) else each for each in document["items"]]


def _items(document: Any) -> list[Any]:  # noqa: ANN401 any YAML
    items = items_of(document)
    return [document] if items is None else [each for item in items for each in _items(item)]
