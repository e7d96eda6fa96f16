"""What no version of any object may show, whatever was disturbed: S1 to S6 of the reliability notes, A1-A4.

Reads what the observer saw, in the order in which the API server stored it, and answers with sentences.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from campaigns.cluster.lanes import records
from campaigns.cluster.lanes.recorder import Manifest, Version, attempt_of, status_of
from campaigns.cluster.lanes.scene import SIBLING
from campaigns.routes import fallback_of, percent_off, rules_of, share_off, shares, wrong_rules

_FULL: Final = 100
_LATCHED: Final = frozenset({"RollingBack", "Verifying", "RolledBack"})
_ENDS: Final = _LATCHED | {"Healthy", "Superseded"}


@dataclass(slots=True)
class _World:
    """What was stored up to a version."""

    rollout: Manifest = field(default_factory=dict)
    releases: dict[str, Manifest] = field(default_factory=dict)
    snapshots: dict[str, Manifest] = field(default_factory=dict)
    records: dict[str, Manifest] = field(default_factory=dict)
    taken_back: set[int] = field(default_factory=set)
    """Attempts whose canary had traffic and lost it."""
    acted: set[str] = field(default_factory=set)
    """Actions that were ever taken, by uid."""
    named: set[str] = field(default_factory=set)
    """Jobs that any status has named."""
    last_share: dict[str, int] = field(default_factory=dict)
    """The canary's share on each traffic object, by kind."""

    @property
    def status(self) -> Manifest:
        return status_of(self.rollout)

    @property
    def attempt(self) -> Manifest:
        return attempt_of(self.rollout)


def broken(versions: Iterable[Version]) -> list[str]:
    """Everything that does not hold, each named by its invariant and the version that shows it."""
    violations = list[str]()
    worlds = defaultdict[bool, _World](_World)
    for version in versions:
        world = worlds[SIBLING in version.name.split("-")]  # each rollout by itself
        violations += [f"{text} (version {version.number})" for text in _look(world, version)]
    return violations


def _look(world: _World, version: Version) -> Iterator[str]:
    manifest = version.manifest
    if version.kind == "AgentRollout":
        if not version.is_gone:
            yield from _rollout(world, manifest)
            world.rollout = manifest
    elif version.kind == "AgentRolloutRecord":
        if not version.is_gone:
            yield from records.grown(world.records.get(version.name), manifest)
            world.records[version.name] = manifest
    elif version.kind == "AgentRelease":
        world.releases[version.name] = manifest
    elif version.kind == "Job":
        yield from _job(world, version)
    elif "bundle.json" in manifest.get("data", {}):
        world.snapshots[version.name] = manifest
    else:
        yield from _look_at_traffic(world, version)


def _look_at_traffic(world: _World, version: Version) -> Iterator[str]:
    manifest = version.manifest
    if version.is_gone or not _is_ours(manifest):
        return
    elif version.kind == "HTTPRoute":
        yield from _route(world, manifest)
    elif "split.json" in manifest.get("data", {}):
        yield from _split(world, json.loads(manifest["data"]["split.json"]))


def _job(world: _World, version: Version) -> Iterator[str]:
    """A4: the status names a Job before it exists, and never another one for the same try."""
    entries = world.status.get("hooks", ())
    if not version.is_gone and version.name not in world.named:
        yield f"A4: Job {version.name} exists, the status names {[entry.get('job') for entry in entries]}"


def _is_ours(manifest: Manifest) -> bool:
    """Whether this version is as the operator wrote it; what others make of it is not its fault."""
    fields = manifest["metadata"].get("managedFields", ())
    return {entry["manager"] for entry in fields if not entry.get("subresource")} == {"agentrollouts"}


