"""What a move comes to: the next status as far as traffic depends on it, and what is written for it.

Between the chains and `conclude`. What takes traffic away can be written before the rest of its decision is
made, such as the record and the conditions, which takes as long as all that is before it.
"""

from dataclasses import dataclass

from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.action.take import Requests
from agentrollouts.core.attempt import moves
from agentrollouts.core.attempt.fuses import noted as noted_fuse
from agentrollouts.core.attempt.segments import is_same_segment
from agentrollouts.core.attempt.status_draft import Progress
from agentrollouts.core.attempt.transition import advance
from agentrollouts.core.containment.detour import begins
from agentrollouts.core.effects import Effect
from agentrollouts.core.recovery.hooks.plan import Hooks
from agentrollouts.core.rollout import beginning, detours
from agentrollouts.core.rollout.checks import idle
from agentrollouts.core.rollout.checks.fuses import burning
from agentrollouts.core.rollout.checks.hooks import hooks_of
from agentrollouts.core.rollout.commands import create_action
from agentrollouts.core.rollout.drilling import begin
from agentrollouts.core.rollout.neighbors.group import with_membership
from agentrollouts.core.rollout.requests.answering import noted
from agentrollouts.core.rollout.situation import Situation
from agentrollouts.core.rollout.snapshots.facts import fact_writes
from agentrollouts.core.rollout.snapshots.owners import owner_writes
from agentrollouts.core.rollout.standbys import course as standbys
from agentrollouts.core.states import is_progressing
from agentrollouts.core.traffic import endpoints
from agentrollouts.core.traffic.latch import is_latched
from agentrollouts.core.traffic.state import TrafficState


@dataclass(frozen=True, slots=True, kw_only=True)
class Upshot:
    """What a move comes to."""

    situation: Situation
    """What the move rests on."""
    move: moves.Move
    """What follows from it."""
    progress: Progress
    """What the move does to the attempt, and the Events about it."""
    traffic: TrafficState
    """The traffic, compared with the next status."""
    requests: Requests
    """What people request, and what became of it."""
    hooks: Hooks
    """The hooks, after the move."""
    status: AgentRolloutStatus
    """The next status, without what it only reports."""
    writes: tuple[Effect, ...]
    """What is written before the status: traffic, then owners and facts of snapshots."""
    routed: tuple[Effect, ...]
    """Those of them that write traffic."""
    goes_first: bool
    """Whether that traffic does not wait for the status."""
    unsure_of: frozenset[str]
    """Services whose endpoints the move depends on and that have not been read."""

    @property
    def moves_traffic(self) -> bool:
        """Whether traffic is written."""
        return bool(self.routed)

    @property
    def first(self) -> tuple[Effect, ...]:
        """The writes, if they take traffic away and need nothing of the rest of the decision.

        They do if something has to be read before, or if an earlier one was refused: then the status, which
        says so, is written at the same time.
        """
        is_refused = self.traffic.blocked or self.situation.obs.traffic_problem
        is_open = self.unsure_of or self.requests.awaits_proof
        is_first = self.moves_traffic and self.goes_first and not (is_refused or is_open)
        return self.writes if is_first else ()


def upshot_of(s: Situation, move: moves.Move) -> Upshot:
    """Work out what a move comes to."""
    progress = _with_fuse(s, advance(Progress(s.spec, s.status, s.now), move))
    traffic = _traffic(s, progress.status)
    requests = noted(s, move, progress.status, is_shown=traffic.is_shown)
    hooks = hooks_of(s, beginning.awaiting_hooks(s, move), progress.status)
    status = hooks.after(with_membership(requests.status, s.obs))
    routed = tuple(s.routing.writes(status, s.traffic, traffic, waits=_raises_what_is_lost(s)))
    return Upshot(
        situation=s,
        move=move,
        progress=progress,
        traffic=traffic,
        requests=requests,
        hooks=hooks,
        status=status,
        writes=(*routed, *owner_writes(s.obs, status), *fact_writes(s.obs)),
        routed=routed,
        goes_first=_goes_first(s, status),
        unsure_of=_unsure_of(s, move) | detours.unread(s),
    )


def _traffic(s: Situation, status: AgentRolloutStatus) -> TrafficState:
    """The traffic by the next status; computed once if it is that of the persisted one."""
    before = s.obs.status
    is_same = is_same_segment(before, status) and before.detour == status.detour
    return s.traffic if is_same else s.routing.state(status)


def _goes_first(s: Situation, status: AgentRolloutStatus) -> bool:
    """Whether the route is written before the status: for what takes traffic away, and nothing else."""
    is_back = is_latched(status) and not s.routing.ends_detour(status)
    return is_back or begins(s.obs.status, status)


def _with_fuse(s: Situation, progress: Progress) -> Progress:
    """With the fuse that burns after the move, and what is announced about it."""
    status = progress.status
    number = status.attempt.number if status.attempt else 0
    return noted_fuse(progress, burning(s, status), create_action(s.obs.rollout, "acknowledge", number))


def _unsure_of(s: Situation, move: moves.Move) -> frozenset[str]:
    """If endpoints have not been read yet, before stable is rolled back or a step forward is made.

    A hold for them would else end and begin again without a pause, where they are not watched.
    """
    if not is_progressing(s.obs.status):
        return idle.unsure_of(s) | begin.unsure_of(s) | standbys.unsure_of(s)
    if isinstance(move, moves.EnterPhase | moves.Rise | moves.Bake | moves.Promote | moves.Resume):
        return endpoints.services(s.spec, s.status) - s.obs.endpoints.keys()
    return frozenset()


def _raises_what_is_lost(s: Situation) -> bool:
    """Whether the canary would get more than it was ever seen to have, without a ready endpoint."""
    attempt, confirmed = s.status.attempt, s.obs.status.weights
    if attempt is None or attempt.endpoints_lost_time is None or not is_progressing(s.obs.status):
        return False
    return attempt.weight > (confirmed.canary if confirmed else 0)
