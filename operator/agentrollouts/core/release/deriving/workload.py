"""The Deployment and the Service of a derived release, from those that run its base.

`agentrollouts derive --workload` prints them, for releases that bring agents of their own. Only the fields in
`_Swaps.at` can differ from the base's. What the API server or a tool wrote is left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from agentrollouts.api.reasons import Reason
from agentrollouts.core.effects import Manifest
from agentrollouts.core.release.checks import Refusal

DEPLOYMENT: Final = "Deployment"
SERVICE: Final = "Service"
OPTION: Final = "--workload"

_PLACE: Final = ("name", "namespace")
_TOOLS: Final = (
    "argocd.argoproj.io/",
    "deployment.kubernetes.io/",
    "helm.toolkit.fluxcd.io/",
    "kubectl.kubernetes.io/last-applied-configuration",
    "kustomize.toolkit.fluxcd.io/",
    "meta.helm.sh/",
)
"""Beginnings of the marks of tools: with them, a tool would prune what is not in its source."""
_ASSIGNED: Final = frozenset({"clusterIP", "clusterIPs", "healthCheckNodePort", "nodePort"})
"""Fields of a Service that no second one can have."""
_CONFIG_MAPS: Final = frozenset({"configMap", "configMapRef", "configMapKeyRef"})

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What names a release in the objects that run it."""

    release: str
    version: str
    service: str
    snapshot: str
    digest: str
    image: str | None = None
    """That of `components.runtime`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What runs a release."""

    deployment: Manifest
    service: Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class _Swaps:
    """The texts that are swapped, by the kind of field: always the whole value, never a part of it."""

    names: Mapping[str, str]
    versions: Mapping[str, str]
    snapshot: Mapping[str, str]
    digest: Mapping[str, str]
    image: Mapping[str, str]

    def at(self, path: Path) -> Mapping[str, str]:
        """Those of a field. A text of any other field names something that is not copied, as a Secret."""
        parent, field = path[-2:] if len(path) > 1 else ("", path[-1])
        is_label = parent in {"labels", "matchLabels"} or path[:-1] == ("spec", "selector")
        if is_label or (parent, field) == ("matchExpressions", "values"):
            return {**self.versions, **self.names}
        if parent == "annotations":
            return self.names
        if (parent, field) == ("env", "value") or field in {"args", "command"}:
            return {**self.names, **self.snapshot, **self.digest}
        if parent in _CONFIG_MAPS and field == "name":
            return self.snapshot
        return self.image if field == "image" else {}


def running(service: str, objects: Sequence[Manifest]) -> Running | Refusal:
    """The Service of a release, and the one Deployment whose pods it selects.

    Args:
        service: Name of the Service.
        objects: The Deployments and Services of one namespace, in any form.
    """
    services = [each for each in objects if each.get("kind") == SERVICE and name_of(each) == service]
    if len(services) != 1:
        problem = f"has {len(services)} of that name; give one" if services else "does not have it; add it"
        return _refused(f"Service {service}: the input {problem}")
    selector = _mapping(services[0], "spec", "selector")
    if not selector:
        return _refused(f"Service {service} has no selector, so its Deployment is not known")
    found = [
        each
        for each in objects
        if each.get("kind") == DEPLOYMENT and selector.items() <= pod_labels(each).items()
    ]
    if not found:
        return _refused(f"no Deployment with pods of Service {service} is in the input; add it")
    if len(found) > 1:
        names = " and ".join(sorted(map(name_of, found)))
        return _refused(f"Service {service} selects the pods of {names}; let it select those of one release")
    return Running(deployment=found[0], service=services[0])


def derived_workload(base: Running, old: Identity, new: Identity, namespace: str | None) -> Running | Refusal:
    """What runs the new release.

    Args:
        base: What runs the base.
        old: The base.
        new: The new release.
        namespace: That of the new release; None to leave that of the base.
    """
    name = name_of(base.deployment)
    pairs = ((old.release, new.release), (old.version, new.version))
    name_after = new.service if name == old.service else renamed(name, *pairs)
    if name_after == name:
        problem = f"Deployment {name} has neither the name nor the version of {old.release} in its name"
        return _refused(f"{problem}, so the new one has no name; rename it")
    swaps, place = _swaps(old, new, {name: name_after}), {"namespace": namespace} if namespace else {}
    deployment = _copied(base.deployment, swaps, place | {"name": name_after})
    service = _copied(base.service, swaps, place | {"name": new.service})
    for kind, selector in (
        (f"Service {new.service}", _mapping(service, "spec", "selector")),
        (f"Deployment {name_after}", _mapping(deployment, "spec", "selector", "matchLabels")),
    ):
        if selector.items() <= pod_labels(base.deployment).items():
            problem = f"{kind} would select the pods of {old.release} too"
            return _refused(f"{problem}; add a label with the release or its version to the selector")
    return Running(deployment=deployment, service=service)


