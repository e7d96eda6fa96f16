"""The shape of the view: frozen values. `docs/view.md` documents each field.

In JSON, names are camelCase, times are RFC 3339 in UTC, durations are in seconds, and a field without a value
is left out.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from agentrollouts.insight.view.past import Before, Past, Result, Window
from agentrollouts.insight.view.words import (
    Allowed,
    Happens,
    Mark,
    Needs,
    Progress,
    Role,
    StepKind,
    Topic,
)
from agentrollouts.insight.view.written import as_json

VERSION: Final = "v1"
"""Changes only if a field is removed or gets another meaning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """The rollout in one line."""

    state: str
    """Reason of the condition Ready; before the first visit, `Pending`."""
    needs: Needs
    """Whether a person has to act."""
    sentence: str
    """Whether customers are safe, and what has to change, apart from each other."""
    why: str = ""
    """Why it is so, with numbers: the message of the condition Ready."""
    attempt: int | None = None
    """Number of the attempt in progress, or of the last one."""
    release: str | None = None
    """Release of the attempt in progress; at rest the release that `spec.releaseRef` names."""
    since: datetime | None = None
    """Time at which the condition Ready last changed between True and False, or the hold began."""
    is_stale: bool = False
    """Whether the status describes an older generation of the spec."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A backend of the traffic."""

    name: str
    """Name of the release; for the role Detour, of the Service, or `nothing`."""
    role: Role
    """Stable, Canary, or Detour: what answers instead of any release."""
    version: str | None = None
    """Version of the release."""
    weight: int | None = None
    """Share of the traffic on the route, in percent. Absent if it was not observed."""
    desired: int | None = None
    """Desired share, in percent, only while the route does not have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step of the plan."""

    name: str
    """Name of the phase, or `bake`."""
    kind: StepKind
    """Phase, Ramp (a phase whose weight rises in steps), Bake or Drill."""
    progress: Progress
    """Done, Current or ToCome."""
    weight: int
    """Share of the canary at its end, in percent."""
    duration_seconds: int
    """Time that it takes, extensions included."""
    approvals: int = 0
    """Number of people who must approve before it is left."""
    elapsed_seconds: int | None = None
    """Time that its clock has run. Only of the current step."""
    is_stopped: bool | None = None
    """Whether its clock is stopped. Only of the current step."""
    extensions: int | None = None
    """Number of times that it was extended. Only of the current step."""
    rises: int | None = None
    """Steps of the ramp that are still to come. Only of a current ramp."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """Something that can happen without anyone's action: when or if, and what."""

    event: Happens
    """What happens, as one word."""
    sentence: str
    """What happens, as a clause."""
    condition: str = ""
    """On what it depends, as a clause. Empty if only on time."""
    time: datetime | None = None
    """Earliest time. Absent if it can happen at any moment."""
    latest: datetime | None = None
    """Latest time, if that is not `time`."""
    is_minor: bool = False
    """Whether a short screen can leave it out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateView:
    """What a gate says."""

    name: str
    """Name of the gate."""
    verdict: str
    """Verdict, such as Inconclusive."""
    mark: Mark
    """Good, Bad, Open (no verdict yet) or Warning."""
    sentence: str
    """The numbers, without the clause about the evidence."""
    on_fail: str | None = None
    """What a Fail does: RollBack, Hold, Warn or SwitchOff. Absent if the plan no longer has the gate."""
    roll_back_after_seconds: int | None = None
    """Time after which a Fail that holds rolls back. Absent if it does not."""
    evidence: float | None = None
    """Evidence that the canary is worse, as odds to one."""
    evidence_needed: float | None = None
    """Evidence from which on it fails."""
    odds: str = ""
    """The evidence as people write it, such as `0.35:1`."""
    time: datetime | None = None
    """Time of its newest sample."""
    is_over: bool = False
    """Whether the attempt that it was about has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A component that differs from stable."""

    component: str
    """Name of the component."""
    change: str
    """Kind of change, such as Minor."""
    before: str | None = None
    """Version in stable."""
    after: str | None = None
    """Version in the new release."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What an action names, where the status leaves a choice."""

    attempt: int | None = None
    """Number of the attempt."""
    phase: str | None = None
    """Phase to approve."""
    release: str | None = None
    """Release to retry, or to roll back although the last attempt was rolled back to it."""
    hook: str | None = None
    """Hook to run again or to waive."""


NOTHING: Final = Names()
GIT: Final = "git"
"""Verb of a change of the spec, which no command makes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something that the reader can do now, and that would have an effect."""

    verb: str
    """Verb of the command, such as `rollback`, or `git` for a change of the spec."""
    label: str
    """What a button says."""
    consequence: str
    """What follows, in one sentence."""
    command: str
    """The exact command; for `git` the field and its value."""
    type: str | None = None
    """Type of the AgentRolloutAction that it creates. Absent for what creates none."""
    names: Names = NOTHING
    """What the AgentRolloutAction names beside what the status says. Absent if nothing."""
    allowed: Allowed = Allowed.UNKNOWN
    """Whether the reader may do it: True, False or Unknown."""
    warning: str = ""
    """What else to know before. Empty if nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something around the attempt."""

    topic: Topic
    """What it is about, such as Hook."""
    state: str
    """Its state, as one word."""
    sentence: str
    """What to know of it."""
    needs: Needs = Needs.NOBODY
    """Whether a person has to act."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One rollout as a person sees it now."""

    name: str
    """Name of the rollout."""
    namespace: str
    """Its namespace."""
    agent: str
    """Name of the agent."""
    time: datetime
    """Time for which the view holds."""
    headline: Headline
    """State, whether it needs a person, and why."""
    running: tuple[Running, ...]
    """Backends of the traffic, the canary first."""
    plan: tuple[Step, ...]
    """Steps of the attempt. Empty if no attempt is in progress."""
    next: tuple[Next, ...]
    """What can happen without anyone's action, in order of time; what can happen at any moment comes last."""
    gates: tuple[GateView, ...] = ()
    """Gates that are evaluated, or were at the end of the last attempt."""
    changed: tuple[Changed, ...] = ()
    """Components of the release that differ from stable."""
    changed_from: str | None = None
    """Release with which it is compared: stable, or the parent if a bundle is not known."""
    outlook: str = ""
    """What the phase can detect. Empty until the traffic is known."""
    actions: tuple[Action, ...] = ()
    """What the reader can do now, most useful first."""
    window: Window | None = None
    """Time during which the last bad release had traffic."""
    result: Result | None = None
    """Whether the last rollback helped."""
    before: Before = field(default_factory=Before)
    """Last rollback, and actions with their answers."""
    history: tuple[Past, ...] = ()
    """Past attempts, newest first."""
    around: tuple[Notice, ...] = ()
    """Detour, hooks, group, freeze, drill, requirements, and whatever else surrounds the attempt."""

    @property
    def late(self) -> Notice | None:
        """That something is overdue, so that the operator may not run."""
        return next((notice for notice in self.around if notice.topic is Topic.OPERATOR), None)

    def to_json(self) -> dict[str, Any]:
        """The documented form."""
        return {"view": VERSION, **as_json(self)}
