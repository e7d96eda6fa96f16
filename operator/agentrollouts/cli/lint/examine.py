"""What is wrong with one object: what the API server refuses, else what the operator refuses or doubts.

Each text begins with the path of a field, and a colon.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import ValidationError

from agentrollouts.api.gates import OnFail
from agentrollouts.api.people.freeze import AgentFreeze
from agentrollouts.api.reasons import Reason
from agentrollouts.api.release import AgentRelease
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.cli.admission import completed_object, refusals
from agentrollouts.cli.lint.documents import Manifest
from agentrollouts.cli.mistakes import problems
from agentrollouts.cli.plan import forecasts
from agentrollouts.core.action.windows import InvalidWindow, starts_around
from agentrollouts.core.analysis.analyze import refusals_of
from agentrollouts.core.containment.fallback import named_by
from agentrollouts.core.recovery.hooks import job
from agentrollouts.core.release.bundle import Bundle, assemble, edited, resolve
from agentrollouts.core.release.checks import Refusal, find_refusals, find_warnings
from agentrollouts.core.release.content import ConfigMapData, ConfigMaps
from agentrollouts.core.workload import template

DEFAULT_NAMESPACE: Final = "default"
_SOME_TIME: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""Windows are looked for 50 years around it; whether one can be read does not depend on it."""

Key = tuple[str, str, str]
"""Kind, namespace and name."""


@dataclass(frozen=True, slots=True)
class Neighbors:
    """The other objects in the files, and what the command line adds."""

    objects: Mapping[Key, Manifest] = field(default_factory=dict)
    before: Mapping[Key, Manifest] = field(default_factory=dict)
    """The objects that --against names."""
    runs_per_hour: float | None = None

    def find(self, kind: str, namespace: str, name: str) -> Manifest | None:
        """An object by its name."""
        return self.objects.get((kind, namespace, name))

    def config_maps(self, namespace: str) -> ConfigMaps:
        """Those in the files; one that is not there is taken for empty, as it can be in the cluster."""
        return _ConfigMaps(
            {
                name: ConfigMapData(_texts(each.get("data")), tuple(each.get("binaryData") or ()))
                for (kind, where, name), each in self.objects.items()
                if (kind, where) == ("ConfigMap", namespace)
            }
        )


class _ConfigMaps(dict[str, ConfigMapData | None]):
    def get(self, key: str, default: Any = None) -> ConfigMapData | None:  # noqa: ANN401 the signature is dict's
        return super().get(key, default or ConfigMapData({}))


def key_of(manifest: Manifest) -> Key:
    """Under which key an object is found."""
    metadata = manifest.get("metadata")
    named = metadata if isinstance(metadata, dict) else {}
    namespace = named.get("namespace") or DEFAULT_NAMESPACE
    return str(manifest.get("kind")), str(namespace), str(named.get("name"))


def errors(manifest: Manifest, neighbors: Neighbors) -> Iterator[str]:
    """What the API server refuses; if that is nothing, what the operator refuses later."""
    before = neighbors.before.get(key_of(manifest))
    if before is not None and refusals(before):
        before = None  # it was never in a cluster
    refused = refusals(manifest, before)
    yield from refused
    if refused or manifest["kind"] not in _CHECKS:
        return
    model, check, _ = _CHECKS[manifest["kind"]]
    try:
        parsed = _model(model, manifest)
    except ValidationError as error:
        yield from problems(error)
        return
    yield from check(parsed, neighbors)
    if before is not None and isinstance(parsed, AgentRelease):
        yield from _edits(parsed, _model(AgentRelease, before), neighbors)


def warnings(manifest: Manifest, neighbors: Neighbors) -> Iterator[str]:
    """What is doubtful in an object without errors."""
    if manifest["kind"] in _CHECKS:
        model, _, doubts = _CHECKS[manifest["kind"]]
        yield from doubts(_model(model, manifest), neighbors)


def _model(model: Any, manifest: Manifest) -> Any:  # noqa: ANN401 one of our kinds
    completed = completed_object(manifest)
    completed["metadata"] = {"namespace": DEFAULT_NAMESPACE, "name": ""} | completed["metadata"]
    return model.model_validate(completed, extra="ignore")