def _route(world: _World, route: Manifest) -> Iterator[str]:
    fallback = fallback_of(world.rollout.get("spec") or {})
    for sentence in wrong_rules(route, fallback):
        yield f"S1: {sentence}"
    off = share_off(world.status)
    if percent_off(route) < off:
        yield f"S3: traffic comes back though {off}% is off"
    for weights in rules_of(route)[-1:] if world.status.get("stable") else ():
        ours = [share for name, share in shares(weights).items() if name != fallback]
        yield from _share(world, "HTTPRoute", ours[1] if len(ours) > 1 else 0)


def _split(world: _World, split: Manifest) -> Iterator[str]:
    sides = [side for side in (split["stable"], split["canary"]) if side]
    off = share_off(split)
    if (sides or not off) and sum(side["weight"] for side in sides) != _FULL - off:
        yield f"S1: the split is {sides}, and {off}% is off"
    for side in sides:
        if side["weight"]:
            yield from _admitted(world, side)
    if split["stable"]:
        yield from _share(world, "ConfigMap", split["canary"]["weight"] if split["canary"] else 0)


def _admitted(world: _World, side: Manifest) -> Iterator[str]:
    """S2: what is served exists, was admitted, and is what its digest says."""
    release = world.releases.get(side["release"])
    snapshot = world.snapshots.get(side["snapshot"])
    if release is None or snapshot is None:
        yield f"S2: {side['release']} has traffic and no release or no snapshot"
        return
    text = snapshot["data"]["bundle.json"].encode()
    if f"sha256:{hashlib.sha256(text).hexdigest()}" != side["digest"]:
        yield f"S2: the digest of {side['release']} is not that of its bundle"
    if (release.get("status") or {}).get("digest") not in {None, side["digest"]}:
        yield f"S2: {side['release']} is served with another digest than it has"


def _share(world: _World, kind: str, share: int) -> Iterator[str]:
    """S3 and S4: the canary has what the stored attempt asks for, and after a way back nothing any more."""
    number, before = world.attempt.get("number", 0), world.last_share.get(kind, 0)
    world.last_share[kind] = share
    if share > before:
        if share != world.attempt.get("weight", 0) or world.attempt.get("state") in _ENDS:
            stored = f"{world.attempt.get('weight')} in state {world.attempt.get('state')}"
            yield f"S3: {kind} gives the canary {share}, stored is {stored}"
        if number in world.taken_back:
            yield f"S4: {kind} gives the canary {share} after attempt {number} was taken back"
    elif share < before and share == 0 and world.status.get("canary"):
        world.taken_back.add(number)


def _rollout(world: _World, rollout: Manifest) -> Iterator[str]:
    attempt, former = attempt_of(rollout), world.attempt
    if attempt.get("number", 0) < former.get("number", 0):
        yield f"S6: attempt {former['number']} was followed by {attempt.get('number')}"
    if attempt and attempt["number"] == former.get("number"):
        if former.get("state") in _LATCHED and attempt["state"] not in _LATCHED:
            yield f"S4: attempt {attempt['number']} went from {former['state']} to {attempt['state']}"
        yield from _risen(world, rollout, attempt, former)
    if attempt.get("state") in _LATCHED:
        world.taken_back.add(attempt["number"])
    world.named |= {entry["job"] for entry in status_of(rollout).get("hooks", ()) if "job" in entry}
    yield from _tries(status_of(rollout), world.status)
    yield from _acted(world, rollout)
    yield from records.unwritten(world.status, status_of(rollout))
    yield from _remembered(status_of(rollout))


def _tries(status: Manifest, before: Manifest) -> Iterator[str]:
    """A4: the same try of a hook keeps its Job."""

    def jobs(of: Manifest) -> dict[tuple[Any, ...], str]:
        entries = (entry for entry in of.get("hooks", ()) if "job" in entry)
        return {
            (entry["attempt"], entry["at"], entry["name"], entry["tries"]): entry["job"] for entry in entries
        }

    former = jobs(before)
    for key, job in jobs(status).items():
        if former.get(key, job) != job:
            yield f"A4: the Job of {key} was {former[key]} and is {job}"


