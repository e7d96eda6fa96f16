"""Reads the YAML and JSON files of the commands as kubectl does, and reports each mistake by its place."""

import json
import sys
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import yaml

from agentrollouts.cli.mistakes import WrongUseError


class Loader(yaml.SafeLoader):
    """YAML as kubectl reads it: a repeated key is an error, and a date is text."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 the signature is PyYAML's
        """Build a mapping, after a check that no key is repeated."""
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(
                    "while constructing a mapping",
                    node.start_mark,
                    f"found the key {key.value} twice; remove one",
                    key.start_mark,
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_yaml(name: str) -> list[Any]:
    """The documents of a file, or of standard input for `-`, without empty ones. Raises `WrongUseError`."""
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
        return [each for each in _documents(text) if each is not None]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise WrongUseError(f"{name}: cannot be read: {error}") from None


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

    objects = [each for document in read_yaml(name) for each in _items(_as_json(name, document))]
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
    """JSON is tried first, as by kubectl: YAML has other escapes for characters beyond U+FFFF."""
    if text.lstrip().startswith("{"):
        try:
            yield json.loads(text)
        except ValueError:
            pass
        else:
            return
    yield from yaml.load_all(text, Loader=Loader)


def _as_json(name: str, document: Any) -> Any:  # noqa: ANN401 any YAML
    """What the API server gets: keys are text, and there is nothing that JSON does not have."""
    try:
        return json.loads(json.dumps(document, default=str))
    except (TypeError, ValueError, RecursionError):
        raise WrongUseError(f"{name}: contains itself, or a key that is not text; write plain YAML") from None


def _title(document: dict[str, Any]) -> str:
    metadata = document.get("metadata")
    return f"{document['kind']} {metadata.get('name', '') if isinstance(metadata, dict) else ''}".rstrip()


def _items(document: Any) -> list[Any]:  # noqa: ANN401 any YAML
    if isinstance(document, dict) and document.get("kind") == "List":
        items = document.get("items") or []
        return items if isinstance(items, list) else [items]
    return [document]
