"""`agentrollouts derive --workload`: the Deployment and the Service that run the derived release."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from agentrollouts.api.reasons import Reason
from agentrollouts.cli.release.found import Reads
from agentrollouts.core.effects import Manifest
from agentrollouts.core.release.checks import Refusal
from agentrollouts.core.release.deriving.derive import Derived, Recipe
from agentrollouts.core.release.deriving.workload import (
    DEPLOYMENT,
    OPTION,
    SERVICE,
    Identity,
    Running,
    derived_workload,
    leftovers,
    name_of,
    running,
    uses,
)
from agentrollouts.core.release.snapshot import snapshot_name


@dataclass(frozen=True, slots=True)
class Beside:
    """What is printed beside the release."""

    manifests: tuple[Manifest, ...]
    notes: tuple[str, ...]


async def running_in(api: Reads, namespace: str) -> list[dict[str, Any]]:
    """The Deployments and Services of a namespace. Raises `ClusterError`."""
    return [each for kind in (DEPLOYMENT, SERVICE) for each in await api.list(kind, namespace)]


def beside(derived: Derived, recipe: Recipe, objects: Sequence[Manifest]) -> Beside | Refusal:
    """The Deployment and the Service of the new release, or why there are none.

    Args:
        derived: The new release.
        recipe: What it is derived from.
        objects: The Deployments and Services of the namespace.
    """
    identities = _identities(derived, recipe)
    if isinstance(identities, Refusal):
        return identities
    old, new = identities
    base = running(old.service, objects)
    if isinstance(base, Refusal):
        return base
    made = derived_workload(base, old, new, recipe.namespace)
    if isinstance(made, Refusal):
        return made
    manifests = (made.deployment, made.service)
    for each in manifests:
        if any((other.get("kind"), name_of(other)) == (each["kind"], name_of(each)) for other in objects):
            return _refused(f"{each['kind']} {name_of(each)} exists; give another --name or --service")
    return Beside(manifests, tuple(_notes(base, made, old)))


def _identities(derived: Derived, recipe: Recipe) -> tuple[Identity, Identity] | Refusal:
    """What names the base and the new release."""
    base, spec = recipe.base, derived.manifest["spec"]
    services: list[dict[str, Any]] = [
        (each.get("serving") or {}).get("service") or {} for each in (base.spec, spec)
    ]
    if not all(services):
        problem = f"{base.name} has no `serving`, so the operator makes its Deployment from spec.workload"
        return _refused(f"{problem}; leave this option out")
    if kind := next((each["kind"] for each in services if each.get("kind") not in {None, SERVICE}), None):
        return _refused(f"the backend of {base.name} is of kind {kind}, not Service; copy it yourself")
    if derived.has_shared_service:
        return _refused(
            f"Service {services[0]['name']} is that of {base.name}; name another one with --service"
        )
    if derived.digest is None or derived.base_digest is None:
        return _refused("the snapshot depends on a ConfigMap that is not in the files; add it with --file")
    old, new = (
        Identity(
            release=name,
            version=version,
            service=service["name"],
            snapshot=snapshot_name(base.agent, digest),
            digest=digest,
            image=parts.get("runtime", {}).get("image"),
        )
        for name, version, service, digest, parts in (
            (base.name, base.version, services[0], derived.base_digest, base.parts),
            (recipe.name, recipe.version, services[1], derived.digest, spec["components"]),
        )
    )
    return old, new


def _notes(base: Running, made: Running, old: Identity) -> Iterator[str]:
    """What to look at before it is applied."""
    name = name_of(made.deployment)
    yield f"Deployment {name} and Service {name_of(made.service)} are those of {old.release} otherwise"
    if not uses(base.deployment, old.snapshot):
        yield f"Deployment {name} does not name the snapshot; check that its pods run the new release"
    if paths := list(leftovers(base.deployment, made.deployment, old)):
        yield f"Deployment {name} still has the name or the version of {old.release} in {', '.join(paths)}"
    if made.deployment["spec"].get("replicas") == 0:
        yield f"Deployment {name} has 0 replicas, as that of {old.release}"


def _refused(problem: str) -> Refusal:
    return Refusal(Reason.INVALID_SPEC, OPTION, problem)
