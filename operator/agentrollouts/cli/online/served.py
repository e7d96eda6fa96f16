"""Where and when one digest served: what rollouts, records and releases know of it.

Pure: from manifests to values, and from these to JSON. Used by `who_served`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, NamedTuple

from pydantic import TypeAdapter

from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.model.base import Time
from agentrollouts.api.release import ComponentDiff
from agentrollouts.api.status import AgentRolloutStatus, HistoryEntry, Outcome, ReleaseRecord
from agentrollouts.core.attempt.course import changes_of_weight
from agentrollouts.core.states import ENDS

_TIME: Final = TypeAdapter[datetime](Time)
IN_PROGRESS: Final = "in progress"


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """A span in which the release had a share of the requests."""

    start: datetime
    end: datetime | None = None
    """None while it has not ended, or if that is unknown."""
    weights: tuple[tuple[datetime, int], ...] = ()
    """Each share in percent, and since when; empty if unknown."""
    runs: int | None = None
    """Runs that were counted."""


class Before(NamedTuple):
    """What served before an attempt."""

    release: str
    digest: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One attempt with the digest."""

    number: int
    outcome: str = IN_PROGRESS
    reason: str = ""
    message: str = ""
    before: Before | None = None
    """What served before."""
    diff: tuple[ComponentDiff, ...] | None = None
    """Components that differ from what served before; None if no record says so."""
    traffic: Traffic | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """All that one rollout knows of the digest."""

    namespace: str
    rollout: str
    release: str
    version: str
    digest: str
    weight: int
    """Its share of the requests now."""
    tries: tuple[Try, ...]
    stable: tuple[Traffic, ...] = ()
    """Spans in which it had all requests, because an attempt had ended Healthy."""
    diff: tuple[ComponentDiff, ...] = ()
    """Components that differ from those of its parent, as its AgentRelease says."""


def digests_of(rollout: Manifest) -> set[str]:
    """The digests that a rollout knows of; the status is not validated, since most do not matter."""
    status = rollout.get("status") or {}
    records = [
        *(status.get(part) for part in ("stable", "canary", "attempt")),
        *(status.get("history") or ()),
    ]
    return {str(record["digest"]) for record in records if record and "digest" in record}


def served(rollout: Manifest, records: Iterable[Manifest], digest: str) -> Served | None:
    """What a rollout and its records know of a digest; None if that is nothing.

    Raises:
        pydantic.ValidationError: the status is of a version that cannot be read.
    """
    status, ref = AgentRolloutStatus.model_validate(rollout.get("status") or {}), Ref.of(rollout)
    specs = sorted((record["spec"] for record in records), key=lambda spec: (spec["attempt"], spec["part"]))
    known = next(_known(status, specs, digest), None)
    if known is None:
        return None
    tries = {each.number: each for each in _tries(status, digest)}
    for number, parts in groupby(specs, key=itemgetter("attempt")):
        tries[number] = _recorded(tries.get(number), list(parts))
    release, version = known
    return Served(
        namespace=ref.namespace,
        rollout=ref.name,
        release=release,
        version=version,
        digest=digest,
        weight=_weight(status, digest),
        tries=tuple(tries[number] for number in sorted(tries, reverse=True)),
        stable=tuple(_as_stable(status, digest)),
    )


def only_recorded(records: Iterable[Manifest], digest: str) -> Iterator[Served]:
    """What is known of rollouts that no longer exist: their records outlive them."""
    groups: dict[tuple[str, str], list[Manifest]] = {}
    for record in records:
        groups.setdefault((record["metadata"]["namespace"], record["spec"]["rollout"]), []).append(record)
    for (namespace, name), group in groups.items():
        metadata = {"namespace": namespace, "name": name}
        if found := served({"kind": "AgentRollout", "metadata": metadata}, group, digest):
            yield found


def with_release(found: Served, release: Manifest | None) -> Served:
    """With the diff that its AgentRelease has, if that is still there and is the same behavior."""
    status = (release or {}).get("status") or {}
    if status.get("digest") != found.digest:
        return found
    diff = tuple(ComponentDiff.model_validate(each) for each in status.get("diff") or ())
    return replace(found, diff=diff)


def _known(
    status: AgentRolloutStatus, specs: Iterable[Mapping[str, Any]], digest: str
) -> Iterator[tuple[str, str]]:
    """Name and version of the release that had the digest, the newest first."""
    for each in (status.canary, status.stable, *status.history):
        if each and each.digest == digest:
            yield each.release, each.version
    for spec in specs:
        yield spec["release"], spec.get("version") or ""