def _entries(rollout: Manifest) -> dict[str, Manifest]:
    return {entry["uid"]: entry for entry in status_of(rollout).get("actions", ())}


def _just_taken(world: _World, rollout: Manifest, kind: str) -> bool:
    """Whether an action of that type took effect with this version."""
    new = _entries(rollout).keys() - _entries(world.rollout).keys()
    return any(entry["type"] == kind for uid, entry in _entries(rollout).items() if uid in new)


def _acted(world: _World, rollout: Manifest) -> Iterator[str]:
    """A1: an action and its effect are in the same version, and once."""
    entries = _entries(rollout)
    new = entries.keys() - _entries(world.rollout).keys()
    if again := new & world.acted:
        yield f"A1: taken again: {sorted(entries[uid]['name'] for uid in again)}"
    world.acted |= new
    facts = _facts(status_of(rollout)) - _facts(world.status)
    if unnamed := facts - {entries[uid]["name"] for uid in new}:
        yield f"A1: an effect of {sorted(unnamed)} without their entries"


def _facts(status: Manifest) -> set[str]:
    attempt = status.get("attempt") or {}
    facts = [
        attempt.get("promoted"),
        attempt.get("heldBy"),
        attempt.get("acknowledged"),
        status.get("retried"),
    ]
    facts += [hook.get("waived") for hook in status.get("hooks", ())]
    return {fact["action"] for fact in (*facts, *attempt.get("approvedBy", ())) if fact}


def _risen(world: _World, rollout: Manifest, attempt: Manifest, former: Manifest) -> Iterator[str]:
    """S3: more weight, and the end, only by the plan, and with every gate passing or a person agreeing."""
    plan = rollout["spec"]["phases"]
    is_forward = attempt.get("weight", 0) > former.get("weight", 0) or (
        attempt["state"] in {"Baking", "Healthy"} and former["state"] in {"Canary", "AwaitingApproval"}
    )
    if not is_forward or not former.get("phaseName") or former["state"] == "Pending":
        return
    if attempt.get("weight", 0) > max(phase["weight"] for phase in plan):
        yield f"S3: weight {attempt['weight']} is not in the plan"
    if attempt.get("phaseIndex", 0) - former.get("phaseIndex", 0) not in {0, 1}:
        yield f"S3: from phase {former['phaseIndex']} to {attempt['phaseIndex']}"
    left = plan[former.get("phaseIndex", 0)]
    is_asked = left.get("approval") == "Required" and attempt.get("phaseName") != former["phaseName"]
    given = attempt.get("approvedBy", ())
    people = {each["by"].casefold() for each in given if each["phaseName"] == left["name"]}
    if is_asked and len(people) < left.get("approvals", 1):
        yield f"S3: onward from {left['name']} by {sorted(people)} alone"
    if former.get("promoted") or _just_taken(world, rollout, "Promote"):
        return  # a person vouches for what is measured
    verdicts = {gate["name"]: gate["verdict"] for gate in rollout["status"].get("gates", ())}
    if failing := [gate["name"] for gate in rollout["spec"]["gates"] if verdicts.get(gate["name"]) != "Pass"]:
        yield f"S3: onward from {former['phaseName']} though {failing} did not pass"


def _remembered(status: Manifest) -> Iterator[str]:
    """S5 and S6: a way back leads to what was healthy, and each attempt is remembered once."""
    history: Sequence[dict[str, Any]] = status.get("history", ())
    numbers = [entry["number"] for entry in history]
    if len(numbers) != len(set(numbers)):
        yield f"S6: the history has attempts {numbers}"
    rollback = status.get("lastRollback")
    healthy = {entry["release"] for entry in history if entry["outcome"] == "Healthy"}
    if rollback and (rollback["to"] not in healthy or rollback["to"] == rollback["from"]):
        yield f"S5: {rollback['from']} was rolled back to {rollback['to']}, healthy were {sorted(healthy)}"
