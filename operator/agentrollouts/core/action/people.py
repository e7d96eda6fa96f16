"""Who may approve: separation of duties, a fixed rule without options.

One person counts once for each phase. The author of the release does not count, nor does who shipped it,
nor anyone who has promoted a phase of this attempt, waived a hook before its traffic, or had the release
tried again: they decided already.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from agentrollouts.api.attempt import Attempt
from agentrollouts.api.names import ANNOTATION_RELEASED_BY
from agentrollouts.api.objects import ObjectMeta
from agentrollouts.api.people.action import GivenApproval, Retried
from agentrollouts.api.people.person import MAX_NAME
from agentrollouts.api.recovery.hooks import Moment
from agentrollouts.api.status import AgentRolloutStatus


class Unproved(StrEnum):
    """Which actions are taken although the API server does not verify who creates them."""

    BACK_ONLY = "BackOnly"
    """Those that need no proof: RollBack, Hold and SwitchOff."""
    REFUSE = "Refuse"
    """SwitchOff, and a rollback of an attempt in progress."""
    ACCEPT = "Accept"
    """All."""


@dataclass(frozen=True, slots=True)
class Authority:
    """What the administrator says about the identity of people."""

    username_prefix: str = ""
    """What the API server puts before the name of a person."""
    unproved: Unproved = Unproved.BACK_ONLY
    releaser_is_stamped: bool = False
    """Whether the API server alone writes who changed `spec.releaseRef`."""

    def is_same(self, one: str, other: str) -> bool:
        """Whether two user names are one person's. Identity providers do not agree on the case of a name.

        Git may name someone whose name begins as the prefix does, so each name counts with and without it.
        """
        return not self._names(one).isdisjoint(self._names(other))

    def _names(self, name: str) -> frozenset[str]:
        folded = name.casefold()
        return frozenset({folded, folded.removeprefix(self.username_prefix.casefold())})


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the release of an attempt comes from, as far as that is known."""

    author: str | None = None
    """Who wrote it, as its source says."""
    releaser: str | None = None
    """Who set `spec.releaseRef` to it."""


def releaser(metadata: ObjectMeta, authority: Authority, *, is_proved: bool | None) -> str | None:
    """Who changed `spec.releaseRef` last; None unless only the API server can have written that.

    Args:
        metadata: Of the rollout.
        authority: What the administrator says.
        is_proved: Whether the policies of the chart were seen to work; None if no one has looked.
    """
    if is_proved is False or not authority.releaser_is_stamped:
        return None
    return metadata.annotations.get(ANNOTATION_RELEASED_BY, "")[:MAX_NAME] or None


def why_not(
    by: str,
    phase: str,
    attempt: Attempt,
    origin: Origin,
    retried: Retried | None = None,
    authority: Authority = Authority(),
) -> str:
    """Why the approval of that person does not count; empty if it does."""
    is_same = authority.is_same
    if origin.author and is_same(by, origin.author):
        return f"{by} wrote the release; someone else must approve it"
    if origin.releaser and is_same(by, origin.releaser):
        return f"{by} set spec.releaseRef to the release; someone else must approve it"
    if any(is_same(by, promoter) for promoter in attempt.promoted_by):
        return f"{by} promoted a phase of this attempt; someone else must approve it"
    if retried and retried.digest == attempt.digest and is_same(by, retried.by):
        return f"{by} had the release tried again; someone else must approve it"
    if any(is_same(by, given.by) for given in of_phase(attempt.approved_by, phase)):
        return f"{by} has approved phase {phase} already; someone else must approve it too"
    return ""


def waivers_of(status: AgentRolloutStatus, number: int) -> tuple[str, ...]:
    """Who let an attempt begin without a hook before its traffic."""
    entries = (each for each in status.hooks if (each.attempt, each.at) == (number, Moment.BEFORE_TRAFFIC))
    return tuple(entry.waived.by for entry in entries if entry.waived)


def of_phase(given: Iterable[GivenApproval], phase: str) -> tuple[GivenApproval, ...]:
    """The approvals of one phase."""
    return tuple(approval for approval in given if approval.phase_name == phase)
