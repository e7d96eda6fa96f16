"""`agentrollouts snapshot-name`: the ConfigMap that the operator makes of a release, before it makes it.

A Deployment in Git that mounts the bundle names that ConfigMap. The name is of the content, so it is known
from the files alone.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from pydantic import ValidationError

from agentrollouts.adapters.cluster.resources import Manifest
from agentrollouts.api.reasons import Reason
from agentrollouts.api.release import AgentRelease
from agentrollouts.cli.mistakes import WrongUseError, problems
from agentrollouts.cli.reading import read_objects
from agentrollouts.core.release.bundle import resolve
from agentrollouts.core.release.checks import Refusal
from agentrollouts.core.release.content import ConfigMapData, ConfigMaps
from agentrollouts.core.release.snapshot import snapshot_name

WRONG_USE: Final = 2
RELEASE: Final = "AgentRelease"


class Named(NamedTuple):
    """A release and its snapshot, in the order of the fields of the output."""

    release: str
    name: str
    digest: str


def run_snapshot_name(options: argparse.Namespace) -> int:
    """Print a line for each release, in the order of the files; 2 where a name cannot be known."""
    try:
        found = list(_named(_objects(options.file)))
    except WrongUseError as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_USE
    if options.output == "json":
        print(json.dumps([each._asdict() for each in found], indent=2))
    else:
        print("\n".join(each.name for each in found))
    return 0


def _objects(files: list[str]) -> list[Manifest]:
    names = list(dict.fromkeys(files))
    return [each for name in names for each in read_objects(name, among_others=len(names) > 1)]


def _named(objects: list[Manifest]) -> Iterator[Named]:
    releases = [each for each in objects if each.get("kind") == RELEASE]
    if not releases:
        raise WrongUseError("no AgentRelease is in the files")
    for manifest in releases:
        release = _read(manifest)
        bundle = resolve(release, _config_maps(objects, manifest["metadata"].get("namespace")))
        if isinstance(bundle, Refusal):
            raise WrongUseError(f"{release.metadata.name}: {_sentence(bundle)}")
        name = snapshot_name(release.spec.agent, bundle.digest)
        yield Named(release.metadata.name, name, bundle.digest)


def _read(manifest: Manifest) -> AgentRelease:
    whole = {**manifest, "metadata": {"namespace": ""} | manifest["metadata"]}
    try:
        return AgentRelease.model_validate(whole)
    except ValidationError as error:
        lines = problems(error)
        raise WrongUseError("\n".join(f"{manifest['metadata']['name']}: {line}" for line in lines)) from None


def _config_maps(objects: Iterable[Manifest], namespace: str | None) -> ConfigMaps:
    """The ConfigMaps in the files that a release of that namespace can mean."""
    return {
        each["metadata"]["name"]: ConfigMapData(each.get("data") or {}, tuple(each.get("binaryData") or ()))
        for each in objects
        if each.get("kind") == "ConfigMap" and each["metadata"].get("namespace") == namespace
    }


def _sentence(refusal: Refusal) -> str:
    if refusal.reason is Reason.REFERENCE_MISSING:
        problem = "names a ConfigMap that is not in the files, so its content is not known"
        return f"{refusal.path}: {problem}; add it with --file, or use `inline` or `artifact`"
    return f"{refusal.path}: {refusal.message.removeprefix(refusal.path).strip()}"
