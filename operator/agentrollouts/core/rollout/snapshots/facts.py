"""What is known of a digest, kept on its snapshot: that it was found healthy, and that it is quarantined.

The snapshot outlives the rollout. A rollout that is created again, by `kubectl replace --force`, by a GitOps
tool or from a backup, reads here what its predecessor knew. Facts are written from the persisted status
alone, so a write that was lost is repeated by the next decision. What a status does not know is left as it
is.

Each fact names its agent and its whole digest, so one that was copied to another snapshot does not count. Nor
does one that someone else wrote last, as the managed fields say.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from agentrollouts.api.model.base import (
    ApiModel,
    Digest,
    DnsLabel,
    Message,
    ReasonStr,
    ReleaseName,
    SemVer,
    Time,
)
from agentrollouts.api.names import FIELD_MANAGER, GROUP
from agentrollouts.api.objects import ObjectMeta
from agentrollouts.api.recovery.tools import TOOLS
from agentrollouts.api.release import ServiceRef
from agentrollouts.api.status import AgentRolloutStatus, HistoryEntry, Outcome, Quarantined, Requirements
from agentrollouts.core.effects import Write
from agentrollouts.core.history import newest_word
from agentrollouts.core.release.snapshot import MAKER, snapshot_name
from agentrollouts.core.rollout.observation import Observation

HEALTHY: Final = f"{GROUP}/healthy"
QUARANTINED: Final = f"{GROUP}/quarantined"
FACTS_MANAGER: Final = f"{FIELD_MANAGER}-facts"
"""The field manager of both annotations. One for all rollouts: the next one takes over from the last."""


SAYS: Final = "The snapshot says: "
MESSAGE_LENGTH: Final = 300
"""Characters of the sentence that is kept with a quarantine."""


class Healthy(ApiModel):
    """A digest was found healthy; with everything that is needed to serve it."""

    agent: DnsLabel
    digest: Digest
    release: ReleaseName
    version: SemVer
    service: ServiceRef | None = None
    attempt: int = 1
    time: Time
    """When it was found healthy, or later, when a rollback returned to it."""
    requires: Requirements = ()


class Banned(ApiModel):
    """A digest was rolled back and is not tried again."""

    agent: DnsLabel
    digest: Digest
    release: ReleaseName
    reason: ReasonStr
    message: Message = ""
    attempt: int = 0
    time: Time

    @property
    def entry(self) -> Quarantined:
        """As a status lists it; the sentence is quoted once, since many people can edit a ConfigMap."""
        message = self.message
        if message and not message.startswith(SAYS):
            message = f'{SAYS}"{message}"'
        return Quarantined.model_validate(self.model_dump(exclude={"agent"}) | {"message": message})


Fact = TypeVar("Fact", Healthy, Banned)


def healthy_of(snapshot: ObjectMeta, agent: str) -> Healthy | None:
    """What the snapshot says of its digest's health; None if nothing, or nothing of this digest."""
    return _read(Healthy, snapshot, HEALTHY, agent)


def ban_of(snapshot: ObjectMeta, agent: str) -> Banned | None:
    """The quarantine that the snapshot records; None if none, or none of this digest."""
    return _read(Banned, snapshot, QUARANTINED, agent)


def _read(model: type[Fact], snapshot: ObjectMeta, key: str, agent: str) -> Fact | None:
    text = snapshot.annotations.get(key)
    try:
        fact = model.model_validate_json(text) if text else None
    except ValidationError:  # someone else wrote it
        return None
    is_bound = fact and fact.agent == agent and snapshot_name(agent, fact.digest) == snapshot.name
    return fact if is_bound else None


def with_own_facts(manifest: dict[str, Any]) -> dict[str, Any]:
    """A ConfigMap as returned by the API server, without facts, and tools, that we have not written last."""
    metadata = manifest["metadata"]
    annotations = metadata.get("annotations") or {}
    facts = {HEALTHY, QUARANTINED, TOOLS} & annotations.keys()
    if manifest["kind"] != "ConfigMap" or not facts:
        return manifest
    ours = {
        key.removeprefix("f:")
        for entry in metadata.get("managedFields") or ()
        if entry.get("operation") == "Apply" and _is_ours(str(entry.get("manager")))
        for key in ((entry.get("fieldsV1") or {}).get("f:metadata") or {}).get("f:annotations") or ()
    }
    kept = {key: text for key, text in annotations.items() if key not in facts - ours}
    return {**manifest, "metadata": {**metadata, "annotations": kept}}


