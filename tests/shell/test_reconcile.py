"""Inputs: objects, faults and the passing of time. Outputs: what is written, in which order and how often.

The whole shell runs, in virtual time, between an API server and a Prometheus in memory; only the watch is
missing, whose events the API server delivers itself.
"""

import asyncio
import copy
import io
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from agentrollouts.adapters.cluster.errors import (
    ClusterError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    UnavailableError,
)
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.names import LABEL_AGENT, LABEL_MANAGED_BY
from agentrollouts.core.metrics.evidence import EvidenceQuery
from agentrollouts.core.release.examine import Examined
from agentrollouts.core.release.snapshot import Snapshot
from agentrollouts.core.rollout.decision import Decision
from agentrollouts.core.rollout.upshot import Upshot
from agentrollouts.settings.settings import Settings
from agentrollouts.shell.cache import Cache
from agentrollouts.shell.content.desk import Desk
from agentrollouts.shell.content.examination import Request
from agentrollouts.shell.content.examiner import examined_here
from agentrollouts.shell.controllers import rollout
from agentrollouts.shell.controllers.controller import Controller
from agentrollouts.shell.controllers.freeze import FreezeController
from agentrollouts.shell.controllers.release import ReleaseController, ReleaseObserver
from agentrollouts.shell.controllers.rollout import Onlookers, RolloutController
from agentrollouts.shell.controllers.rollout_hooks import RolloutHooks
from agentrollouts.shell.controllers.rollout_observer import RolloutObserver
from agentrollouts.shell.effects.act import Actor
from agentrollouts.shell.effects.alerts import AlertBoard
from agentrollouts.shell.effects.events import EventSender
from agentrollouts.shell.effects.insist import LOUD_SECONDS
from agentrollouts.shell.effects.writes import PacedWrites
from agentrollouts.shell.inputs.endpoints import SERVICE_LABEL
from agentrollouts.shell.inputs.gateway_classes import GatewayClasses
from agentrollouts.shell.inputs.intake import Intake
from agentrollouts.shell.inputs.poller import Poller
from agentrollouts.shell.permits.releases import ReleasePermits
from agentrollouts.shell.permits.rollouts import Permits
from agentrollouts.shell.reconcile import Reconciler
from agentrollouts.shell.records.captures import Captures
from agentrollouts.shell.records.recorder import Recorder
from agentrollouts.shell.records.store import Records
from agentrollouts.shell.rollout_metrics import RolloutMetrics
from agentrollouts.shell.workqueue import WorkQueue
from agentrollouts.telemetry import Telemetry
from testkit.builders.names import AGENT, NAMESPACE, NEW, OLD, START, service_of
from testkit.builders.observations import shown
from testkit.builders.releases import a_ready_release
from testkit.builders.rollouts import RolloutBuilder, a_rollout
from testkit.builders.routes import BY_PATCH, THEIRS
from tests.shell.fakes import Effect, FakeApiServer, FakePrometheus, failing
from tests.shell.records.server import Immediate, Server
from tests.shell.virtual import now, pass_time, run

ROLLOUT = Ref("AgentRollout", NAMESPACE, AGENT)
ROUTE = Ref("HTTPRoute", NAMESPACE, AGENT)

ROUTE_WRITE = Effect("apply", f"HTTPRoute {AGENT}")
CONFIG_WRITE = Effect("apply", f"ConfigMap {AGENT}-traffic")
STATUS_WRITE = Effect("replace_status", f"AgentRollout {AGENT}")


HOME = "agentrollouts"
"""Namespace of the operator."""


