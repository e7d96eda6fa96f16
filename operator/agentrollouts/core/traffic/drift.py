"""Changes of our traffic objects by someone else, each reported in an Event that names the writer.

Restoring them needs no code of its own, since whatever is not shown is written. This only distinguishes it
from a write of our own: the traffic was confirmed, and no longer is.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from agentrollouts.api.names import FIELD_MANAGER
from agentrollouts.api.reasons import Reason
from agentrollouts.core.effects import Event, Manifest, Patch
from agentrollouts.core.traffic.manifests import is_ours, key_of
from agentrollouts.core.traffic.observed import Observed
from agentrollouts.core.traffic.routers.table import managed_path
from agentrollouts.core.traffic.state import TrafficState


def restorations(obs: Observed, state: TrafficState) -> Iterator[Event]:
    """One Event for each traffic object that someone else has changed since it was confirmed.

    Args:
        obs: The traffic as observed.
        state: The traffic, compared with the persisted status.
    """
    desired, confirmed = state.weights, obs.status.weights
    if state.is_shown or desired is None or confirmed is None:
        return
    if (desired.stable, desired.canary) != (confirmed.stable, confirmed.canary):
        return
    if obs.status.observed_generation != obs.rollout.metadata.generation:
        return  # the spec was edited, and wants something else now
    if obs.traffic_problem:
        return  # reported when it was first tried; it cannot be restored
    for kind, name in dict.fromkeys(_changed(obs, state)):
        manifest = obs.traffic.get((kind, name))
        if manifest is None:
            yield _event(f"{kind} {name} was deleted; the operator restored it")
        elif who := last_writer(manifest):
            yield _event(f"{kind} {name} was changed by {who}; the operator restored it")


def last_writer(manifest: Manifest) -> str | None:
    """The field manager that wrote the weights after us; None if we were the last, or if that is unknown.

    One can have no name: the API server stores what an editor writes into `managedFields`.
    """
    path = managed_path(manifest["kind"])
    entries = [
        entry
        for entry in manifest["metadata"].get("managedFields") or ()
        if not entry.get("subresource") and _has(entry.get("fieldsV1"), path)
    ]
    others = [entry for entry in entries if entry.get("manager") != FIELD_MANAGER]
    newest = max(others, key=lambda entry: entry.get("time") or "", default=None)
    return None if newest is None else str(newest.get("manager") or "a client without a name")


def _changed(obs: Observed, state: TrafficState) -> Iterator[tuple[str, str]]:
    for change in state.changes:
        actual = obs.traffic.get(key_of(change.manifest))
        if actual is None or isinstance(change, Patch) or is_ours(actual, obs.rollout):
            yield key_of(change.manifest)


def _has(fields: Any, path: tuple[str, ...]) -> bool:  # noqa: ANN401 any JSON
    for step in path:
        fields = fields.get(step) if isinstance(fields, Mapping) else None
    return fields is not None


def _event(message: str) -> Event:
    return Event(Reason.ROUTE_RESTORED, message, is_warning=True)
