"""AgentRollout: observe, decide, act."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.effects import Event, Patch
from agentrollouts.core.rollout.conclude import conclude
from agentrollouts.core.rollout.decide import moved
from agentrollouts.core.rollout.decision import Decision
from agentrollouts.core.rollout.observation import Observation
from agentrollouts.core.rollout.requests.answering import without_rollout
from agentrollouts.core.states import ENDS, is_under_way
from agentrollouts.shell.clock import utc_now
from agentrollouts.shell.controllers.controller import Outcome, earliest, existing, parsed, seconds_until
from agentrollouts.shell.controllers.rollout_hooks import RolloutHooks
from agentrollouts.shell.controllers.rollout_observer import RolloutObserver
from agentrollouts.shell.effects.act import Actor
from agentrollouts.shell.effects.alerts import AlertBoard
from agentrollouts.shell.effects.contests import Contests
from agentrollouts.shell.effects.statuses.writer import Written
from agentrollouts.shell.effects.writes import PacedWrites
from agentrollouts.shell.inputs.poller import Poller
from agentrollouts.shell.rollout_metrics import RolloutMetrics
from agentrollouts.telemetry import Telemetry

SEEN_SECONDS: Final = 1.0
"""After a write of traffic, to look again at the latest. No event reports a write that a webhook undoes."""
ROUNDS: Final = 2
"""How often a decision is made again with what it depends on: endpoints may lead to Deployments."""


class Onlookers(NamedTuple):
    """What shows the newest status of each rollout to people."""

    metrics: RolloutMetrics
    alerts: AlertBoard


class RolloutController:
    """The controller of AgentRollouts.

    Args:
        observer: Builds observations.
        actor: Carries out all writes and sends Events.
        poller: Polls what a decision needs from Prometheus.
        telemetry: The operator's own metrics.
        onlookers: What shows the newest statuses to people.
        hooks: The Jobs of hooks.
    """

    def __init__(
        self,
        observer: RolloutObserver,
        actor: Actor,
        poller: Poller,
        telemetry: Telemetry,
        onlookers: Onlookers,
        hooks: RolloutHooks,
    ) -> None:
        self._observer = observer
        self._actor = actor
        self._writes = PacedWrites(actor)
        self._chores = PacedWrites(actor)
        """For Deployments and Services: no traffic waits for them, and their failure is another one."""
        self._sweeps = PacedWrites(actor)
        """For answered actions that are deleted: nothing depends on that."""
        self._poller = poller
        self._telemetry = telemetry
        self._contests = Contests()
        self._blocked: set[Ref] = set()
        """Rollouts of which a rollback is refused."""
        self._onlookers = onlookers
        self._hooks = hooks

    async def reconcile(self, key: Ref, manifest: Manifest) -> Outcome:
        """One pass over a rollout. Raises `ClusterError` if it has to be tried again."""
        manifest = existing(key, await self._observer.whole(key, manifest))
        rollout = await parsed(AgentRollout, manifest, self._actor)
        if rollout is None:
            self.forget(key)
            return Outcome(None, is_complete=True)
        obs, decision, pause = await self._decide(key, rollout)
        self._note(key, is_blocked=decision.is_blocked)
        self._poller.poll(key, decision.poll)
        self._observer.follow(key, decision.services)
        self._hooks.follow(key, decision)
        if decision.rests_on_status and not self._writes.is_too_soon(key, decision.writes):
            await self._observer.confirm(manifest)
        saying = None
        if decision.is_blocked:  # the rollback is persisted already, and its writes may hang again
            saying = asyncio.create_task(self._say(manifest, obs, decision))
        try:
            if pause is None:
                pause = await self._writes.write(key, decision.writes)
        finally:
            if saying is not None:
                await asyncio.wait([saying])
        problem = self._writes.problem(key)
        if pause and problem is None:
            self._contests.note(key, decision.drifts, obs.now)
        written = await (saying or self._persist(manifest, obs, decision))
        status = (decision.status if written.is_done else None) or obs.status
        self._show(key, manifest, rollout.copy_with(status=status), decision)
        is_done = not pause and problem is None
        is_to_be_said = saying is None and written.is_new
        events = decision.events if is_to_be_said else filter(_is_restoration, decision.events)
        self._actor.send_events(manifest, self._what_happened(tuple(events), is_done=is_done))
        await self._actor.replies.send(decision.answers if written.is_done else ())
        await self._actor.labels.put_back(key.namespace, rollout.spec.agent, decision.lost)
        later = await self._finish(key, manifest, decision) if is_done else None
        seen = SEEN_SECONDS if decision.drifts else None
        wait = earliest(seconds_until(obs.now, decision.wake_at), later, seen, written.again)
        return Outcome.of(pause, problem, wait)

    def _show(self, key: Ref, manifest: Manifest, rollout: AgentRollout, decision: Decision) -> None:
        """Pass the status on to metrics, alerts and the record."""
        self._onlookers.metrics.note(key, rollout.status)
        self._onlookers.alerts.note(key, rollout)
        if self._actor.recorder is not None:
            self._actor.recorder.note(key, manifest, rollout.status, decision.evidence)

    async def _finish(self, key: Ref, manifest: Manifest, decision: Decision) -> float | None:
        """Do what no traffic waits for; seconds until that needs another pass."""
        if decision.chores:
            await self._observer.confirm(manifest)
            await self._chores.write(key, decision.chores)
        if decision.expired:
            await self._sweeps.write(key, decision.expired)
        return await self._hooks.create(key, manifest, decision, self._observer.confirm)

    async def _decide(self, key: Ref, rollout: AgentRollout) -> tuple[Observation, Decision, float | None]:
        """The decision, made again where it depends on what is not watched; and as of `_decided`."""
        obs = await self._observer.observe(rollout, self._writes.problem(key), self._chores.problem(key))
        obs = replace(self._hooks.seen(key, obs), contest=self._contests.of(key, obs.now))
        if self._actor.recorder is not None:
            obs = replace(obs, record=self._actor.recorder.knowledge(key))
        decision, pause = await self._decided(key, obs)
        if decision.awaits_proof:
            obs = await self._observer.with_proof(obs)
            decision, pause = await self._decided(key, obs)
        for _ in range(ROUNDS):
            if decision.unsure_of or decision.unread:
                obs = await self._observer.with_reads(obs, decision.unsure_of, decision.unread)
                decision, pause = await self._decided(key, obs)
        return obs, decision, pause

    async def _decided(self, key: Ref, obs: Observation) -> tuple[Decision, float | None]:
        """A decision, and the pause of its writes; None if they have not been done.

        What takes traffic away is written before the rest is decided, of which it needs nothing.
        """
        upshot = moved(obs)
        pause = await self._writes.write(key, upshot.first) if upshot.first else None
        return conclude(upshot), pause

    async def settle(self, key: Ref) -> bool:
        """Settle the routes of other owners in which the rollout set weights."""
        self._follow_nothing(key)
        self._observer.leave(key)
        orphans = await self._observer.orphans(key)
        problem = await self._actor.apply(orphans)
        self._note(key, is_blocked=problem is not None and any(map(_sets_weights, orphans)))
        if problem is not None:
            return False
        lost = await self._observer.lost_requests(key)
        await self._actor.replies.send(without_rollout(lost, key.name, utc_now()))
        self.forget(key)
        self._actor.statuses.forget(key)
        return True

    def forget(self, key: Ref) -> None:
        """Follow a rollout no longer."""
        self._note(key, is_blocked=False)
        self._follow_nothing(key)
        self._writes.forget(key)
        self._contests.forget(key)
        self._chores.forget(key)
        self._sweeps.forget(key)
        self._onlookers.metrics.forget(key)
        self._onlookers.alerts.forget(key)
        if self._actor.recorder is not None:
            self._actor.recorder.forget(key)

    def is_urgent(self, manifest: Manifest) -> bool:
        """While an attempt or a detour is in progress, what is safer can be waiting for the API server."""
        status = manifest.get("status") or {}
        return (status.get("attempt") or {}).get("state") not in ENDS | {None} or "detour" in status

    def _follow_nothing(self, key: Ref) -> None:
        self._poller.poll(key, None)
        self._observer.follow(key, frozenset())
        self._hooks.forget(key)

    async def _say(self, manifest: Manifest, obs: Observation, decision: Decision) -> Written:
        written = await self._persist(manifest, obs, decision)
        if written.is_new:
            self._actor.send_events(manifest, self._what_happened(decision.events, is_done=False))
        return written

    async def _persist(self, manifest: Manifest, obs: Observation, decision: Decision) -> Written:
        if decision.status is None:
            return Written()
        written = await self._actor.statuses.replace(
            manifest, decision.status.to_json(), is_news=decision.is_news, is_minor=decision.is_minor
        )
        if written.is_new:
            self._measure(obs.status, decision.status)
        return written

    def _note(self, key: Ref, *, is_blocked: bool) -> None:
        (self._blocked.add if is_blocked else self._blocked.discard)(key)
        self._telemetry.rollbacks_blocked(len(self._blocked))

    def _measure(self, before: AgentRolloutStatus, after: AgentRolloutStatus) -> None:
        rollback, ended = after.last_rollback, after.attempt
        if rollback and rollback.routed_time and (before.last_rollback or rollback).routed_time is None:
            seconds = (rollback.routed_time - rollback.decided_time).total_seconds()
            self._telemetry.rolled_back(rollback.trigger, seconds)
        drill = after.last_drill
        if drill and drill.outcome and drill is not before.last_drill and is_under_way(before):
            if not is_under_way(after):
                self._telemetry.drilled(drill.decided_to_routed_seconds, drill.decided_to_last_run_seconds)
        elif ended and is_under_way(before) and not is_under_way(after):
            self._telemetry.attempt_ended(ended.state)

    def _what_happened(self, events: Sequence[Event], *, is_done: bool) -> list[Event]:
        """Without restorations that have not been made yet; those that have are counted."""
        true = [event for event in events if is_done or not _is_restoration(event)]
        for _ in filter(_is_restoration, true):
            self._telemetry.restored()
        return true


def _sets_weights(patch: Patch) -> bool:
    return any(str(operation["path"]).endswith("/weight") for operation in patch.operations)


def _is_restoration(event: Event) -> bool:
    return event.reason is Reason.ROUTE_RESTORED