class Shell:
    """All of the shell but the watch."""

    def __init__(
        self,
        workers: int = 2,
        settings: Settings = Settings(),  # noqa: B008 it is frozen
        *,
        keeps_records: bool = False,
    ) -> None:
        self.api = FakeApiServer()
        self.examined = 0
        self.prometheus = FakePrometheus()
        self.cache = Cache(home=HOME)
        self.queue: WorkQueue[Ref] = WorkQueue(now)
        self.api.intake = Intake(self.cache, self.queue)
        poller = Poller(lambda _name, _ns: self.prometheus, self.queue.mark, lambda *_: None, self.clock)
        self.poller = poller
        classes = GatewayClasses(self.api, self.queue.mark)
        self.permits = Permits(settings, self.cache, classes, self.queue.mark)
        self.release_permits = ReleasePermits(settings, self.cache, self.queue.mark)
        for permits in (self.permits, self.release_permits):
            self.api.intake.follow(permits.give)
        observer = RolloutObserver(self.cache, self.api, poller, self.clock, permits=self.permits)
        sender = EventSender(self.api)
        recorder = self.recorder(settings) if keeps_records else None
        actor = Actor(self.api, self.cache, self.api.intake, sender, recorder)
        self.statuses = actor.statuses
        self.telemetry = telemetry = Telemetry()
        writes = PacedWrites(actor)
        self.hooks = RolloutHooks.over(self.api, self.queue.mark, settings.hooks)
        controllers: dict[str, Controller] = {
            "AgentRollout": RolloutController(
                observer,
                actor,
                poller,
                telemetry,
                Onlookers(RolloutMetrics(lambda: True, self.clock), AlertBoard(self.clock)),
                self.hooks,
            ),
            "AgentRelease": ReleaseController(
                ReleaseObserver(
                    self.cache,
                    self.api,
                    self.clock,
                    permits=self.release_permits,
                    examine=self.examine,
                ),
                actor,
                writes,
                self.release_permits,
                Desk(self.queue.mark),
            ),
            "AgentFreeze": FreezeController(actor, HOME, self.clock),
        }
        reconciler = Reconciler(self.queue, self.cache, controllers, telemetry)
        work = [reconciler.work() for _ in range(workers)] + ([recorder.work()] if recorder else [])
        self.tasks = [asyncio.create_task(task) for task in (*work, sender.work())]

    def blocked(self) -> float | None:
        """How many rollbacks the metrics call refused."""
        return self.telemetry.registry.get_sample_value("agentrollouts_rollbacks_blocked")

    def recorder(self, settings: Settings) -> Recorder:
        """Writes records to a server of their own, without evidence."""
        self.records = Server()
        records = Records(self.records)
        captures = Captures(records, self.no_evidence, self.queue.mark, self.clock)
        return Recorder(records, Immediate(io.StringIO()), captures, self.queue.mark, settings.record)

    async def no_evidence(self, _key: Ref, _query: EvidenceQuery) -> str:
        """Prometheus has nothing to say."""
        return "there is no Prometheus"

    async def examine(self, request: Request) -> Examined:
        """Examine a release, here, and count it."""
        self.examined += 1
        return await examined_here(request)

    @staticmethod
    def clock() -> Any:  # noqa: ANN401 a datetime
        """Wall-clock time that passes with the loop's."""
        return START + timedelta(seconds=now())

    def make(self, builder: RolloutBuilder, name: str = AGENT) -> Manifest:
        """A rollout and, if it is under way, its traffic, as they would be after a restart."""
        rollout = builder.build()
        for manifest in shown(rollout).values():
            self.api.put(dict(manifest))
        manifest = rollout.to_json()
        return self.api.put({**manifest, "metadata": {**manifest["metadata"], "name": name}})

    def release(self, name: str) -> None:
        """A release whose agents run."""
        manifest = {"kind": "AgentRelease", **a_ready_release(name).to_json()}
        manifest.pop("status")
        self.api.put(manifest)
        service = service_of(name)
        metadata = {"name": service, "namespace": NAMESPACE, "labels": {SERVICE_LABEL: service}}
        self.api.put(
            {"kind": "EndpointSlice", "metadata": metadata, "endpoints": [{"conditions": {"ready": True}}]}
        )

    def ask_for(self, release: str) -> None:
        """`spec.releaseRef` is set."""
        self.api.edit(ROLLOUT, releaseRef={"name": release})

    def status(self, ref: Ref = ROLLOUT) -> Any:  # noqa: ANN401 any JSON
        """The persisted status."""
        return self.api.objects[ref].get("status", {})

    def ready(self, ref: Ref = ROLLOUT) -> tuple[str, str] | None:
        """Status and reason of the summary condition."""
        conditions = {condition["type"]: condition for condition in self.status(ref).get("conditions", ())}
        summary = conditions.get("Ready")
        return summary and (summary["status"], summary["reason"])

    def weights(self) -> list[int]:
        """What the route says, stable first."""
        return [ref["weight"] for ref in self.api.objects[ROUTE]["spec"]["rules"][0]["backendRefs"]]


