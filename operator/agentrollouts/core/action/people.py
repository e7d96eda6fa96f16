"""Who may approve: separation of duties, a fixed rule without options.

One person counts once for each phase. The author of the release does not count, nor does anyone who has
promoted a phase of this attempt, or had the release tried again: they decided already.
"""

from collections.abc import Iterable

from agentrollouts.api.attempt import Attempt
from agentrollouts.api.people.action import GivenApproval, Retried


def is_same(one: str, other: str) -> bool:
    """Whether two user names are one person's. Identity providers do not agree on the case of a name."""
    return one.casefold() == other.casefold()


def why_not(by: str, phase: str, attempt: Attempt, author: str | None, retried: Retried | None = None) -> str:
    """Why the approval of that person does not count; empty if it does."""
    if author and is_same(by, author):
        return f"{by} wrote the release; someone else must approve it"
    if any(is_same(by, promoter) for promoter in attempt.promoted_by):
        return f"{by} promoted a phase of this attempt; someone else must approve it"
    if retried and retried.digest == attempt.digest and is_same(by, retried.by):
        return f"{by} had the release tried again; someone else must approve it"
    if any(is_same(by, given.by) for given in of_phase(attempt.approved_by, phase)):
        return f"{by} has approved phase {phase} already; someone else must approve it too"
    return ""


def of_phase(given: Iterable[GivenApproval], phase: str) -> tuple[GivenApproval, ...]:
    """The approvals of one phase."""
    return tuple(approval for approval in given if approval.phase_name == phase)
