"""What rollouts look like, as series for dashboards and alerts.

A rollout has series of its own while an attempt is in progress, while it is held, and for an hour after a
rollback: its labels are names of objects, and their number is bounded by `limits` in the settings. All other
rollouts are only counted by their state. Only the replica that decides knows them; the others report none.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.api.objects import ConditionStatus
from agentrollouts.api.recovery.drill import DrillOutcome
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.conditions import DATA_RECOVERED, GROUP_CONSISTENT, find_condition
from agentrollouts.core.states import is_under_way
from agentrollouts.shell.clock import Clock, utc_now

SHOWN_AFTER_ROLLBACK: Final = timedelta(hours=1)
"""As long as people look at what happened."""
NEW: Final = "New"
"""State of a rollout that has had no attempt."""

NAMES: Final = ("namespace", "rollout")


class _Shown(NamedTuple):
    """What is shown of one rollout: values of its status, without the status, which is ten times as large."""

    weights: tuple[int, int] | None
    """Of stable and canary."""
    gates: tuple[tuple[str, str, float | None], ...]
    """Name, verdict and evidence of each."""
    held: tuple[str, datetime] | None
    until: datetime | None
    """Time after which it is only counted; None while an attempt or a detour is in progress."""
    off: tuple[str, int] | None = None
    """Cause and percent of a detour."""


class RolloutMetrics(Collector):
    """The newest status of each rollout, read when the metrics are read.

    Args:
        per_rollout: Whether rollouts have series of their own.
        clock: Now.
    """

    def __init__(self, per_rollout: Callable[[], bool], clock: Clock = utc_now) -> None:
        self._per_rollout = per_rollout
        self._clock = clock
        self._states: dict[Ref, str] = {}
        self._shown: dict[Ref, _Shown] = {}
        self._inconsistent: dict[Ref, str] = {}
        """The group of each member that says so."""
        self._failed_drills: set[Ref] = set()
        self._unrepaired: set[Ref] = set()
        """Those of which a hook that repairs data has failed."""

    def note(self, key: Ref, status: AgentRolloutStatus) -> None:
        """The status as it was just decided."""
        attempt, rollback = status.attempt, status.last_rollback
        self._states[key] = str(attempt.state) if attempt else NEW
        self._note_group(key, status)
        drill, repair = status.last_drill, find_condition(status.conditions, DATA_RECOVERED)
        _mark(self._failed_drills, key, is_so=drill is not None and drill.outcome is DrillOutcome.FAILED)
        _mark(self._unrepaired, key, is_so=repair is not None and repair.status is ConditionStatus.FALSE)
        until = rollback.decided_time + SHOWN_AFTER_ROLLBACK if rollback else None
        detour, is_shown = status.detour, is_under_way(status) or status.detour is not None
        if not is_shown and (until is None or until <= self._clock()):
            self._shown.pop(key, None)
            return
        hold = attempt.hold if attempt else None
        weights = status.weights
        self._shown[key] = _Shown(
            (weights.stable, weights.canary) if weights else None,
            tuple((gate.name, str(gate.verdict), gate.evidence) for gate in status.gates),
            (str(hold.reason), hold.since) if hold else None,
            None if is_shown else until,
            (str(detour.cause), detour.percent) if detour else None,
        )

    def forget(self, key: Ref) -> None:
        """The rollout is gone."""
        self._states.pop(key, None)
        self._shown.pop(key, None)
        self._inconsistent.pop(key, None)
        self._failed_drills.discard(key)
        self._unrepaired.discard(key)

    def _note_group(self, key: Ref, status: AgentRolloutStatus) -> None:
        if status.group is None:
            self._inconsistent.pop(key, None)
            return
        condition = find_condition(status.conditions, GROUP_CONSISTENT)
        if condition and condition.status is ConditionStatus.FALSE:
            self._inconsistent[key] = status.group.name
        else:
            self._inconsistent.pop(key, None)

    def collect(self) -> Iterator[Metric]:
        """All series. Another thread reads them, from copies that are made in one step."""
        states = GaugeMetricFamily("agentrollouts_rollouts", "Rollouts by state", labels=["state"])
        for state, count in sorted(Counter(self._states.copy().values()).items()):
            states.add_metric([state], count)
        yield states
        yield _groups(self._inconsistent.copy())
        if self._per_rollout():
            now = self._clock()
            shown = [
                item for item in self._shown.copy().items() if item[1].until is None or now < item[1].until
            ]
            yield _weights(shown)
            yield from _gates(shown)
            yield _held(shown, now)
            yield _off(shown)
            yield _marks("drill", "the newest drill of a rollout failed", self._failed_drills.copy())
            yield _marks("hook", "a hook that repairs data has failed", self._unrepaired.copy())


def _mark(keys: set[Ref], key: Ref, *, is_so: bool) -> None:
    (keys.add if is_so else keys.discard)(key)


def _groups(inconsistent: dict[Ref, str]) -> Metric:
    family = GaugeMetricFamily(
        "agentrollouts_group_inconsistent",
        "Members that report that a member of their group cannot roll back",
        labels=["namespace", "group"],
    )
    places = Counter((key.namespace, group) for key, group in inconsistent.items())
    for (namespace, group), count in sorted(places.items()):
        family.add_metric([namespace, group], count)
    return family


def _weights(shown: list[tuple[Ref, _Shown]]) -> Metric:
    family = GaugeMetricFamily(
        "agentrollouts_rollout_weight_percent",
        "Share of the traffic, as last observed on the route",
        labels=[*NAMES, "role"],
    )
    for key, rollout in shown:
        if rollout.weights is not None:
            stable, canary = rollout.weights
            family.add_metric([key.namespace, key.name, "stable"], stable)
            family.add_metric([key.namespace, key.name, "canary"], canary)
    return family


def _gates(shown: list[tuple[Ref, _Shown]]) -> Iterator[Metric]:
    evidence = GaugeMetricFamily(
        "agentrollouts_gate_evidence",
        "Evidence that the canary is worse, as odds to one",
        labels=[*NAMES, "gate"],
    )
    verdict = GaugeMetricFamily(
        "agentrollouts_gate_verdict", "1 for the last verdict of a gate", labels=[*NAMES, "gate", "verdict"]
    )
    for key, rollout in shown:
        for gate, seen, odds in rollout.gates:
            verdict.add_metric([key.namespace, key.name, gate, seen], 1)
            if odds is not None:
                evidence.add_metric([key.namespace, key.name, gate], odds)
    yield evidence
    yield verdict


def _marks(what: str, sentence: str, keys: set[Ref]) -> Metric:
    family = GaugeMetricFamily(f"agentrollouts_rollout_{what}_failed", f"1 if {sentence}", labels=NAMES)
    for key in sorted(keys, key=lambda key: (key.namespace, key.name)):
        family.add_metric([key.namespace, key.name], 1)
    return family


def _held(shown: list[tuple[Ref, _Shown]], now: datetime) -> Metric:
    family = GaugeMetricFamily(
        "agentrollouts_rollout_held_seconds", "How long an attempt has been held", labels=[*NAMES, "reason"]
    )
    for key, rollout in shown:
        if rollout.held is not None:
            reason, since = rollout.held
            family.add_metric([key.namespace, key.name, reason], (now - since).total_seconds())
    return family


def _off(shown: list[tuple[Ref, _Shown]]) -> Metric:
    family = GaugeMetricFamily(
        "agentrollouts_rollout_switched_off_percent",
        "Share of the traffic that a detour sends elsewhere",
        labels=[*NAMES, "cause"],
    )
    for key, rollout in shown:
        if rollout.off is not None:
            cause, percent = rollout.off
            family.add_metric([key.namespace, key.name, cause], percent)
    return family