@asynccontextmanager
async def a_shell(
    workers: int = 2,
    settings: Settings = Settings(),  # noqa: B008 it is frozen
    *,
    keeps_records: bool = False,
) -> AsyncIterator[Shell]:
    """A running shell, whose workers must all be alive at the end."""
    shell = Shell(workers, settings, keeps_records=keeps_records)
    yield shell
    assert not any(task.done() for task in shell.tasks)
    for task in shell.tasks:
        task.cancel()
    shell.poller.close()


IN_CANARY = a_rollout(bake={"durationSeconds": 0}).serving(OLD).trying(NEW)


def test_a_first_release_is_materialised_served_and_then_nothing_more_is_written() -> None:
    """From two applied objects to rest, in the order of the design: the route after the intent."""

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.release(NEW)
            shell.make(a_rollout(bake={"durationSeconds": 0}))
            await pass_time(60)
            assert (shell.ready(), shell.weights()) == (("True", "Healthy"), [100])
            ours = [effect for effect in shell.api.effects if AGENT in effect.target]
            first_route, first_status = ours.index(ROUTE_WRITE), ours.index(STATUS_WRITE)
            assert first_status < first_route
            written = len(shell.api.effects)
            await pass_time(24 * 3600)
            assert len(shell.api.effects) == written

    run(scenario())


def test_going_back_writes_the_route_first_then_the_status_then_tells() -> None:
    """Either write alone keeps the canary at 0; nobody is told what is not stored."""

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.make(IN_CANARY)
            await pass_time(1)
            before = len(shell.api.effects)
            shell.ask_for(OLD)
            await pass_time(0.1)
            done = shell.api.effects[before:]
            assert done[:3] == [ROUTE_WRITE, CONFIG_WRITE, STATUS_WRITE]
            assert Effect("create", "Event RollbackStarted") in done[3:]
            assert shell.weights() == [100, 0]

    run(scenario())