def _tries(status: AgentRolloutStatus, digest: str) -> Iterator[Try]:
    attempt, window = status.attempt, status.affected_window
    if attempt and attempt.digest == digest and attempt.state not in ENDS:
        start = attempt.traffic_start_time
        weights = tuple(
            (attempt.start_time + timedelta(seconds=look.seconds), look.weight)
            for look in changes_of_weight(status.course)
        )
        yield Try(
            number=attempt.number,
            outcome=f"{IN_PROGRESS}, {attempt.state}",
            before=_served_before(status.stable),
            traffic=Traffic(start=start, weights=tuple(each for each in weights if each[1]))
            if start
            else None,
        )
    for entry in status.history:
        if entry.digest != digest:
            continue
        traffic = Traffic(start=entry.start_time, end=entry.end_time)
        if window and window.attempt == entry.number:
            weights = tuple((change.time, change.canary) for change in window.weights)
            traffic = Traffic(start=window.start_time, end=window.end_time, weights=weights, runs=window.runs)
        yield Try(
            number=entry.number,
            outcome=entry.outcome,
            reason=entry.reason,
            message=entry.message,
            before=_before(status, entry),
            traffic=traffic,
        )


def _served_before(record: ReleaseRecord | HistoryEntry | None) -> Before | None:
    return Before(record.release, record.digest, record.version) if record else None


def _before(status: AgentRolloutStatus, entry: HistoryEntry) -> Before | None:
    """What was stable when a past attempt began, as far as the history reaches."""
    earlier = (e for e in status.history if e.number < entry.number and e.outcome is Outcome.HEALTHY)
    return _served_before(max(earlier, key=lambda e: e.number, default=None))


def _as_stable(status: AgentRolloutStatus, digest: str) -> Iterator[Traffic]:
    """From each end as Healthy until another release was, or until it was rolled back itself."""
    for entry in status.history:
        if entry.digest != digest or entry.outcome is not Outcome.HEALTHY:
            continue
        ends = (
            later.end_time
            for later in status.history
            if later.number > entry.number
            and later.outcome is (Outcome.ROLLED_BACK if later.digest == digest else Outcome.HEALTHY)
        )
        yield Traffic(start=entry.end_time, end=min(ends, default=None))


def _weight(status: AgentRolloutStatus, digest: str) -> int:
    weights = status.weights
    if weights is None:
        return 0
    sides = ((status.stable, weights.stable), (status.canary, weights.canary))
    return next((weight for record, weight in sides if record and record.digest == digest), 0)


def _recorded(known: Try | None, parts: Sequence[Mapping[str, Any]]) -> Try:
    """One attempt by its record, in all its parts; where that is silent, as the status has it."""
    known = known or Try(number=parts[0]["attempt"])
    entries = [entry for part in parts for entry in part.get("entries") or ()]
    outcome = next((part["outcome"] for part in parts if part.get("outcome")), known.outcome)
    begun: Mapping[str, Any] = next((each for each in entries if each["event"] == "AttemptStarted"), {})
    diff = begun.get("diff")
    return replace(
        known,
        outcome=outcome,
        before=_release(begun["stable"], known.before) if "stable" in begun else known.before,
        diff=None if diff is None else tuple(ComponentDiff.model_validate(each) for each in diff),
        traffic=_traffic(entries, known.traffic) or known.traffic,
    )


def _release(stable: Mapping[str, Any], known: Before | None) -> Before:
    """What served before, by the record, which has no version."""
    is_known = known is not None and known.digest == stable["digest"]
    return Before(stable["release"], stable["digest"], known.version if known and is_known else "")


def _traffic(entries: Sequence[Mapping[str, Any]], known: Traffic | None) -> Traffic | None:
    """The span with traffic by the entries of a record; None if there was none yet."""
    weighed = [(_time(entry["time"]), int(entry["weight"])) for entry in entries if "weight" in entry]
    changes = [each for at, each in enumerate(weighed) if each[1] != (weighed[at - 1][1] if at else 0)]
    windows = [entry["window"] for entry in entries if "window" in entry]
    if not changes and not windows:
        return None
    start = _time(windows[-1]["startTime"]) if windows else changes[0][0]
    ends = [entry["time"] for entry in entries if entry["event"] in set(Outcome)]
    end = next(iter([*(each["endTime"] for each in windows[-1:] if "endTime" in each), *ends]), None)
    return Traffic(
        start=start,
        end=_time(end) if end else None,
        weights=tuple(changes),
        runs=known.runs if known else None,
    )


def _time(text: str) -> datetime:
    return _TIME.validate_python(text)