def _rollout(rollout: AgentRollout, neighbors: Neighbors) -> Iterator[str]:
    spec, namespace = rollout.spec, rollout.metadata.namespace
    yield from map(str, refusals_of(spec))
    found = neighbors.find("AgentRelease", namespace, spec.release_ref.name)
    release = None if found is None or refusals(found) else _model(AgentRelease, found)
    if release and release.spec.agent != spec.agent:
        yield (
            f"spec.releaseRef.name: {spec.release_ref.name} is a release of agent {release.spec.agent}, but "
            f"this rollout is of agent {spec.agent}; name another"
        )
    for index, hook in enumerate(spec.hooks):
        cron_job = hook.job and neighbors.find("CronJob", namespace, hook.job.cron_job)
        if cron_job and (problem := job.unfit(hook, cron_job, namespace)):
            yield f"spec.hooks[{index}].job.cronJob: {problem.message}"
    if spec.workload and release:
        deployment = neighbors.find("Deployment", namespace, spec.workload.deployment_ref.name)
        if deployment and (problem := template.unfit(deployment, spec.workload, release)):
            yield problem.message


def _doubts_of_rollout(rollout: AgentRollout, neighbors: Neighbors) -> Iterator[str]:
    spec = rollout.spec
    if spec.traffic.by_route and spec.fallback is None:
        actions = {f"gates[{index}]": gate.action for index, gate in enumerate(spec.gates)}
        actions |= {f"caps[{index}]": cap.action for index, cap in enumerate(spec.caps)}
        for place, action in actions.items():
            if action is OnFail.SWITCH_OFF:
                yield (
                    f"spec.{place}.action: SwitchOff without `spec.fallback`: the gateway answers "
                    "every request with an error; add `fallback` if something else can answer"
                )
    yield from _circle(rollout, neighbors)
    if neighbors.runs_per_hour is not None:
        places = {each.name: f"spec.gates[{index}]" for index, each in enumerate(spec.gates)}
        places |= {each.name: f"spec.phases[{index}]" for index, each in enumerate(spec.phases)}
        _, _, advice = forecasts(spec, neighbors.runs_per_hour)
        yield from (f"{places[text.partition(':')[0]]}: {text}" for text in advice)


def _circle(rollout: AgentRollout, neighbors: Neighbors) -> Iterator[str]:
    """Two agents that answer for each other."""
    name = named_by(rollout.spec)
    other = neighbors.find("AgentRollout", rollout.metadata.namespace, name) if name else None
    if other is None or refusals(other):
        return
    if named_by(_model(AgentRollout, other).spec) == rollout.metadata.name:
        yield (
            f"spec.fallback.rollout.name: {name} falls back to this rollout; while both are switched off, "
            "the gateway answers every request with an error; let one of them fall back to a Service"
        )


def _release(release: AgentRelease, neighbors: Neighbors) -> Iterator[str]:
    config_maps = neighbors.config_maps(release.metadata.namespace)
    refused = [*find_refusals(release, config_maps)]
    if not refused and isinstance(bundle := assemble(release, config_maps), Refusal):
        refused = [bundle]
    for refusal in refused:
        if refusal.reason is not Reason.REFERENCE_MISSING:
            yield f"{refusal.path}: {refusal.message.removeprefix(refusal.path).strip()}"


def _doubts_of_release(release: AgentRelease, neighbors: Neighbors) -> Iterator[str]:
    for doubt in find_warnings(release, neighbors.config_maps(release.metadata.namespace)):
        path, might, rest = doubt.partition(" might ")
        yield f"{path}: {might.strip()} {rest}"


def _edits(release: AgentRelease, before: AgentRelease, neighbors: Neighbors) -> Iterator[str]:
    """Free-form content that differs, which the API server cannot see."""
    bundle = resolve(before, neighbors.config_maps(release.metadata.namespace))
    component = edited(release, bundle.text) if isinstance(bundle, Bundle) else None
    if component:
        yield (
            f"spec.components.{component}: differs from before; releases are immutable, so write a new one "
            "with another name and version"
        )


def _freeze(freeze: AgentFreeze, _: Neighbors) -> Iterator[str]:
    for index, window in enumerate(freeze.spec.windows or ()):
        try:
            starts_around(window, _SOME_TIME)
        except InvalidWindow as invalid:
            yield f"spec.windows[{index}]: {invalid}; correct it"


def _nothing(*_: object) -> Iterator[str]:
    yield from ()


def _texts(data: object) -> dict[str, str]:
    return (
        {key: value for key, value in data.items() if isinstance(value, str)}
        if isinstance(data, dict)
        else {}
    )


_Check = Callable[[Any, Neighbors], Iterator[str]]
_CHECKS: Final[Mapping[str, tuple[Any, _Check, _Check]]] = {
    "AgentRollout": (AgentRollout, _rollout, _doubts_of_rollout),
    "AgentRelease": (AgentRelease, _release, _doubts_of_release),
    "AgentFreeze": (AgentFreeze, _freeze, _nothing),
}
"""The model of a kind, what is wrong, and what is doubtful."""
