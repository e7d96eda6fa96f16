"""`agentrollouts derive`: a new release that has a component of another one, for a change of that alone."""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator
from typing import Any, Final

from pydantic import ValidationError

from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.api.components import COMPONENTS
from agentrollouts.api.release import ComponentDiff
from agentrollouts.cli.mistakes import WrongUseError, problems
from agentrollouts.cli.release.found import RELEASE, Found, Reads, in_cluster, in_files
from agentrollouts.cli.release.workload import beside, running_in
from agentrollouts.cli.release.written import as_yaml
from agentrollouts.core.effects import Manifest
from agentrollouts.core.release.checks import Refusal
from agentrollouts.core.release.deriving.derive import MODEL, Derived, Recipe, derive
from agentrollouts.core.release.deriving.origin import Origin
from agentrollouts.core.release.snapshot import snapshot_name

UNREADABLE: Final = 1
WRONG_USE: Final = 2
ALL: Final = "all"
"""In the place of a component: all of them."""

_CALL_SECONDS: Final = 10.0
"""Hard limit of one request to the API server."""


def run_derive(options: argparse.Namespace) -> int:
    """Print the new release; 2 where it cannot be derived."""
    try:
        if options.file:
            return print_derived(options, _from_files(options))
        return _online(options)
    except WrongUseError as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_USE


def _from_files(options: argparse.Namespace) -> Found:
    from agentrollouts.cli.reading import read_objects  # noqa: PLC0415 only files need it

    several = len(options.file) > 1
    objects = [each for name in options.file for each in read_objects(name, among_others=several)]
    found = in_files(objects, names_of(options))
    found.namespace = options.namespace or found.namespace
    return found


def _online(options: argparse.Namespace) -> int:
    from agentrollouts.adapters.cluster.errors import ClusterError  # noqa: PLC0415 slow, and files do without

    try:
        return asyncio.run(_connected(options))
    except ClusterError as error:
        sys.stderr.write(f"{error}\n")
        return UNREADABLE


async def _connected(options: argparse.Namespace) -> int:
    from agentrollouts.adapters.cluster.client import Cluster  # noqa: PLC0415 slow, and files do without
    from agentrollouts.adapters.cluster.credentials import current_namespace  # noqa: PLC0415 the same

    namespace = options.namespace or current_namespace()
    cluster = await Cluster.connect(timeout_seconds=_CALL_SECONDS)
    try:
        return await derive_online(cluster, namespace, options)
    finally:
        await cluster.close()


async def derive_online(api: Reads, namespace: str, options: argparse.Namespace) -> int:
    """Print the new release, from what the cluster has.

    Raises:
        WrongUseError: it cannot be derived.
        ClusterError: the cluster cannot be read.
    """
    found = await in_cluster(api, namespace, names_of(options))
    name = _name(options, found.origins[options.base])
    if await api.get(Ref(RELEASE, namespace, name)) is not None:
        found.taken.add(name)
    if options.workload:
        found.running = await running_in(api, namespace)
    return print_derived(options, found)


def names_of(options: argparse.Namespace) -> list[str]:
    """The releases that are needed, the base first."""
    return [options.base, *(release for _, release in options.take)]


def print_derived(options: argparse.Namespace, found: Found) -> int:
    """Print the new release, and its difference from the base to standard error.

    Raises:
        WrongUseError: it cannot be derived.
    """
    recipe = _recipe(options, found)
    try:
        derived = derive(recipe, found.config_maps)
    except ValidationError as error:
        raise WrongUseError("\n".join(problems(error))) from None
    if isinstance(derived, Refusal):
        raise WrongUseError(_sentence(derived))
    workload = beside(derived, recipe, found.running) if options.workload else None
    if isinstance(workload, Refusal):
        raise WrongUseError(_sentence(workload))
    sys.stdout.write(_printed([derived.manifest, *(workload.manifests if workload else ())], options.output))
    notes = (*_notes(derived, recipe), *(workload.notes if workload else ()))
    sys.stderr.write("".join(f"{line}\n" for line in notes))
    return 0


def _printed(manifests: list[Manifest], form: str) -> str:
    """One object as it is; several as documents, or as a `List`."""
    if form != "json":
        return "---\n".join(map(as_yaml, manifests))
    several = {"apiVersion": "v1", "kind": "List", "items": manifests}
    return json.dumps(several if len(manifests) > 1 else manifests[0], indent=2, ensure_ascii=False) + "\n"


def _recipe(options: argparse.Namespace, found: Found) -> Recipe:
    base = found.origins[options.base]
    takes: dict[str, Origin] = {}
    for component, release in options.take:
        for name in COMPONENTS if component == ALL else (component,):
            if name in takes:
                raise WrongUseError(f"--take: {name} is taken twice; remove one")
            if component != ALL or name in {*base.parts, *found.origins[release].parts}:
                takes[name] = found.origins[release]
    name = _name(options, base)
    if name in found.taken:
        option = "--name" if options.name else "--version"
        raise WrongUseError(f"{option}: AgentRelease {name} exists, and cannot be changed; give another one")
    return Recipe(
        base=base,
        name=name,
        version=options.version,
        takes=takes,
        settings=dict(options.set),
        namespace=found.namespace,
        service=options.service,
    )


def _name(options: argparse.Namespace, base: Origin) -> str:
    """The name of the base with the new version, or else that of the agent with it."""
    if options.name:
        return str(options.name)
    version: str = options.version
    stem = base.name.removesuffix(base.version) if base.name.endswith(f"-{base.version}") else ""
    return f"{stem or f'{base.agent}-'}{version.lower().replace('+', '-')}"


def _sentence(refusal: Refusal) -> str:
    return (
        refusal.message if refusal.message.startswith(refusal.path) else f"{refusal.path}: {refusal.message}"
    )


def _notes(derived: Derived, recipe: Recipe) -> Iterator[str]:
    """How it differs, what its identity is, and what is left to do."""
    yield f"{recipe.name} differs from {recipe.base.name}:"
    yield from (f"  {_change(each, recipe.base.parts, derived)}" for each in derived.diff)
    if derived.digest:
        yield f"digest {derived.digest}, snapshot {snapshot_name(recipe.base.agent, derived.digest)}"
    else:
        yield "The digest depends on a ConfigMap that is not in the files"
    if derived.equal:
        yield f"{derived.equal} has the same digest: if it was healthy, the switch to it is a rollback"
    if derived.has_shared_service:
        service = derived.manifest["spec"]["serving"]["service"]["name"]
        yield f"Service {service} is that of {recipe.base.name}; name another one with --service"


def _change(each: ComponentDiff, before: Any, derived: Derived) -> str:  # noqa: ANN401 components as written
    versions = " to ".join(version for version in (each.from_, each.to) if version)
    line = f"{each.component} {versions} ({each.change})"
    if each.component == MODEL:
        models = [_model(parts[MODEL]) for parts in (before, derived.manifest["spec"]["components"])]
        line += f": {' to '.join(dict.fromkeys(models))}"
    return line


def _model(part: Any) -> str:  # noqa: ANN401 a component as written
    return f"{part.get('provider')}/{part.get('name')}"
