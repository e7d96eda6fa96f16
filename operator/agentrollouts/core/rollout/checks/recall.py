"""A rollout that was created again takes over what its predecessor knew.

Without it a rollout that lost its status would take the release that `spec.releaseRef` names for the agent's
first one, with all the traffic.
"""

from collections.abc import Iterable

from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import HistoryEntry, Outcome, Quarantined
from agentrollouts.core.attempt import moves
from agentrollouts.core.attempt.rollback import QUARANTINE_LIMIT
from agentrollouts.core.release.snapshot import snapshot_name
from agentrollouts.core.rollout.desired import Desired, Standing, missing_service
from agentrollouts.core.rollout.situation import Situation
from agentrollouts.core.rollout.snapshots.facts import Banned, Healthy, ban_of, healthy_of


def predecessor_known(s: Situation) -> moves.Move | None:
    """The snapshots know more of this agent than the status; a younger rollout recalls nothing."""
    if s.obs.agent_taken_by:
        return None
    return _desired_is_banned(s) if s.status.stable else _all_that_is_known(s)


def _desired_is_banned(s: Situation) -> moves.Move | None:
    """The desired release was rolled back by a previous rollout, or so long ago that the status forgot it."""
    if not isinstance(s.desired, Desired) or s.desired.standing is not Standing.NEW:
        return None
    snapshot = s.obs.snapshots.get(s.desired.record.snapshot)
    ban = ban_of(snapshot, s.spec.agent) if snapshot else None
    if ban is None or ban.digest != s.desired.record.digest or _is_known(s, ban):
        return None
    retried = s.status.retried
    if retried and retried.digest == ban.digest:  # the snapshot says it until the next attempt begins
        return None
    # the one that is desired comes first: however old it is, `Ready` names it, and a person can retry it
    return moves.Recall(None, (), (ban.entry, *s.status.quarantined[: QUARANTINE_LIMIT - 1]))


def _is_known(s: Situation, ban: Banned) -> bool:
    """Whether the status lists a ban, or a person has lifted it: the snapshot says it until the next attempt.

    It was lifted if an attempt of that release began since. It also was if the status remembers the release
    and not the ban, unless so many were rolled back since that their bans displaced it.
    """
    if ban.digest in {entry.digest for entry in s.status.quarantined}:
        return True
    later = [entry for entry in s.status.history if entry.start_time > ban.time]
    is_displaced = sum(entry.outcome is Outcome.ROLLED_BACK for entry in later) >= QUARANTINE_LIMIT
    return ban.digest in {entry.digest for entry in (later if is_displaced else s.status.history)}


def _all_that_is_known(s: Situation) -> moves.Move | None:
    """Nothing serves, as far as the status knows: the newest healthy release serves on."""
    agent, snapshots = s.spec.agent, s.obs.snapshots.values()
    bans = [ban.entry for snapshot in snapshots if (ban := ban_of(snapshot, agent))]
    recorded = {entry.digest for entry in s.status.quarantined}
    quarantined = _newest((*s.status.quarantined, *(entry for entry in bans if entry.digest not in recorded)))
    banned = {entry.digest for entry in quarantined} | {entry.digest for entry in bans}
    facts = [
        fact for snapshot in snapshots if (fact := healthy_of(snapshot, agent)) and fact.digest not in banned
    ]
    history = _history(facts)
    able = (entry for entry in history if missing_service(s.spec, entry.record) is None)
    newest = next(able, None)
    if newest is None and quarantined == s.status.quarantined:
        return None
    stable = newest.record.copy_with(healthy_time=newest.end_time) if newest else None
    return moves.Recall(stable, history if stable else (), quarantined)


def _newest(entries: Iterable[Quarantined]) -> tuple[Quarantined, ...]:
    ordered = sorted(entries, key=lambda entry: entry.time, reverse=True)
    return tuple(ordered)[:QUARANTINE_LIMIT]


def _history(facts: Iterable[Healthy]) -> tuple[HistoryEntry, ...]:
    """An entry for each healthy digest, the newest first; numbers rise with time, and none is there twice."""
    entries: list[HistoryEntry] = []
    for fact in sorted(facts, key=lambda fact: fact.time):
        entries.append(
            HistoryEntry(
                number=max(fact.attempt, entries[-1].number + 1 if entries else 1),
                release=fact.release,
                version=fact.version,
                digest=fact.digest,
                service=fact.service,
                snapshot=snapshot_name(fact.agent, fact.digest),
                outcome=Outcome.HEALTHY,
                reason=Reason.HEALTHY,
                message="Recorded on its snapshot by an earlier rollout",
                start_time=fact.time,
                end_time=fact.time,
                requires=fact.requires,
            )
        )
    return tuple(reversed(entries))
