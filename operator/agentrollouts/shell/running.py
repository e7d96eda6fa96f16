"""The operator as a whole: its parts put together, started in order, and stopped.

Called by `main` inside kopf's start-up and clean-up. The cache is filled by one list of each kind before
any worker starts, so that no decision is made on half of the world.
"""

import asyncio
import gc
import logging
import os
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

from agentrollouts.adapters.alertmanager.client import Client
from agentrollouts.adapters.cluster.replacing import ReplacingCluster
from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.adapters.cluster.watch import WatchingCluster
from agentrollouts.settings.load import SettingsError, Watcher
from agentrollouts.settings.settings import Settings
from agentrollouts.shell.cache import Cache
from agentrollouts.shell.content.desk import Desk
from agentrollouts.shell.content.examiner import Examiner
from agentrollouts.shell.controllers.controller import Controller
from agentrollouts.shell.controllers.freeze import FreezeController
from agentrollouts.shell.controllers.release import ReleaseController, ReleaseObserver
from agentrollouts.shell.controllers.rollout import Onlookers, RolloutController
from agentrollouts.shell.controllers.rollout_hooks import RolloutHooks
from agentrollouts.shell.controllers.rollout_observer import RolloutObserver
from agentrollouts.shell.effects.act import Actor
from agentrollouts.shell.effects.alerts import AlertBoard, AlertPoster
from agentrollouts.shell.effects.events import EventSender
from agentrollouts.shell.effects.writes import PacedWrites
from agentrollouts.shell.inputs.endpoints import EndpointWatch
from agentrollouts.shell.inputs.gateway_classes import GatewayClasses
from agentrollouts.shell.inputs.intake import Intake
from agentrollouts.shell.inputs.poller import Poller
from agentrollouts.shell.inputs.resync import Resync
from agentrollouts.shell.lease import LEASE, Lease, identity
from agentrollouts.shell.permits.releases import ReleasePermits
from agentrollouts.shell.permits.rollouts import Permits
from agentrollouts.shell.reconcile import Reconciler, shares_of, workers_of
from agentrollouts.shell.records.recorder import Recorder
from agentrollouts.shell.relations import FREEZE, RELEASE, ROLLOUT
from agentrollouts.shell.rollout_metrics import RolloutMetrics
from agentrollouts.shell.sources import Sources
from agentrollouts.shell.workqueue import WorkQueue
from agentrollouts.telemetry import Telemetry, endpoint, serve

logger = logging.getLogger(__name__)

Work = Callable[[], Coroutine[Any, Any, None]]

STUCK_SECONDS: Final = 180.0
"""A look that takes longer will never end: while the API server hangs, a look at an object can take a minute
and a half, ten seconds for each call. A long queue does not fail the probe: a restart would lengthen it."""

LEASE_LOST: Final = 3
"""Exit code of a replica that lost the Lease."""

RECORDS_AT_A_TIME: Final = 4
"""Connections for records, on which nothing else waits."""

YOUNG_OBJECTS: Final = 10_000
"""How many new containers make the garbage collector look at them. A decision makes and drops thousands,
nearly all of them without its help; with Python's own 700 it took a tenth of each."""


