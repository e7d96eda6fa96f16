"""What concerns what: which rollouts and releases a change of an object touches.

The rules are on plain objects. The cache keeps an index of `entries`, by which it finds the objects again.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Final

from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.names import LABEL_AGENT, LABEL_ROLLOUT
from agentrollouts.api.people.action import ActionType
from agentrollouts.core.action.ledger import FINAL
from agentrollouts.core.conditions import READY
from agentrollouts.core.release.snapshot import released
from agentrollouts.core.states import ENDS
from agentrollouts.core.traffic.backends import weighted
from agentrollouts.core.traffic.conflicts import doors
from agentrollouts.core.traffic.manifests import HTTP_ROUTE, ROUTES
from agentrollouts.core.traffic.routers import table
from agentrollouts.shell.index import fallbacks, requirements

ACTION: Final = "AgentRolloutAction"
CONFIG_MAP: Final = "ConfigMap"
FREEZE: Final = "AgentFreeze"
RELEASE: Final = "AgentRelease"
ROLLOUT: Final = "AgentRollout"
ROUTE: Final = HTTP_ROUTE

CLAIM: Final = "claim"
"""Opens the entry of an object of another owner that a rollout has claimed."""
RELEASE_NAME: Final = "release"
"""Opens the entry of a release by its own name."""
PARENT: Final = "parent"
"""Opens the entry of a release by that of its parent."""
UNDER_WAY: Final = "attempt"
"""Opens the entries of a rollout with an attempt that is pending or in progress."""


def entries(key: Ref, manifest: Manifest) -> Iterator[Hashable]:
    """Under what an object is found: its agent, and those that it names or that have claimed it."""
    if key.kind == ACTION:
        yield ACTION, Ref(ROLLOUT, key.namespace, rollout_of(manifest)), is_back(manifest)
        return
    if key.kind == FREEZE:
        yield FREEZE, key.namespace
        return
    yield from ((CLAIM, Ref(ROLLOUT, key.namespace, name)) for name in table.claimants(manifest))
    if key.kind in ROUTES:
        yield from door_numbers(manifest)
        yield from {f"{key.namespace}/{name}" for name in weighted([manifest])}
        return
    yield key.kind, key.namespace, agent_of(manifest)
    if key.kind in {ROLLOUT, RELEASE}:
        yield key.kind, key.namespace
        yield from requirements.entries(key, manifest)
    if key.kind == RELEASE:
        yield RELEASE_NAME, key.namespace, key.name
        if parent := (_spec(manifest).get("parent") or {}).get("name"):
            yield PARENT, key.namespace, parent
    if key.kind == ROLLOUT and is_under_way(manifest):
        yield from ((UNDER_WAY,), (UNDER_WAY, key.namespace))
    if key.kind == ROLLOUT:
        yield from fallbacks.entries(key, manifest)
        yield (Ref(RELEASE, key.namespace, (_spec(manifest).get("releaseRef") or {}).get("name") or ""),)
        yield from ((Ref(RELEASE, key.namespace, name),) for name in _standbys(manifest))
        yield from ((named,) for named in _named(manifest))


def touched(
    manifest: Manifest, find: Callable[..., Iterable[Ref]], *, is_claim_new: bool = True
) -> Iterator[Ref]:
    """The rollouts and releases that have to be looked at when this object changes.

    Args:
        manifest: The object.
        find: The known objects under one of the `entries`, given as its parts.
        is_claim_new: Whether `claim_of` a rollout has changed; another rollout depends on nothing else of it.
    """
    key, agent = Ref.of(manifest), agent_of(manifest)
    if key.kind == ACTION:
        yield Ref(ROLLOUT, key.namespace, rollout_of(manifest))
        return
    if key.kind == FREEZE:
        yield key
        return
    labels = manifest["metadata"].get("labels") or {}
    if key.kind in {ROLLOUT, RELEASE}:
        yield key
    elif rollout := labels.get(LABEL_ROLLOUT):
        yield Ref(ROLLOUT, key.namespace, rollout)
    elif key.kind == CONFIG_MAP:  # a snapshot
        for name in released(labels, manifest["metadata"].get("annotations") or {}):
            yield from find(RELEASE_NAME, key.namespace, name)
            yield from find(PARENT, key.namespace, name)
        yield from find(ROLLOUT, key.namespace, agent)
    if key.kind != ROLLOUT:  # those that name it, and those that have claimed it
        yield from find(key)
        yield from (Ref(ROLLOUT, key.namespace, name) for name in table.claimants(manifest))
    if (
        key.kind == ROLLOUT and is_claim_new
    ):  # of two rollouts of one agent, or on one rule, one may have had to wait
        yield from find(ROLLOUT, key.namespace, agent)
        for named in _named(manifest):
            yield from find(named)


def concerned(rollout: Manifest, known: requirements.Known, *, is_gone: bool = False) -> tuple[Ref, ...]:
    """The rollouts that depend on what a rollout serves: by a requirement, or in a detour."""
    required = requirements.dependents(rollout, known, is_gone=is_gone)
    return (*required, *fallbacks.followers(rollout, known, is_gone=is_gone))


def frozen(freeze: Manifest, find: Callable[..., Iterable[Ref]], home: str | None) -> Iterator[Ref]:
    """The rollouts with a pending attempt, or one in progress, that a freeze may be about, by their names.

    Args:
        freeze: The freeze.
        find: The known objects under one of the `entries`, given as its parts.
        home: Namespace of the operator, whose freezes are about others; None if it has none.
    """
    place, spec = freeze["metadata"]["namespace"], _spec(freeze)
    places = [place] if place != home else spec.get("namespaces")
    named = spec.get("rollouts")
    entries = [(UNDER_WAY,)] if not places else [(UNDER_WAY, each) for each in places]
    for key in (key for entry in entries for key in find(*entry)):
        if not named or key.name in named:
            yield key


def lasting(entries: Iterable[Hashable]) -> tuple[Hashable, ...]:
    """Those of the `entries` of an object that do not come and go with an attempt."""
    return tuple(each for each in entries if not (isinstance(each, tuple) and each[0] == UNDER_WAY))


def is_under_way(rollout: Manifest) -> bool:
    """Whether an attempt of a rollout is pending or in progress."""
    attempt = (rollout.get("status") or {}).get("attempt") or {}
    return attempt.get("state") not in ENDS | {None}


def claim_of(rollout: Manifest) -> Manifest:
    """Of a rollout, what decides which of two that name one agent, or one rule of a route, has to wait."""
    metadata, status = rollout["metadata"], rollout.get("status") or {}
    patch = (_spec(rollout).get("traffic") or {}).get("routePatch") or {}
    kept = ("name", "namespace", "creationTimestamp", "deletionTimestamp")
    return {
        "metadata": {key: metadata[key] for key in kept if key in metadata},
        "spec": {"traffic": {"routePatch": {key: patch[key] for key in ("name", "rule") if key in patch}}},
        "status": {key: True for key in ("attempt", "stable") if key in status},
    }


def rollout_of(action: Manifest) -> str:
    """The name of the rollout that an action is about."""
    return str(_spec(action).get("rollout") or "")


def is_back(action: Manifest) -> bool:
    """Whether an action requests a rollback, which comes before all others."""
    return _spec(action).get("type") == ActionType.ROLL_BACK


def is_answered(action: Manifest) -> bool:
    """Whether an action has its last answer, so that nothing depends on it anymore."""
    conditions = (action.get("status") or {}).get("conditions") or ()
    return any(each.get("type") == READY and each.get("reason") in FINAL for each in conditions)


def door_numbers(route: Manifest) -> Iterator[int]:
    """The hostnames and parents of a route as small numbers; collisions are resolved later."""
    return (hash(door) for door, _ in doors(route))


def agent_of(manifest: Manifest) -> str | None:
    """The agent of a release, a rollout or a snapshot; our traffic ConfigMaps are found by name alone."""
    if manifest["kind"] in {ROLLOUT, RELEASE}:
        return _spec(manifest).get("agent")
    labels = manifest["metadata"].get("labels") or {}
    return None if LABEL_ROLLOUT in labels else labels.get(LABEL_AGENT)


def _named(manifest: Manifest) -> Iterator[Ref]:
    """The objects of other owners in which a rollout sets weights."""
    namespace = manifest["metadata"]["namespace"]
    return (Ref(kind, namespace, name) for kind, name in table.named(_spec(manifest).get("traffic") or {}))


def _standbys(manifest: Manifest) -> Iterator[str]:
    """Names of the releases that may serve in the place of stable."""
    listed = _spec(manifest).get("standby") or ()
    return (str((each.get("releaseRef") or {}).get("name") or "") for each in listed)


def _spec(manifest: Manifest) -> Manifest:
    spec = manifest.get("spec")
    return spec if isinstance(spec, dict) else {}