def _is_ours(manager: str) -> bool:
    """Whether a field manager writes facts, or makes snapshots."""
    return manager == FACTS_MANAGER or manager.startswith(MAKER)


def fact_writes(obs: Observation) -> Iterator[Write]:
    """What the snapshots do not say yet of what the persisted status knows."""
    agent = obs.rollout.spec.agent
    for digest in _digests(obs.status):
        snapshot = obs.snapshots.get(snapshot_name(agent, digest))
        if snapshot is None:
            continue
        annotations = snapshot.annotations
        current = {key: annotations[key] for key in (HEALTHY, QUARANTINED) if key in annotations}
        desired = _desired(obs.status, agent, digest, current)
        if desired != current:
            yield _write(snapshot, desired)


def _write(snapshot: ObjectMeta, annotations: Mapping[str, str]) -> Write:
    """Both annotations as a whole; refused by the API server where the snapshot is another one by now."""
    metadata = {
        "name": snapshot.name,
        "namespace": snapshot.namespace,
        "uid": snapshot.uid,
        "annotations": dict(annotations),
    }
    return Write({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}, FACTS_MANAGER)


def _digests(status: AgentRolloutStatus) -> tuple[str, ...]:
    """All digests that the status knows something of."""
    records = (status.stable, status.canary, *status.history, *status.quarantined)
    return tuple(dict.fromkeys(record.digest for record in records if record))


def _desired(
    status: AgentRolloutStatus, agent: str, digest: str, current: Mapping[str, str]
) -> Mapping[str, str]:
    """The annotations of a digest: what the status says of it, else what was there."""
    desired = dict(current)
    if newest_word(digest, status) is not None or (status.stable and status.stable.digest == digest):
        _set(desired, HEALTHY, _healthy(status, agent, digest))
    banned = next((entry for entry in status.quarantined if entry.digest == digest), None)
    if banned or any(record and record.digest == digest for record in (status.stable, status.canary)):
        _set(desired, QUARANTINED, _ban(agent, banned) if banned else None)
    return desired


def _set(annotations: dict[str, str], key: str, fact: Mapping[str, object] | None) -> None:
    if fact is None:
        annotations.pop(key, None)
    else:
        annotations[key] = json.dumps(fact, sort_keys=True, separators=(",", ":"))


def _ban(agent: str, entry: Quarantined) -> Mapping[str, object]:
    """A `Banned` as JSON. Written by hand, as every decision compares it with what the snapshot says."""
    return {
        "agent": agent,
        "attempt": entry.attempt,
        "digest": entry.digest,
        "message": entry.message[:MESSAGE_LENGTH],
        "reason": entry.reason,
        "release": entry.release,
        "time": _text(entry.time),
    }


def _healthy(status: AgentRolloutStatus, agent: str, digest: str) -> Mapping[str, object] | None:
    """A `Healthy` as JSON; None if the newest word about the digest is another one."""
    stable, entry, rollback = status.stable, _newest_healthy(status, digest), status.last_rollback
    is_stable = stable is not None and stable.digest == digest
    record = stable if is_stable else entry
    if record is None or not (is_stable or newest_word(digest, status) is Outcome.HEALTHY):
        return None
    times = [stable.healthy_time if stable and is_stable else None, entry and entry.end_time]
    if is_stable and rollback is not None and rollback.to == record.release:
        times.append(rollback.decided_time)  # it serves since then, after a newer one
    moments = [time for time in times if time]
    if not moments:
        return None
    service = record.service
    return {
        "agent": agent,
        "attempt": entry.number if entry else 1,
        "digest": digest,
        "release": record.release,
        "time": _text(max(moments)),
        "version": record.version,
        **({"service": service.to_json()} if service else {}),
        **({"requires": [each.to_json() for each in record.requires]} if record.requires else {}),
    }


def _text(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def _newest_healthy(status: AgentRolloutStatus, digest: str) -> HistoryEntry | None:
    entries = (e for e in status.history if e.digest == digest and e.outcome is Outcome.HEALTHY)
    return next(entries, None)
