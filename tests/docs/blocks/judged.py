"""What each judge says of a document of a page, without a cluster: sentences, or nothing."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import jsonschema
import yaml
from pydantic import ValidationError

from agentrollouts.cli.lint.examine import Neighbors, errors, key_of, warnings
from agentrollouts.insight.alerts.alert import AlertName
from agentrollouts.settings.settings import Settings
from sandbox.parts import parts
from tests.docs.blocks.commands import wrong_commands
from tests.docs.blocks.found import ROOT
from tests.docs.blocks.frames import Judge, Manifest, Whole, merged, whole

CHART: Final = ROOT / "charts" / "agentrollouts"


def judged(text: str) -> Iterator[str]:
    """What is wrong in a block of YAML; a document that nobody judges is wrong, too."""
    try:
        documents = list(yaml.safe_load_all(text))
    except yaml.YAMLError as error:
        yield f"is not YAML: {error}"
        return
    wholes = [whole(document) for document in documents]
    neighbors = Neighbors({key_of(each.content): each.content for each in wholes if each})
    for document, each in zip(documents, wholes, strict=True):
        if each is None:
            yield f"is judged by nothing: {document}"
        else:
            yield from _JUDGES[each.judge](each, neighbors)


def _ours(each: Whole, neighbors: Neighbors) -> Iterator[str]:
    found = list(errors(each.content, neighbors))
    yield from found or warnings(each.content, neighbors)


def _foreign(each: Whole, _: Neighbors) -> Iterator[str]:
    """The rest is for the API server to say (`tests/contract/docs`)."""
    if not each.content.get("metadata", {}).get("name"):
        yield "metadata.name: Required value"


def _values(each: Whole, _: Neighbors) -> Iterator[str]:
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = merged(yaml.safe_load((CHART / "values.yaml").read_text()), each.content)
    for error in jsonschema.Draft7Validator(schema).iter_errors(values):
        yield f"{error.json_path}: {error.message}"
    try:
        Settings.model_validate(each.content.get("settings", {}), by_name=False)
    except ValidationError as error:
        mistakes = [each for each in error.errors() if each["type"] != "path_not_file"]  # there are no mounts
        yield from (f"settings: {problem['loc']}: {problem['msg']}" for problem in mistakes)


def _kustomize(each: Whole, _: Neighbors) -> Iterator[str]:
    """Built beside an object for each target of a patch, with our file for the names."""
    targets = [patch["target"] for patch in each.content.get("patches", ())]
    with TemporaryDirectory() as name:
        folder = Path(name)
        for file in each.content.get("configurations", ()):
            (folder / file).write_text((ROOT / "gitops" / "kustomize" / file).read_text())
        (folder / "targets.yaml").write_text(yaml.safe_dump_all(map(_target, targets)))
        resources = {"resources": ["targets.yaml"] if targets else []}
        (folder / "kustomization.yaml").write_text(yaml.safe_dump(each.content | resources))
        command = [str(parts.kubectl()), "kustomize", name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 ours
    if done.returncode:
        yield done.stderr


def _target(target: Mapping[str, str]) -> Manifest:
    container = {"name": "manager", "args": ["--log-level=info"]}
    spec = {"template": {"spec": {"containers": [container]}}}
    return {
        "apiVersion": "apps/v1",
        "kind": target["kind"],
        "metadata": {"name": target["name"]},
        "spec": spec,
    }


def _alertmanager(each: Whole, _: Neighbors) -> Iterator[str]:
    """`tests/e2e/apart/inside_alerts.py` gives the rules of inhibition to a real one."""
    config = each.content
    receivers = {receiver["name"] for receiver in config["receivers"]}
    named = {route["receiver"] for route in (config["route"], *config["route"]["routes"])}
    yield from (f"the receiver {name} is not there" for name in named - receivers)
    alerts = set(re.findall(r"\bAgent[A-Z]\w+", str(config)))
    yield from (f"there is no alert {name}" for name in alerts - set(AlertName))


def _steps(each: Whole, _: Neighbors) -> Iterator[str]:
    for command in _values_of(each.content, {"run", "entry"}):
        # pre-commit adds the names of the files
        yield from wrong_commands(f"{command} agents" if command.endswith(" -f") else command)


def _values_of(node: Any, keys: set[str]) -> Iterator[str]:  # noqa: ANN401 any JSON
    """The values of some keys, at any depth."""
    if isinstance(node, list):
        for item in node:
            yield from _values_of(item, keys)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in keys:
                yield str(value)
            yield from _values_of(value, keys)


_JUDGES: Final[Mapping[Judge, Callable[[Whole, Neighbors], Iterator[str]]]] = {
    Judge.OURS: _ours,
    Judge.FOREIGN: _foreign,
    Judge.VALUES: _values,
    Judge.KUSTOMIZE: _kustomize,
    Judge.ALERTMANAGER: _alertmanager,
    Judge.STEPS: _steps,
}
