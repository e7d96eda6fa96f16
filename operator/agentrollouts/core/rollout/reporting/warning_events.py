"""Warning Events: one for each change of what fails, stops or is refused, in whatever state.

A hold and a rollback report their cause. What they do not report is reported here, such as a gate that fails
while the rollout is paused or idle.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from agentrollouts.api.objects import Condition, ConditionStatus
from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.api.verdict import Verdict
from agentrollouts.core.analysis.analyze import exceeded_caps
from agentrollouts.core.conditions import METRICS_CONDITION, RECONCILING, STALLED, WARNINGS
from agentrollouts.core.effects import Event
from agentrollouts.core.endings import ENDINGS, UNVARYING
from agentrollouts.core.rollout.reporting.progress import steady
from agentrollouts.core.rollout.situation import Situation
from agentrollouts.core.states import is_progressing

FOUND: Final = frozenset({Verdict.FAIL, Verdict.SHARED_CAUSE, Verdict.TRAFFIC_MISMATCH})
"""Verdicts that are reported when a gate comes to have them."""

QUIET: Final = frozenset(
    {
        Reason.APPLYING,
        Reason.AWAITING_APPROVAL,
        Reason.HOOKS_RUNNING,
        Reason.ON_STANDBY,
        Reason.PENDING,
        Reason.SWITCHED_OFF,
    }
)
"""Words of every normal course, and of what has an Event of its own."""

REPORTED: Final = (ENDINGS.keys() | {Reason.HOSTNAME_SHARED, Reason.ANNOTATION_IGNORED}) - QUIET

AWAITED: Final = frozenset({Reason.METRIC_MISSING, Reason.METRICS_STALE, Reason.METRICS_UNAVAILABLE})
"""Words of the metrics that are normal at first; an attempt is held for them, with an Event, if they last."""

KNOWN: Final = frozenset(Reason)

_Word = tuple[Reason, str]
"""What is wrong, and in a sentence; without one where the sentence changes though the cause does not."""


def notices(s: Situation, status: AgentRolloutStatus, reported: Iterable[Event]) -> Iterator[Event]:
    """What the new status says and the persisted one did not, as far as no Event of this decision says it."""
    events = list(reported)
    for event in chain(_gates(s), _caps(s), _words(s.obs.status, status)):
        if not any(_repeats(event, earlier) for earlier in events):
            events.append(event)
            yield event


def _repeats(event: Event, earlier: Event) -> bool:
    is_same_cause = event.reason is earlier.reason and event.reason not in UNVARYING
    return event.message in earlier.message or (is_same_cause and earlier.message in event.message)


def _gates(s: Situation) -> Iterator[Event]:
    """Gates that began to fail, or whose result keeps the attempt from advancing."""
    old = s.obs.status
    before = {gate.name: gate.verdict for gate in (old.gates if is_progressing(old) else old.watched)}
    for judgment in s.analysis.judgments:
        if judgment.verdict in FOUND and before.get(judgment.name) is not judgment.verdict:
            reason = Reason.GATE_WARNED if judgment.warns else judgment.reason
            yield Event(reason, f"{judgment.name}: {judgment.message}", is_warning=True)


def _caps(s: Situation) -> Iterator[Event]:
    exceeded = {cap.name for cap in exceeded_caps(s.obs.status)}
    for reading in s.analysis.cap_readings:
        if reading.exceeded and reading.name not in exceeded:
            yield Event(Reason.CAP_EXCEEDED, f"{reading.name}: {reading.message}", is_warning=True)


def _words(old: AgentRolloutStatus, new: AgentRolloutStatus) -> Iterator[Event]:
    """What a condition, or the hold, came to say."""
    keys = {_key(word) for word in _wrong(old)}
    for word in _wrong(new):
        if _key(word) not in keys:
            keys.add(_key(word))
            yield Event(*word, is_warning=True)


def _key(word: _Word) -> _Word:
    reason, message = word
    return (reason, message if reason in UNVARYING else "")


def _is_altered(condition: Condition) -> bool:
    """Whether a rollback is possible though a snapshot was altered."""
    return condition.status is ConditionStatus.TRUE and condition.reason == Reason.SNAPSHOT_ALTERED


def _is_wrong(condition: Condition, status: AgentRolloutStatus) -> bool:
    """Whether a condition says that something is wrong; by its type, that is True or False."""
    if condition.type in {RECONCILING, STALLED}:
        return False
    if condition.type == METRICS_CONDITION and condition.reason in AWAITED and is_progressing(status):
        return False
    is_true = condition.status is ConditionStatus.TRUE
    return is_true is (condition.type in WARNINGS or _is_altered(condition))


def _wrong(status: AgentRolloutStatus) -> Iterator[_Word]:
    """Everything that a status says is wrong."""
    conditions = (condition for condition in status.conditions if _is_wrong(condition, status))
    words = [(condition.reason, condition.message) for condition in conditions]
    hold = status.attempt.hold if status.attempt else None
    if hold is not None:
        words.append((hold.reason, hold.message))
    for text, message in words:
        reason = Reason.of(text) if text in KNOWN else None
        if reason is not None and reason in REPORTED:
            yield reason, steady(message)