class Operator:
    """Everything but the watch.

    Args:
        watcher: The settings, as last found good.
        kubeconfig: Where the API server is; None for the pod's own service account.
    """

    def __init__(self, watcher: Watcher, kubeconfig: Path | None) -> None:
        self._watcher = watcher
        self._kubeconfig = kubeconfig
        self._exit = AsyncExitStack()
        self._is_ready = False
        self._is_working = False
        self._tasks: list[asyncio.Task[None]] = []
        self._resync: Resync
        self._followers: list[Callable[[Settings], None]] = []
        """What uses new settings, in this order."""
        self.telemetry = Telemetry()

    async def start(self) -> Intake:
        """Connect and fill the cache; the answer is where watch events go.

        Waits for the API server as long as it takes; the probes say so meanwhile. The workers start when this
        replica holds the Lease, if there is one.

        Raises:
            NoCredentialsError: there is no usable way to reach an API server.
        """
        settings, telemetry = self._watcher.settings, self.telemetry
        lease = await self._lease(settings)
        may_write = lease.is_held if lease else lambda: True
        cluster = await WatchingCluster.connect(
            self._kubeconfig, on_call=telemetry.api_call, may_write=may_write
        )
        self._exit.push_async_callback(cluster.close)
        cache = Cache(home=settings.lease.namespace if settings.lease else None)
        queue = WorkQueue(asyncio.get_running_loop().time, shares_of(settings.workers, cache))
        telemetry.watch_queue(queue.__len__, queue.oldest_seconds)
        intake = Intake(cache, queue)
        self._resync = resync = Resync(cluster, cache, intake, settings.namespaces)
        await self._exit.enter_async_context(self._serve(settings, queue))
        self._spawn(telemetry.measure_lag(), "lag")
        await resync.fill()
        records = await ReplacingCluster.connect(
            self._kubeconfig, on_call=telemetry.api_call, may_write=may_write, connections=RECORDS_AT_A_TIME
        )
        self._exit.push_async_callback(records.close)
        work = self._work(cluster, records, cache, intake, queue, may_write)
        self._spawn(resync.keep(), "resync")
        _spare_the_collector()
        self._is_ready = True
        if lease is None:
            work()
        else:
            self._spawn(self._lead(lease, work), "lease")
        return intake

    def _work(
        self,
        cluster: WatchingCluster,
        records: ReplacingCluster,
        cache: Cache,
        intake: Intake,
        queue: WorkQueue[Ref],
        may_write: Callable[[], bool],
    ) -> Callable[[], None]:
        """Build what decides and writes; the answer starts it."""
        settings, telemetry = self._watcher.settings, self.telemetry
        sources = Sources(settings)
        self._exit.callback(sources.close)
        on_result = partial(queue.mark, is_urgent=True)
        poller = Poller(sources.find, on_result, telemetry.polled, limits=settings.limits)
        self._exit.callback(poller.close)
        self._followers += [sources.replace, lambda news: poller.replace(news.limits)]
        sender = EventSender(cluster)
        recorder = Recorder.over(records, poller.minutes, queue.mark, settings.record)
        self._followers.append(lambda news: recorder.replace(news.record))
        actor = Actor(cluster, cache, intake, sender, recorder)
        telemetry.watch_statuses(actor.statuses.unwritten, actor.statuses.incomplete)
        permits, release_permits = self._permits(cluster, cache, intake, queue)
        endpoints = EndpointWatch(cluster, queue.mark, settings.namespaces)
        self._exit.callback(endpoints.close)
        hooks = RolloutHooks.over(cluster, queue.mark, settings.hooks)
        self._followers.append(lambda news: hooks.replace(news.hooks))
        self._exit.callback(hooks.close)
        rollouts = RolloutObserver(cache, cluster, poller, permits=permits, endpoints=endpoints)
        releases = self._release_observer(cluster, cache, release_permits)
        onlookers, poster = self._onlookers(may_write)
        controllers: dict[str, Controller] = {
            ROLLOUT: RolloutController(rollouts, actor, poller, telemetry, onlookers, hooks),
            RELEASE: ReleaseController(
                releases, actor, PacedWrites(actor), release_permits, Desk(queue.mark)
            ),
            FREEZE: FreezeController(actor, cache.home),
        }
        reconciler = Reconciler(queue, cache, controllers, telemetry)
        self._spawn(self._follow_settings(intake), "settings")
        tasks = {"events": sender.work, "records": recorder.work, "alerts": poster.work}
        return partial(self._begin, workers_of(settings.workers), reconciler, tasks)

    def _onlookers(self, may_write: Callable[[], bool]) -> tuple[Onlookers, AlertPoster]:
        """What is noted of each decision for people, and what posts their alerts."""
        metrics = RolloutMetrics(lambda: self._watcher.settings.telemetry.per_rollout)
        self.telemetry.registry.register(metrics)
        onlookers, channel = Onlookers(metrics, AlertBoard()), Client()
        self._exit.callback(channel.close)
        on_post = self.telemetry.alerts_posted
        poster = AlertPoster(onlookers.alerts, self._watcher.settings, on_post, may_write, channel)
        self._followers.append(poster.replace)
        return onlookers, poster

    def _begin(self, workers: int, reconciler: Reconciler, tasks: Mapping[str, Work]) -> None:
        """Start what decides and writes."""
        self._is_working = True
        for index in range(workers):
            self._spawn(reconciler.work(), f"worker {index}")
        for name, work in tasks.items():
            self._spawn(work(), name)

    async def _lease(self, settings: Settings) -> Lease | None:
        """The Lease of the settings, given up at the very end."""
        if settings.lease is None:
            return None
        cluster = await ReplacingCluster.connect(self._kubeconfig, connections=1)
        self._exit.push_async_callback(cluster.close)
        place = Ref(LEASE, settings.lease.namespace, settings.lease.name)
        lease = Lease(cluster, place, identity())
        self._exit.push_async_callback(lease.release)
        self.telemetry.watch_lease(lease.is_held)
        return lease

    async def _lead(self, lease: Lease, work: Callable[[], None]) -> None:
        """Wait for the Lease, then work. Without it, the process ends at once; Kubernetes restarts it."""
        logger.info("Waiting for the Lease")
        await lease.acquire()
        logger.info("Holds the Lease")
        work()
        await lease.keep()
        logger.critical("Lost the Lease; this process ends, so that another replica decides alone")
        logging.shutdown()
        os._exit(LEASE_LOST)

    @property
    def lists(self) -> Resync:
        """Makes the lists before each watch."""
        return self._resync

    def _release_observer(
        self, cluster: WatchingCluster, cache: Cache, permits: ReleasePermits
    ) -> ReleaseObserver:
        """With the process that examines releases, which is ended at the end."""
        examiner = Examiner()
        self._exit.push_async_callback(examiner.close)
        return ReleaseObserver(cache, cluster, permits=permits, examine=examiner.examine)

    def _permits(
        self, cluster: WatchingCluster, cache: Cache, intake: Intake, queue: WorkQueue[Ref]
    ) -> tuple[Permits, ReleasePermits]:
        """What the settings allow, with the Gateways that it reads closed at the end."""
        classes = GatewayClasses(cluster, queue.mark)
        self._exit.callback(classes.close)
        settings = self._watcher.settings
        permits = Permits(settings, cache, classes, queue.mark), ReleasePermits(settings, cache, queue.mark)
        for each in permits:
            self._followers.append(each.replace)
            intake.follow(each.give)
        return permits

    async def stop(self) -> None:
        """End the workers and close all connections. What is half done is done again by the next process.

        The Lease is given up when nothing of this process can write anymore.
        """
        self._is_ready = self._is_working = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._exit.aclose()

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.append(task)

    def _serve(self, settings: Settings, queue: WorkQueue[Ref]) -> AbstractAsyncContextManager[object]:
        def ready() -> str | None:
            problem = f" ({self._resync.problem})" if self._resync.problem else ""
            return None if self._is_ready else f"the cache is being filled{problem}"

        app = endpoint(self.telemetry, healthy=lambda: self._ailment(queue), ready=ready)
        return serve(app, settings.serve.address, settings.serve.port)

    def _ailment(self, queue: WorkQueue[Ref]) -> str | None:
        """What only a restart can cure; an event loop that is stuck does not answer at all."""
        if ended := [task.get_name() for task in self._tasks if task.done()]:
            return f"ended by a bug: {', '.join(ended)}"
        stuck = queue.stuck_seconds() if self._is_working else 0.0
        return f"the workers have made no progress for {stuck:.0f} s" if stuck > STUCK_SECONDS else None

    async def _follow_settings(self, intake: Intake) -> None:
        async for news in self._watcher.changes():
            self.telemetry.settings_reloaded(ok=not isinstance(news, SettingsError))
            if isinstance(news, SettingsError):
                logger.warning("Kept the previous settings: %s", news)
            else:
                for follow in self._followers:
                    follow(news)
                intake.look_at_all()
                logger.info("Applied new settings")


def _spare_the_collector() -> None:
    """Freezes everything that is loaded: collecting it again and again would block the event loop."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)
