"""Changes of our traffic objects by someone else, each reported in an Event that names the writer.

Restoring them needs no code of its own, since whatever is not shown is written. This only distinguishes it
from a write of our own: the traffic was confirmed, and no longer is.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from agentrollouts.api.names import FIELD_MANAGER
from agentrollouts.api.reasons import Reason
from agentrollouts.core.effects import Effect, Event, Manifest, Patch, Write
from agentrollouts.core.traffic.manifests import covers, is_ours, key_of
from agentrollouts.core.traffic.observed import Observed
from agentrollouts.core.traffic.routers.table import managed_path
from agentrollouts.core.traffic.state import TrafficState

NOT_NAMED: Final = "a client that managedFields does not name"
"""Who changes an object again and again without a trace."""

_Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Drift:
    """A traffic object whose split is not the desired one, and so is written."""

    target: str
    """Its kind and name."""
    by: str | None
    """The field manager that has changed it after us; None if that is unknown."""
    is_gone: bool = False
    """Whether the object is missing."""


def drifts(obs: Observed, effects: Iterable[Effect]) -> tuple[Drift, ...]:
    """The objects of these writes, without those of which only labels, owners or marks differ."""
    seen = ((effect, obs.traffic.get(key_of(effect.manifest))) for effect in effects)
    found = (
        Drift(" ".join(key_of(effect.manifest)), _writer(obs, effect, actual), actual is None)
        for effect, actual in seen
        if actual is None or _differs(effect, actual)
    )
    return tuple({drift.target: drift for drift in found}.values())


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
    reported, unnamed = set(), NOT_NAMED if obs.contest else None
    for change in state.changes:
        target, actual = " ".join(key_of(change.manifest)), obs.traffic.get(key_of(change.manifest))
        if target in reported:
            continue
        if actual is None:
            reported.add(target)
            yield _event(f"{target} was deleted; the operator restored it")
        elif _is_restored(obs, change, actual) and (who := _writer(obs, change, actual) or unnamed):
            reported.add(target)
            yield _event(f"{target} was changed by {who}; the operator restored it")


def _writer(obs: Observed, effect: Effect, actual: Manifest | None) -> str | None:
    """Who has changed what an effect restores; None for an object that was never ours."""
    if actual is None or not _is_restored(obs, effect, actual):
        return None
    path = managed_path(actual["kind"], is_own=is_ours(actual, obs.rollout))
    return last_writer(actual, [*([path] if _differs(effect, actual) else ()), *_altered(effect, actual)])


def _is_restored(obs: Observed, effect: Effect, actual: Manifest) -> bool:
    """Whether an effect is about what we have written before: an object of ours, or weights in a rule."""
    return isinstance(effect, Patch) or is_ours(actual, obs.rollout)


def last_writer(manifest: Manifest, paths: Sequence[_Path]) -> str | None:
    """The field manager that wrote one of these fields after us; None if we were the last, or if unknown.

    One can have no name: the API server stores what an editor writes into `managedFields`.
    """
    others = [
        entry
        for entry in manifest["metadata"].get("managedFields") or ()
        if not entry.get("subresource")
        and entry.get("manager") != FIELD_MANAGER
        and any(_has(entry.get("fieldsV1"), path) for path in paths)
    ]
    newest = max(others, key=lambda entry: entry.get("time") or "", default=None)
    return None if newest is None else str(newest.get("manager") or "a client without a name")


def _differs(effect: Effect, actual: Manifest) -> bool:
    """Whether more than metadata is not as desired, such as what someone has added to our rules or flags."""
    if not isinstance(effect, Write):
        return True
    content = {key: value for key, value in effect.manifest.items() if key != "metadata"}
    return not covers(actual, content) or covers(actual["metadata"], effect.manifest["metadata"])


def _altered(effect: Effect, actual: Manifest) -> Iterator[_Path]:
    """The labels and annotations that are not as they are written, as paths in `managedFields`."""
    if not isinstance(effect, Write):
        return
    for part in ("labels", "annotations"):
        there = actual["metadata"].get(part) or {}
        for key, value in (effect.manifest["metadata"].get(part) or {}).items():
            if there.get(key) != value:
                yield "f:metadata", f"f:{part}", f"f:{key}"


def _has(fields: Any, path: _Path) -> bool:  # noqa: ANN401 any JSON
    for step in path:
        fields = fields.get(step) if isinstance(fields, Mapping) else None
    return fields is not None


def _event(message: str) -> Event:
    return Event(Reason.ROUTE_RESTORED, message, is_warning=True)