def renamed(name: str, *pairs: tuple[str, str]) -> str:
    """A name with the new text in the place of the old one, by the first pair whose old text it has."""
    for before, after in pairs:
        for form in (str, dashed):
            if form(before) in name:
                return name.replace(form(before), form(after))
    return name


def dashed(text: str) -> str:
    """A text as a part of the name of a Service."""
    return text.replace(".", "-")


def leftovers(base: Manifest, derived: Manifest, old: Identity) -> Iterator[str]:
    """The paths in a Deployment of what still has the name, the version or the content of the base."""
    known = (old.release, dashed(old.release), old.version, old.snapshot, old.digest)
    pairs = zip(_texts(base["spec"], "spec"), _texts(derived["spec"], "spec"), strict=True)
    for (path, before), (_, after) in pairs:
        if before == after and any(each in before for each in known):
            yield path


def uses(deployment: Manifest, snapshot: str) -> bool:
    """Whether the pods of a Deployment read the snapshot."""
    return any(text == snapshot for _, text in _texts(deployment, ""))


def name_of(manifest: Manifest) -> str:
    """The name of an object; empty for one without."""
    return str(_mapping(manifest, "metadata").get("name") or "")


def pod_labels(deployment: Manifest) -> Mapping[str, Any]:
    """The labels of the pods of a Deployment."""
    return _mapping(deployment, "spec", "template", "metadata", "labels")


def _swaps(old: Identity, new: Identity, names: Mapping[str, str]) -> _Swaps:
    forms = (str, dashed)
    images = {old.image: new.image} if old.image and new.image else {}
    return _Swaps(
        names={
            old.service: new.service,
            **names,
            **{form(old.release): form(new.release) for form in forms},
        },
        versions={form(old.version): form(new.version) for form in forms},
        snapshot={old.snapshot: new.snapshot},
        digest={old.digest: new.digest},
        image=images,
    )


def _copied(manifest: Manifest, swaps: _Swaps, place: Mapping[str, str]) -> Manifest:
    """An object with all its swaps, by another name, as a user would write it."""
    metadata: dict[str, Any] = {
        key: manifest["metadata"][key] for key in _PLACE if key in manifest["metadata"]
    }
    for key in ("labels", "annotations"):
        marks = _mapping(manifest, "metadata", key).items()
        if kept := {name: text for name, text in marks if not name.startswith(_TOOLS)}:
            metadata[key] = kept
    spec = manifest["spec"] if manifest["kind"] == DEPLOYMENT else _unassigned(manifest["spec"])
    copy = {key: manifest.get(key) for key in ("apiVersion", "kind")} | {"metadata": metadata, "spec": spec}
    swapped = dict(_swapped(copy, swaps, ()))
    return swapped | {"metadata": swapped["metadata"] | place}


def _unassigned(spec: Any) -> Any:  # noqa: ANN401 any part of a Service
    """A Service without what the API server gave it; one without an address stays without."""
    if isinstance(spec, list):
        return [_unassigned(each) for each in spec]
    if not isinstance(spec, Mapping):
        return spec
    taken = _ASSIGNED - ({"clusterIP"} if spec.get("clusterIP") == "None" else set())
    return {
        key: _unassigned(value) if key == "ports" else value
        for key, value in spec.items()
        if key not in taken
    }


def _swapped(value: Any, swaps: _Swaps, path: Path) -> Any:  # noqa: ANN401 any part of an object
    if isinstance(value, Mapping):
        return {key: _swapped(each, swaps, (*path, key)) for key, each in value.items()}
    if isinstance(value, list):
        return [_swapped(each, swaps, path) for each in value]
    return swaps.at(path).get(value, value) if isinstance(value, str) else value


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401 any part of an object
    """Each text with its path."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _texts(each, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _texts(each, f"{path}[{index}]")
    elif isinstance(value, str):
        yield path, value


def _mapping(manifest: Any, *path: str) -> Mapping[str, Any]:  # noqa: ANN401 a file can have anything
    """A part of an object; empty where there is none, or something else."""
    for key in path:
        manifest = manifest.get(key) if isinstance(manifest, Mapping) else None
    return manifest if isinstance(manifest, Mapping) else {}


def _refused(problem: str) -> Refusal:
    return Refusal(Reason.INVALID_SPEC, OPTION, problem)
