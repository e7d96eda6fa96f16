"""Inputs: results of Prometheus that come with an excess. Outputs: the condition, its Event, the writes."""

from dataclasses import dataclass, replace

from agentrollouts.api.attempt import State
from agentrollouts.api.objects import Condition
from agentrollouts.api.reasons import Reason
from agentrollouts.core.conditions import SHARE_EXCEEDED, find_condition
from agentrollouts.core.metrics.poll import Poll
from agentrollouts.core.rollout.reporting.status_change import NUMBERS_TICKS
from testkit.builders.names import NEW, OLD
from testkit.builders.rollouts import a_rollout
from testkit.world import World, a_world


@dataclass(kw_only=True)
class Throttled(World):
    """A world whose namespace requests more than its share, as the poller would report it."""

    excess: str | None = None
    actual_seconds: float | None = None

    def poll(self, poll: Poll) -> None:
        """The result, with what the poller adds."""
        super().poll(poll)
        assert self.poll_result is not None
        self.poll_result = replace(self.poll_result, excess=self.excess, interval_seconds=self.actual_seconds)

    @property
    def warning(self) -> Condition | None:
        """The condition that the status has."""
        return find_condition(self.status.conditions, SHARE_EXCEEDED)


def an_attempt(**analysis: object) -> Throttled:
    """`OLD` serves, `NEW` has just begun with 5%."""
    builder = a_rollout(analysis={"warmupSeconds": 0} | analysis).serving(OLD)
    world = a_world(builder, OLD, kind=Throttled)
    assert isinstance(world, Throttled)
    world.ship(NEW)
    world.settle()
    return world


def test_an_excess_is_a_warning_that_stops_nothing() -> None:
    """One condition with the sentence, one Event, and the attempt goes its way; it ends with the polls."""
    world = an_attempt()
    world.run(100)
    assert world.warning is None
    world.excess = "namespace support requests 1188 queries per second"
    world.run(100)
    warning = world.warning
    assert warning is not None
    assert (warning.status, warning.reason, warning.message) == (
        "True",
        "ShareExceeded",
        "Namespace support requests 1188 queries per second",
    )
    world.run_until(State.HEALTHY)
    assert len(world.told(Reason.SHARE_EXCEEDED)) == 1
    assert (world.warning, world.ready_reason()) == (None, "Healthy")


def test_a_warning_that_stays_writes_nothing_by_itself() -> None:
    """Neither does its sentence, whose numbers change with every result."""
    quiet, loud = an_attempt(), an_attempt()
    for round_ in range(20):
        loud.excess = f"namespace support requests {1188 + round_} queries per second"
        for world in (quiet, loud):
            world.run(30)
    assert loud.warning is not None
    assert quiet.status_writes <= loud.status_writes <= quiet.status_writes + 1


def test_a_restart_keeps_the_warning_until_prometheus_has_answered() -> None:
    """It does not go and come again with each process."""
    world = an_attempt()
    world.excess = "a query waited 12 s"
    world.run(100)
    world.restart()
    world.settle()
    assert world.warning is not None
    world.excess = None
    world.run(100)
    assert world.warning is None
    assert len(world.told(Reason.SHARE_EXCEEDED)) == 1


def test_numbers_are_written_by_the_interval_that_there_really_is() -> None:
    """A rollout that requests a result each second and gets one every 15 s writes at every sixth."""
    eager, slowed = an_attempt(intervalSeconds=15), an_attempt(intervalSeconds=15)
    slowed.actual_seconds = 60.0
    for world in (eager, slowed):
        world.run(30)
        world.status_writes = 0
        world.run(500)
    assert eager.status_writes >= 500 // (15 * NUMBERS_TICKS) > slowed.status_writes + 2