def test_going_back_waits_for_no_other_part_of_its_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in what a rollback reports leaves no user with the canary."""

    def failing_conclude(upshot: Upshot) -> Decision:
        raise RuntimeError(f"a bug in what is said about {type(upshot.move).__name__}")

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.make(IN_CANARY)
            await pass_time(1)
            monkeypatch.setattr(rollout, "conclude", failing_conclude)
            shell.ask_for(OLD)
            await pass_time(0.1)
            assert (shell.weights(), shell.status()["attempt"]["state"]) == ([100, 0], "Canary")
            monkeypatch.undo()
            await pass_time(60)
            assert shell.status()["lastRollback"]["to"] == OLD

    run(scenario())


def test_going_back_waits_for_no_event() -> None:
    """An API server that hangs on Events is never in the way."""

    async def scenario() -> None:
        async with a_shell(workers=1) as shell:
            shell.api.hang_on_events = True
            shell.make(IN_CANARY)
            shell.ask_for(OLD)
            await pass_time(0.1)
            assert (shell.api.events, shell.weights()) == ([], [100, 0])
            assert shell.status()["attempt"]["state"] == "Verifying"

    run(scenario())


@pytest.mark.parametrize("seconds", [None, 3600.0])
def test_going_back_waits_for_no_prometheus(seconds: float | None) -> None:
    """A server that hangs is never in the way."""

    async def scenario() -> None:
        async with a_shell(workers=1) as shell:
            shell.prometheus.seconds = seconds
            shell.make(IN_CANARY)
            await pass_time(100)
            shell.ask_for(OLD)
            await pass_time(0.001)
            assert shell.weights() == [100, 0]

    run(scenario())


def test_after_a_conflict_it_looks_again_and_decides_on_what_is_there_then() -> None:
    """Somebody pauses and goes back in the moment of our write: the stale status is never stored."""

    async def scenario() -> None:
        async with a_shell() as shell:
            meddled: list[bool] = []

            def meddle(verb: str, ref: Ref) -> None:
                if verb == "replace_status" and ref == ROLLOUT and not meddled:
                    meddled.append(True)
                    shell.ask_for(OLD)

            shell.make(IN_CANARY)
            shell.api.on_write = meddle
            await pass_time(5)
            assert meddled
            assert shell.weights() == [100, 0]
            assert shell.status()["observedGeneration"] == 2
            assert shell.api.events
            assert all(event["involvedObject"]["uid"] for event in shell.api.events)

    run(scenario())


def test_traffic_follows_no_status_of_the_past() -> None:
    """The watch of the route has told the news, that of the rollout has not: nothing is written on it."""

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.make(IN_CANARY)
            intake, shell.api.intake = shell.api.intake, None
            shell.make(a_rollout().asking_for(NEW).serving(NEW))
            shell.api.intake = intake
            assert intake is not None
            intake.put(shell.api.objects[ROUTE])
            await pass_time(5)
            assert (shell.weights(), ROUTE_WRITE in shell.api.effects) == ([100], False)

    run(scenario())


def test_no_event_tells_of_a_status_that_was_not_written() -> None:
    """With every status write in conflict nothing was decided, so nothing is told."""

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.api.on_write = failing(ConflictError("changed"), "replace_status", "AgentRollout")
            shell.make(IN_CANARY.asking_for(OLD))
            await pass_time(60)
            assert (shell.api.events, shell.weights()) == ([], [100, 0])

    run(scenario())


def writes_that_fail(shell: Shell, kind: str) -> tuple[list[float], Callable[[str, Ref], None]]:
    """Times at which a kind was tried to be written, and what makes all of them fail."""
    times: list[float] = []

    def fail(verb: str, ref: Ref) -> None:
        if ref.kind == kind and verb != "create":
            times.append(now())
            raise UnavailableError(f"{shell.api.objects[ROLLOUT]['kind']} is not to be had")

    return times, fail


@pytest.mark.parametrize(
    ("builder", "kind", "least", "most"),
    [
        (IN_CANARY.asking_for(OLD), "HTTPRoute", 200, 330),
        (IN_CANARY.asking_for(OLD), "AgentRollout", 200, 330),
        (a_rollout().asking_for(OLD).serving(OLD).planning(historyLimit=3), "AgentRollout", 20, 30),
    ],
    ids=["the route of a way back", "the status of a way back", "a status at rest"],
)
def test_a_write_that_fails_is_tried_again_with_bounded_pauses(
    builder: RolloutBuilder, kind: str, least: int, most: int
) -> None:
    """Every 2 s while requests may go the wrong way, every 30 s where nothing hurries; never given up."""

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.make(IN_CANARY if builder.status.attempt else builder)
            await pass_time(1)
            times, shell.api.on_write = writes_that_fail(shell, kind)
            shell.make(builder) if not builder.status.attempt else shell.ask_for(OLD)
            await pass_time(600)
            assert least <= len(times) <= most
            last = times[-1]
            shell.api.on_write = lambda _verb, _ref: None
            await pass_time(31)
            assert last >= 565
            assert shell.weights()[0] == 100

    run(scenario())


def test_what_cannot_be_written_is_a_condition_and_heals_by_itself() -> None:
    """A missing right is named, and once it is given the rollout goes on without anybody's touch."""

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.api.on_write = failing(ForbiddenError("may not write routes"), "apply", "HTTPRoute")
            shell.release(NEW)
            shell.make(a_rollout(bake={"durationSeconds": 0}))
            await pass_time(30)
            conditions = {condition["type"]: condition for condition in shell.status()["conditions"]}
            applied = conditions["TrafficApplied"]
            assert (applied["status"], applied["reason"], applied["message"]) == (
                "False",
                "Forbidden",
                "may not write routes",
            )
            shell.api.on_write = lambda _verb, _ref: None
            await pass_time(30)
            assert shell.ready() == ("True", "Healthy")

    run(scenario())


