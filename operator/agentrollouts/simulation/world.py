"""The simulated world and its clock: what the shell does, in the same order, in no time.

First the writes of a decision, then the status once, then Events; again while anything changed; then it
sleeps until the `wake_at` of the decision or the next query. Agents run by what the route has, regardless of
the writer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from agentrollouts.api.objects import ObjectMeta
from agentrollouts.api.people.freeze import AgentFreeze
from agentrollouts.api.reasons import Reason
from agentrollouts.api.release import AgentRelease
from agentrollouts.core.action.freeze import covers
from agentrollouts.core.action.people import Authority
from agentrollouts.core.containment.fallback import Lead
from agentrollouts.core.effects import Problem
from agentrollouts.core.gates.reading import Unreadable
from agentrollouts.core.metrics.census import Sighted
from agentrollouts.core.metrics.poll import Poll, PollResult, Series
from agentrollouts.core.metrics.queries import QueryPlan
from agentrollouts.core.metrics.table import QueryResult, Row
from agentrollouts.core.record.knowledge import Knowledge
from agentrollouts.core.recovery.group.member import Member
from agentrollouts.core.rollout.decide import decide
from agentrollouts.core.rollout.decision import Decision
from agentrollouts.core.rollout.observation import Observation
from agentrollouts.simulation import cluster
from agentrollouts.simulation.agents import Agent, Chance, Even
from agentrollouts.simulation.apiserver import ApiServer
from agentrollouts.simulation.jobs import Jobs
from agentrollouts.simulation.prometheus import Prometheus
from agentrollouts.simulation.webhooks import Webhooks

SETTLED: Final = 12
"""Decisions after which a world that does not change must be at rest: the K of the fixed point."""
SOON: Final = timedelta(milliseconds=1)
"""Smallest time to the next wake-up, so that time advances."""

Metrics = Literal["up", "down", "away", "refused", "silent", "garbled"]
"""Prometheus is well; answers 503; takes no samples either; refuses; has lost the canary; answers NaN."""
Change = Callable[["World"], object]


class RestlessError(Exception):
    """Decisions continue although nothing happens: a bug in the decision."""


@dataclass(kw_only=True)
class World(ApiServer):
    """Everything that a rollout can see, and its results. The player changes its attributes.

    `now` is true time; the operator sees `now + skew`.
    """

    chance: Chance = field(default_factory=Even)
    runs_per_second: float = 4.0
    agents: dict[str, Agent] = field(default_factory=dict)
    """How each release behaves now."""
    prometheus: Prometheus = field(default_factory=Prometheus)
    metrics: Metrics = "up"
    remembers: bool = True
    """Whether Prometheus has the hours before an attempt."""
    has_endpoints: bool = True
    """Whether a release that begins has ready endpoints."""
    deserted: set[str] = field(default_factory=set)
    """Releases whose agents are gone: their Services have no ready endpoint."""
    identity_proved: bool | None = True
    """Whether the API server verifies who creates actions."""
    authority: Authority = field(default_factory=Authority)
    """What the administrator says about the identity of people."""
    freezes: tuple[AgentFreeze, ...] = ()
    """Those of the rollout's namespace."""
    siblings: tuple[Member, ...] = ()
    """The other members of the rollout's group."""
    fallback: Lead | None = None
    """What the rollout in `spec.fallback.rollout` serves; None if that is not known."""
    keeps_records: bool = True
    """Whether entries of a record can be written; then they are at once."""
    operator_runs: bool = True
    skew: timedelta = timedelta()
    ahead: list[tuple[datetime, Change]] = field(default_factory=list)
    """What will happen, in order of time."""

    jobs: Jobs = field(default_factory=Jobs)
    """The Jobs of hooks, and the CronJobs of which they are made."""
    webhooks: Webhooks = field(default_factory=Webhooks)
    """The endpoints of hooks."""

    current_poll: Poll | None = None
    poll_result: PollResult | None = None
    wake_at: datetime | None = None
    """When the operator looks again, in true time."""
    start: datetime = field(init=False)
    polled: datetime = field(init=False)
    _history: tuple[datetime, Series] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.start = self.polled = self.now

    def make(self, release: AgentRelease, snapshot: ObjectMeta | None, agent: Agent) -> None:
        """A release is there, and its agents run."""
        self.publish(release, snapshot)
        self.agents[release.metadata.name] = agent

    def run(self, seconds: float) -> None:
        """Let time pass; every decision is made when the shell would make it."""
        end = self.now + timedelta(seconds=seconds)
        self.settle()
        while self.now < end:
            self._pass_until(min(end, *self._due()))
            while self.ahead and self.ahead[0][0] <= self.now:
                self.ahead.pop(0)[1](self)
            if self.operator_runs and self.current_poll and self.now >= self._next_poll(self.current_poll):
                self.poll(self.current_poll)
            self.settle()

    def settle(self) -> None:
        """Decide until there is nothing to do: the fixed point, within `SETTLED` decisions."""
        for _ in range(SETTLED if self.operator_runs else 0):
            if not self.step():
                return
        if self.operator_runs:
            raise RestlessError(f"no fixed point after {SETTLED} decisions: {self.status.to_json()}")

    def restart(self) -> None:
        """The operator's process ends, and another begins: it knows only what the API server has."""
        self.current_poll = self.poll_result = self.wake_at = self.problem = self._history = None
        self.webhooks.known.clear()

    def serve(self, shares: Mapping[str, int], seconds: float) -> None:
        """Requests of so many seconds, until now, reach these releases in these shares."""
        until = self.now.timestamp()
        begun = until - seconds
        while begun < until:
            ended = min(until, begun + self.chance.grain)
            for release, share in shares.items():
                if share and release in self.agents:
                    self.prometheus.create(release, self.agents[release].created(), begun)
                expected = self.runs_per_second * (ended - begun) * share / 100
                agent = self.agents.get(release)
                for metric, labels, amount in agent.grow(expected, self.chance) if agent else ():
                    self.prometheus.grow(release, metric, labels, (begun, ended, amount))
            begun = ended

    def _due(self) -> list[datetime]:
        """When something happens next."""
        due = [self.ahead[0][0]] if self.ahead else []
        if self.operator_runs and self.current_poll is not None:
            due.append(self._next_poll(self.current_poll))
        if self.operator_runs and self.wake_at is not None:
            due.append(max(self.wake_at, self.now + SOON))
        if self.operator_runs and (response := self.webhooks.next_time(self.now + self.skew)):
            due.append(response - self.skew)
        return due or [datetime.max.replace(tzinfo=self.now.tzinfo)]

    def _next_poll(self, poll: Poll) -> datetime:
        return max(self.now, self.polled + timedelta(seconds=poll.interval_seconds))

    def _pass_until(self, then: datetime) -> None:
        before, shares, self.now = self.now, self.shares(), max(then, self.now)
        self.serve(shares, (self.now - before).total_seconds())
        if self.metrics == "away":
            self.prometheus.scrapes.away(before.timestamp(), self.now.timestamp())

    def step(self, effects: int | None = None) -> bool:
        """One decision, carried out; or only its first `effects` writes, and then the process ends.

        Returns whether anything changed that the next decision sees.
        """
        self.catch_up()
        return self.carry_out(self.decide(), effects)

    def decide(self) -> Decision:
        """What the operator would do now."""
        obs = self.observe()
        decision = decide(obs)
        if decision.unread:
            workloads = {key: self.workloads.get(key) for key in decision.unread}
            obs = replace(obs, workloads=workloads)
            decision = decide(obs)
        for _ in range(2):  # what is known of one hook can begin another
            missing = decision.hook_reads.without(obs.cron_jobs, obs.jobs)
            if missing:
                cron_jobs, jobs = self.jobs.read(missing, obs.now)
                obs = replace(obs, cron_jobs={**obs.cron_jobs, **cron_jobs}, jobs={**obs.jobs, **jobs})
                decision = decide(obs)
        self.decided(obs, decision)
        return decision

    def carry_out(self, decision: Decision, effects: int | None = None) -> bool:
        """What `step` does with a decision."""
        self.current_poll, self.problem = decision.poll, None
        self.wake_at = None if decision.wake_at is None else decision.wake_at - self.skew
        todo: list[Callable[[], bool]] = [lambda write=write: self.apply(write) for write in decision.writes]  # type: ignore[misc] # mypy cannot infer a lambda with a default
        if decision.status is not None:
            todo.append(lambda: self.store(decision))
        todo += [lambda each=each: self.reply(each) for each in decision.answers]  # type: ignore[misc] # the same
        todo += [lambda chore=chore: self.apply(chore) for chore in decision.chores]  # type: ignore[misc] # the same
        todo += [lambda old=old: self.apply(old) for old in decision.expired]  # type: ignore[misc] # the same
        created = [each.manifest for each in decision.creations]
        todo += [lambda job=job: self.jobs.create(job, self.now + self.skew) for job in created]  # type: ignore[misc] # the same
        todo += [lambda call=call: self.webhooks.send(call, self.now + self.skew) for call in decision.calls]  # type: ignore[misc] # the same
        changes = [effect() for effect in todo[:effects]]
        if effects is not None and effects < len(todo):
            self.restart()
        return any(changes)

    def decided(self, obs: Observation, decision: Decision) -> None:
        """Called for every decision, before it is applied."""

    def observe(self) -> Observation:
        """What `shell.controllers.observe` would see."""
        return Observation(
            now=self.now + self.skew,
            rollout=self.rollout,
            release=self.releases.get(self.rollout.spec.release_ref.name),
            standbys={
                each.release_ref.name: self.releases[each.release_ref.name]
                for each in self.rollout.spec.standby
                if each.release_ref.name in self.releases
            },
            endpoints_ready=self.has_endpoints and self._answers(self.rollout.spec.release_ref.name),
            endpoints={service: self._answers(name) for service, name in self.services.items()},
            traffic=dict(self.traffic),
            traffic_problem=self.problem,
            snapshots=dict(self.snapshots),
            poll_result=self.poll_result,
            actions=tuple(self.actions.values()),
            answered=self.answered(),
            freezes=tuple(each for each in self.freezes if covers(each, self.rollout.metadata, None)),
            fallback=self.fallback,
            siblings=self.siblings,
            identity_proved=self.identity_proved,
            record=self._record(),
            authority=self.authority,
            webhook_endpoints=self.webhooks.endpoints,
            responses=self.webhooks.responses(self.now + self.skew),
        )

    def _record(self) -> Knowledge:
        """What `shell.effects.recorder` would know."""
        if not self.keeps_records:
            return Knowledge(problem=Problem(Reason.FORBIDDEN, "records are forbidden"))
        return Knowledge(head=self.status.record.head if self.status.record else "")

    def _answers(self, release: str) -> bool:
        """Whether a release has agents that run; some are made by the operator."""
        agent_release, made = self.releases.get(release), cluster.workload_of(release, self.workloads)
        is_made = (
            self.rollout.spec.workload is None
            or agent_release is None
            or agent_release.spec.serving is not None
        )
        return release not in self.deserted and (is_made or made > 0)

    def poll(self, poll: Poll) -> None:
        """What `shell.inputs.poller` would do at a tick."""
        self.polled, at = self.now, self.now + self.skew
        history = self._history_before(poll)
        match self.metrics:
            case "down" | "away":
                result: QueryResult | Unreadable = Unreadable("Prometheus answered 503")
            case "refused":
                result = Unreadable("Prometheus refused the query: parse error", Reason.INVALID_GATE)
            case _:
                rows = self.prometheus.query(poll.plan, at, self.now)
                result = QueryResult(
                    at, tuple(filter(None, (self._reported(poll.plan, row) for row in rows)))
                )
        self.poll_result = PollResult(
            plan=poll.plan, result=result, history=history, sighted=self._sighted(poll)
        )

    def _sighted(self, poll: Poll) -> Sighted | None:
        if poll.census is None or self.metrics in {"down", "away", "refused"}:
            return None
        return self.prometheus.sighted(poll.census, self.now)

    def _reported(self, plan: QueryPlan, row: Row) -> Row | None:
        if self.metrics == "silent" and row.release == plan.subject.canary:
            return None
        return Row(row.src, row.release, row.group, float("nan")) if self.metrics == "garbled" else row

    def _history_before(self, poll: Poll) -> Series | None:
        before = poll.history_before
        if before is None or not self.remembers or self.metrics != "up":
            return None
        if self._history is None or self._history[0] != before:
            self._history = before, tuple(self.prometheus.history(poll.plan, before))
        return self._history[1]
