"""What a member of a group rolls back because another member did: shipped together, rolled back together.

A pure function of persisted statuses, so it can be evaluated late, twice, or by another process. No member
waits for another one, or writes to it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from agentrollouts.core.recovery.group.member import Change, Harm, Member


@dataclass(frozen=True, slots=True)
class Due:
    """A change that overlaps an attempt of a sibling that was rolled back for harm."""

    change: Change
    sibling: str
    """Name of the sibling."""
    harm: Harm

    def sentence(self, group: str) -> str:
        """Why, with the names of both releases."""
        return (
            f"{self.change.release} was shipped together with {self.harm.release}, which {self.sibling} of "
            f"group {group} rolled back (attempt {self.harm.attempt}): {self.harm.message}"
        )


def due_on_trial(member: Member, siblings: Iterable[Member]) -> Due | None:
    """Why the canary has to be rolled back; None if it does not."""
    return _due(member, member.canary, siblings)


def due_at_rest(member: Member, siblings: Iterable[Member]) -> Due | None:
    """Why stable has to be rolled back; None if it does not."""
    return _due(member, member.serving, siblings)


def overdue(members: Iterable[Member]) -> Iterator[tuple[Member, Due]]:
    """The members that still serve or try what they shipped together with a failed release, by name."""
    group = sorted(members, key=lambda member: member.name)
    for member in group:
        siblings = [other for other in group if other is not member]
        due = due_on_trial(member, siblings) or due_at_rest(member, siblings)
        if due is not None:
            yield member, due


def _due(member: Member, change: Change | None, siblings: Iterable[Member]) -> Due | None:
    if change is None:
        return None
    for sibling in siblings:
        for harm in sibling.harms:
            is_shared = harm.decided >= max(member.since, sibling.since)  # both were members then
            if is_shared and _overlap(change, harm):
                return Due(change, sibling.name, harm)
    return None


def _overlap(change: Change, harm: Harm) -> bool:
    """Whether the change began before the rollback was decided, and ended after that attempt began."""
    return change.start < harm.decided and (change.end is None or change.end >= harm.start)
