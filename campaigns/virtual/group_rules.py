"""What must hold of a group of two, by what their statuses say: nothing of the operator is imported.

A change is a release with the time in which it was shipped. A harm is an attempt that was rolled back for its
own fault. Each sentence begins with its rule's name: G1, nothing is left that overlaps; G2, nothing is rolled
back without a cause; G3, what was rolled back is in quarantine with its cause.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

Manifest = Mapping[str, Any]

HARMFUL: Final = ("Breach", "Cap", "Timeout", "Action")
"""Triggers by which a group rolls back; a revert in Git and another group are none."""
BACK: Final = ("RollingBack", "Verifying")
TRIED: Final = ("Initial", "Canary", "AwaitingApproval", "Baking", "Held")
GROUP: Final = "Group"


@dataclass(frozen=True, slots=True)
class Span:
    """A release, and the time of an attempt that shipped it."""

    release: str
    start: datetime
    end: datetime | None
    """None while it lasts."""

    def overlaps(self, other: "Span") -> bool:
        """Whether one began before the other was over, both ways; the other one is over."""
        assert other.end is not None  # noqa: S101 a harm has been decided
        return self.start < other.end and (self.end is None or self.end >= other.start)


def harms(status: Manifest) -> list[Span]:
    """The attempts that were rolled back for their own fault, from the decision on.

    A rollback of which only the route says anything is not one: who marked the route is not known.
    """
    entries = [*status.get("history", ())]
    if current := _current(status):
        entries.append({**current, "outcome": "RolledBack"})
    return [
        Span(entry.get("release", ""), _time(entry["startTime"]), _time(entry["decidedTime"]))
        for entry in entries
        if entry["outcome"] == "RolledBack"
        and entry.get("kind", "Release") == "Release"
        and entry["reason"] != "RouteMarked"
        and entry.get("trigger") in HARMFUL
    ]


def _current(status: Manifest) -> Manifest:
    """The attempt that is being rolled back, with the decision; empty if none is."""
    attempt, rollback = status.get("attempt") or {}, status.get("lastRollback")
    if attempt.get("state") not in BACK or not rollback:
        return {}
    return {**attempt, "reason": rollback["reason"], "decidedTime": rollback["decidedTime"]}


def shipped(status: Manifest, release: str) -> Span | None:
    """The attempt that shipped a healthy release; the newest one."""
    ends = (entry for entry in status.get("history", ()) if entry["release"] == release)
    for entry in ends:
        if entry["outcome"] == "Healthy" and entry.get("kind", "Release") == "Release":
            return Span(release, _time(entry["startTime"]), _time(entry["endTime"]))
    return None


def on_trial(status: Manifest) -> Span | None:
    """The canary that has a share, and keeps it."""
    attempt, canary = status.get("attempt") or {}, status.get("canary")
    if canary is None or attempt.get("state") not in TRIED or attempt.get("kind", "Release") != "Release":
        return None
    return Span(canary["release"], _time(attempt["startTime"]), None)


def begun(status: Manifest) -> datetime | None:
    """When the attempt in progress began, which may still be rolled back for its own fault."""
    attempt = status.get("attempt") or {}
    return _time(attempt["startTime"]) if attempt.get("state") in (*TRIED, "Pending") else None


def healthy(status: Manifest) -> Sequence[Span]:
    """How each release that was ever healthy was shipped."""
    names = dict.fromkeys(entry["release"] for entry in status.get("history", ()))
    return [span for name in names if (span := shipped(status, name)) is not None]


def left(status: Manifest, sibling: Manifest) -> Iterator[str]:
    """G1, of a member that is at rest and has heard everything."""
    stable = (status.get("stable") or {}).get("release", "")
    targets = {span.release for span in healthy(status)} - {stable, *_banned(status)}
    mine = [on_trial(status), shipped(status, stable) if targets else None]
    for change in filter(None, mine):
        for harm in harms(sibling):
            if change.overlaps(harm):
                yield f"G1: {change} is left beside {harm}"


def caused(before: Manifest, after: Manifest, sibling: Manifest) -> Iterator[str]:
    """G2 and G3, of a member that has come to rest again."""
    rollback = after.get("lastRollback") or {}
    is_new = rollback.get("decidedTime") != (before.get("lastRollback") or {}).get("decidedTime")
    if not is_new or rollback.get("trigger") != GROUP:
        return
    bad, decided = rollback["from"], _time(rollback["decidedTime"])
    changes = [on_trial(before), *(shipped(status, bad) for status in (before, after))]
    if current := _current(after):
        changes.append(Span(bad, _time(current["startTime"]), decided))
    if not any(change.overlaps(harm) for change in filter(None, changes) for harm in harms(sibling)):
        yield f"G2: {bad} was rolled back at {decided:%H:%M:%S} for none of {harms(sibling)}"
    entry = next((each for each in after.get("quarantined", ()) if each["release"] == bad), None)
    if entry is None or entry["reason"] != "GroupRollback" or entry["message"] != rollback["message"]:
        yield f"G3: {bad} was rolled back with its group, and the quarantine has {entry}"


def _banned(status: Manifest) -> set[str]:
    return {entry["release"] for entry in status.get("quarantined", ())}


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