def test_a_bug_in_one_object_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged with its traceback, tried again with pauses, and the only worker goes on."""
    bug = RuntimeError("nobody expected this")

    async def scenario() -> None:
        async with a_shell(workers=1) as shell:

            def fail(_verb: str, ref: Ref) -> None:
                if ref.name == "broken":
                    raise bug

            shell.api.on_write = fail
            shell.release(NEW)
            shell.make(a_rollout(agent="broken"), name="broken")
            shell.make(a_rollout(bake={"durationSeconds": 0}))
            await pass_time(60)
            assert shell.ready() == ("True", "Healthy")

    with caplog.at_level(logging.ERROR):
        run(scenario())
    records = [record for record in caplog.records if record.exc_info and record.exc_info[1] is bug]
    assert 3 <= len(records) <= 10


def test_an_object_that_is_gone_is_forgotten_with_all_that_was_kept_for_it() -> None:
    """404 on its status: no Event, no question and no further try, though the watch has not said so."""

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.make(IN_CANARY)
            await pass_time(40)
            shell.api.on_write = failing(NotFoundError("gone"), "replace_status", "AgentRollout")
            events_before = len(shell.api.events)
            shell.ask_for(OLD)
            await pass_time(1)
            queries_before, done = len(shell.prometheus.asked), len(shell.api.effects)
            await pass_time(600)
            assert (shell.cache.get(ROLLOUT), shell.poller.newest(ROLLOUT)) == (None, None)
            assert (len(shell.api.events), len(shell.prometheus.asked), len(shell.api.effects)) == (
                events_before,
                queries_before,
                done,
            )

    run(scenario())


@pytest.mark.parametrize("deletion", ["gone", "going"])
def test_a_deleted_rollout_comes_to_rest(deletion: str) -> None:
    """Nothing is queried or written after it is gone; while a finalizer keeps it, stable has all traffic."""

    async def scenario() -> None:
        async with a_shell() as shell:
            made = shell.make(IN_CANARY)
            await pass_time(40)
            if deletion == "gone":
                shell.api.delete(ROLLOUT)
            else:
                going = {"deletionTimestamp": "2026-11-21T10:00:00Z", "finalizers": ["example.com/audit"]}
                shell.api.put({**made, "metadata": {**made["metadata"], **going}})
                await pass_time(1)
                assert (shell.weights(), shell.ready()) == ([100, 0], ("False", "Terminating"))
                await pass_time(300)
                assert (shell.weights(), shell.ready()) == ([100], ("False", "Terminating"))
            await pass_time(1)
            queries_before, done = len(shell.prometheus.asked), len(shell.api.effects)
            await pass_time(600)
            assert (len(shell.prometheus.asked), len(shell.api.effects)) == (queries_before, done)

    run(scenario())


def test_a_spec_that_cannot_be_read_gets_its_condition_once() -> None:
    """The condition names the field and one Event says so; looking again, or a resync, writes nothing."""

    async def scenario() -> None:
        async with a_shell() as shell:
            made = a_rollout().build().to_json()
            made["spec"]["phases"] = "soon"
            shell.api.put(made)
            await pass_time(60)
            for _ in range(5):
                shell.queue.mark(ROLLOUT)
                await pass_time(60)
            message = shell.status()["conditions"][0]["message"]
            event = Effect("create", "Event InvalidSpec")
            assert (shell.ready(), shell.api.effects) == (("False", "InvalidSpec"), [STATUS_WRITE, event])
            assert message.startswith("spec.phases: ")

    run(scenario())


def counted(shell: Shell) -> int:
    """How often the route was written."""
    return shell.api.effects.count(ROUTE_WRITE)


def test_an_answer_that_never_shows_what_was_written_makes_no_hot_loop() -> None:
    """A webhook that stamps every write and drops the weights costs a write every 2 s, not thousands."""

    async def scenario() -> None:
        async with a_shell() as shell:
            stamps = iter(range(1_000_000))

            def mutate(manifest: Manifest) -> Manifest:
                if manifest["kind"] != "HTTPRoute":
                    return manifest
                return {**manifest, "spec": {**manifest["spec"], "rules": [], "stamp": next(stamps)}}

            shell.api.mutate = mutate
            shell.make(IN_CANARY)
            shell.ask_for(OLD)
            await pass_time(100)
            assert 40 <= counted(shell) <= 70
            shell.api.mutate = lambda manifest: manifest
            await pass_time(2.1)
            assert shell.weights() == [100, 0]

    run(scenario())


def test_a_fight_over_our_route_is_slowed_down_and_never_lost() -> None:
    """Another controller that puts its weights back at once is answered every 2 s."""

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.make(IN_CANARY)
            await pass_time(1)
            theirs = {**shell.api.objects[ROUTE]["spec"], "rules": [{"backendRefs": []}]}

            async def fight() -> None:
                while True:
                    await pass_time(0.01)
                    if shell.api.objects[ROUTE]["spec"] != theirs:
                        shell.api.edit(ROUTE, **theirs)

            fighting = asyncio.create_task(fight())
            await pass_time(100)
            fighting.cancel()
            assert 40 <= counted(shell) <= 70
            await pass_time(2.1)
            assert shell.weights() == [95, 5]

    run(scenario())


def test_a_release_is_materialised_once_and_ready_only_with_its_snapshot() -> None:
    """While the snapshot cannot be written the condition says why; then it stands, permanently."""

    async def scenario() -> None:
        async with a_shell() as shell:
            release = Ref("AgentRelease", NAMESPACE, NEW)
            shell.api.on_write = failing(UnavailableError("no answer"), "apply", "ConfigMap")
            shell.release(NEW)
            await pass_time(20)
            failed = shell.ready(release)
            shell.api.on_write = lambda _verb, _ref: None
            await pass_time(120)
            done = len(shell.api.effects)
            await pass_time(3600)
            snapshots = [manifest for ref, manifest in shell.api.objects.items() if ref.kind == "ConfigMap"]
            assert (failed, shell.ready(release)) == (("False", "WriteFailed"), ("True", "Materialized"))
            assert [snapshot["metadata"]["labels"][LABEL_AGENT] for snapshot in snapshots] == [AGENT]
            assert all(Snapshot.of(snapshot) for snapshot in snapshots)
            assert snapshots[0]["metadata"]["labels"][LABEL_MANAGED_BY] == "agentrollouts"
            assert len(shell.api.effects) == done
            reasons = [event["reason"] for event in shell.api.events]
            assert reasons == ["WriteFailed", "Materialized"], "Ready was told before there was a snapshot"

    run(scenario())


def test_time_alone_moves_a_rollout_at_the_moment_that_was_decided() -> None:
    """A bake ends when it ends: no event is needed, and no poll."""

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.release(NEW)
            shell.make(a_rollout(gates=[], bake={"durationSeconds": 300}))
            await pass_time(299)
            before = shell.ready()
            await pass_time(2)
            assert (before, shell.ready()) == (("False", "Baking"), ("True", "Healthy"))

    run(scenario())


PATCHING = a_rollout(traffic=BY_PATCH).serving(OLD).trying(NEW)
SHOP = Ref("HTTPRoute", NAMESPACE, "shop")


def shares(shell: Shell) -> dict[str, int]:
    """The weights in the route of somebody else, without those of nothing."""
    refs = shell.api.objects[SHOP]["spec"]["rules"][1]["backendRefs"]
    return {ref["name"]: ref["weight"] for ref in refs if ref["weight"]}


def has_trace(shell: Shell) -> bool:
    """Whether our annotation is on it."""
    return bool(shell.api.objects[SHOP]["metadata"].get("annotations"))


@pytest.mark.parametrize("is_told", [True, False], ids=["seen", "found at the next list"])
def test_a_rollout_that_goes_leaves_nothing_split_in_a_route_of_somebody_else(*, is_told: bool) -> None:
    """Its stable release gets everything; the route itself says which one that is."""

    async def scenario() -> None:
        async with a_shell() as shell:
            manifest = shell.make(PATCHING)
            await pass_time(1)
            assert shares(shell) == {service_of(OLD): 95, service_of(NEW): 5}
            shell.api.delete(ROLLOUT, tell=is_told)
            if not is_told:
                shell.cache.drop(manifest | {"metadata": {**manifest["metadata"], "resourceVersion": "999"}})
                shell.api.edit(SHOP, hostnames=["a.example.com"])
            await pass_time(1)
            assert (shares(shell), has_trace(shell)) == ({service_of(OLD): 100}, False)

    run(scenario())


def test_what_the_operator_missed_while_it_was_away_is_settled_at_its_start() -> None:
    """No rollout is there any more, only the route."""

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.api.put(dict(shown(PATCHING.build())[THEIRS]))
            await pass_time(1)
            assert (shares(shell), has_trace(shell)) == ({service_of(OLD): 100}, False)

    run(scenario())


def test_a_rollout_that_is_only_not_known_yet_keeps_its_split() -> None:
    """The API server is asked before anything is settled."""

    async def scenario() -> None:
        async with a_shell() as shell:
            tell, shell.api.intake = shell.api.intake, None
            shell.make(PATCHING)
            shell.api.intake = tell
            shell.api.put(
                shell.api.objects[SHOP] | {"metadata": shell.api.objects[SHOP]["metadata"] | {"labels": {}}}
            )
            await pass_time(5)
            assert (shares(shell), has_trace(shell)) == ({service_of(OLD): 95, service_of(NEW): 5}, True)

    run(scenario())


def test_settling_is_tried_until_it_succeeds() -> None:
    """With growing pauses, and nothing hangs on it: the rollout is gone already."""

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.make(PATCHING)
            await pass_time(1)
            shell.api.on_write = failing(UnavailableError("no answer"), "patch", "HTTPRoute", times=4)
            shell.api.delete(ROLLOUT)
            await pass_time(5)
            assert has_trace(shell)
            await pass_time(15)
            assert (shares(shell), has_trace(shell)) == ({service_of(OLD): 100}, False)
            done = shell.api.count("patch")
            await pass_time(600)
            assert shell.api.count("patch") == done

    run(scenario())


def test_the_canary_of_a_rollout_that_is_gone_keeps_traffic_no_longer_than_the_obstacle_lasts() -> None:
    """Settling is tried every two seconds, however long it was refused, and the metric counts it."""

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.make(PATCHING)
            await pass_time(1)
            shell.api.on_write = failing(ForbiddenError("frozen"), "patch", "HTTPRoute", times=10_000)
            shell.api.delete(ROLLOUT)
            await pass_time(610)
            assert (has_trace(shell), shell.blocked()) == (True, 1)
            shell.api.on_write = lambda _verb, _ref: None
            await pass_time(3)
            assert (shares(shell), has_trace(shell)) == ({service_of(OLD): 100}, False)
            assert shell.blocked() == 0

    run(scenario())


def test_a_fight_over_the_weights_of_somebody_elses_route_is_slowed_down_and_never_lost() -> None:
    """A Git tool sets 50/50 each second: at most one write of ours for one of theirs, fewer after five."""

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.make(PATCHING)
            await pass_time(1)
            before = shell.api.count("patch")
            for _ in range(60):
                route = json.loads(json.dumps(shell.api.objects[SHOP]))
                for ref in route["spec"]["rules"][1]["backendRefs"][1:3]:
                    ref["weight"] = 50
                shell.api.put(route)
                await pass_time(1)
            ours = shell.api.count("patch") - before
            assert 25 <= ours <= 40
            await pass_time(5)
            assert shares(shell) == {service_of(OLD): 95, service_of(NEW): 5}

    run(scenario())


@pytest.mark.parametrize("is_status_refused", [False, True])
def test_a_refused_rollback_is_said_at_once_and_goes_through_by_itself(*, is_status_refused: bool) -> None:
    """One Warning; the write is repeated although no status can be written."""

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.make(IN_CANARY)
            await pass_time(1)
            refused = ForbiddenError("denied by policy")
            shell.api.on_write = failing(refused, "apply", "HTTPRoute")
            shell.ask_for(OLD)
            await pass_time(1)
            assert shell.ready() == ("False", "NotRolledBack")
            if is_status_refused:
                shell.api.on_write = refusing(refused, "HTTPRoute", "AgentRollout")
            await pass_time(60)
            reasons = [event["reason"] for event in shell.api.events]
            assert (reasons.count("NotRolledBack"), shell.weights()) == (1, [95, 5])

            shell.api.on_write = failing(refused, "replace_status", "AgentRollout")
            await pass_time(2)
            assert shell.weights() == [100, 0]

    run(scenario())


def test_a_rollback_that_always_meets_a_newer_version_is_said_as_well() -> None:
    """Something writes the route faster than the operator does, or a webhook answers 409."""

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.make(IN_CANARY)
            await pass_time(1)
            shell.api.on_write = failing(ConflictError("has changed again"), "apply", "HTTPRoute")
            shell.ask_for(OLD)
            await pass_time(10)
            assert shell.ready() == ("False", "NotRolledBack")
            conditions = {each["type"]: each for each in shell.status()["conditions"]}
            assert "has changed again" in conditions["Ready"]["message"]
            shell.api.on_write = lambda _verb, _ref: None
            await pass_time(2)
            assert (shell.weights(), shell.blocked()) == ([100, 0], 0)

    run(scenario())


def test_a_rollback_does_not_depend_on_the_watch_of_its_route() -> None:
    """The watch has stalled since before someone else changed the backends among which the weights are."""

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.make(PATCHING)
            await pass_time(1)
            told, shell.api.intake = shell.api.intake, None
            rules = copy.deepcopy(shell.api.objects[SHOP]["spec"]["rules"])
            rules[1]["backendRefs"].append({"name": "theirs", "port": 80, "weight": 0})
            shell.api.edit(SHOP, rules=rules)
            shell.api.intake = told
            shell.ask_for(OLD)
            await pass_time(2)
            assert shares(shell) == {service_of(OLD): 100}

    run(scenario())


def refusing(error: ClusterError, *kinds: str) -> Callable[[str, Ref], None]:
    """For `on_write`: nothing of these kinds can be written."""

    def fail(_verb: str, ref: Ref) -> None:
        if ref.kind in kinds:
            raise error

    return fail


def test_a_rollback_that_hangs_is_said_while_it_hangs() -> None:
    """A webhook holds every write of the route; it goes through soon after the webhook is gone."""

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.make(IN_CANARY)
            await pass_time(1)
            whole, hangs = shell.api.apply, [True]

            async def held(manifest: Manifest, *, manager: str, force: bool) -> Manifest:
                if manifest["kind"] == "HTTPRoute" and hangs[0]:
                    await asyncio.sleep(10)
                    raise UnavailableError("no answer within 10 s")
                return await whole(manifest, manager=manager, force=force)

            shell.api.apply = held  # type: ignore[assignment,method-assign] # as a webhook would
            shell.ask_for(OLD)
            await pass_time(LOUD_SECONDS + 0.5)
            assert (shell.ready(), shell.weights()) == (("False", "NotRolledBack"), [95, 5])
            assert "NotRolledBack" in [event["reason"] for event in shell.api.events]
            await pass_time(60)
            hangs[0] = False
            await pass_time(2)
            assert shell.weights() == [100, 0]
            assert [event["reason"] for event in shell.api.events].count("NotRolledBack") == 1

    run(scenario())
