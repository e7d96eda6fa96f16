"""The course of an attempt: the evidence of each gate over time, as `status.course` keeps it.

A look joins only a status that is written anyway, so nothing is ever written for the course alone.
"""

import math
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from agentrollouts.api.record.course import MAX_COURSE, Look
from agentrollouts.api.rollout import AgentRolloutSpec
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.api.verdict import GateStatus
from agentrollouts.core.attempt.schedule import plan_hash
from agentrollouts.core.states import LATCHED, is_progressing

Course = tuple[Look, ...]

NO_EVIDENCE: Final = -99
LEAST: Final = -40
MOST: Final = 60
"""The bounds of evidence, in tenths of a power of ten."""
_MOST_SECONDS: Final = 2_147_483_647


def with_look(
    before: AgentRolloutStatus, status: AgentRolloutStatus, spec: AgentRolloutSpec, now: datetime
) -> AgentRolloutStatus:
    """The status with one more look at the attempt in progress, for where it is written.

    The look at which a rollback is decided is the last one with new evidence: later only a change of the
    weight is one.

    Args:
        before: The persisted status.
        status: The one that is about to be written.
        spec: The plan, whose gates have the evidence.
        now: Time of the decision.
    """
    attempt = status.attempt
    if attempt is None or not is_progressing(status):
        return status
    last = status.course[-1] if status.course else None
    weight = status.weights.canary if status.weights else 0
    is_judged = not _is_latched(before, attempt.number) and attempt.plan_hash == plan_hash(spec)
    if last and not is_judged and weight == last.weight:
        return status
    names = (gate.name for gate in spec.gates)
    evidence = last.evidence if last and not is_judged else _evidence(names, status.gates)
    seconds = int(min(_MOST_SECONDS, max(0.0, (now - attempt.start_time).total_seconds())))
    look = Look(seconds=max(seconds, last.seconds if last else 0), weight=weight, evidence=evidence)
    return status.copy_with(course=joined(status.course, look))


def joined(course: Course, look: Look) -> Course:
    """The course with this look; it replaces one of the same second and weight."""
    last = course[-1] if course else None
    if last and (last.seconds, last.weight) == (look.seconds, look.weight):
        course = course[:-1]
    return (*_with_room(course), look)


def changes_of_weight(course: Course) -> Course:
    """The first look, and each at another weight than the one before it."""
    return tuple(look for index, look in enumerate(course) if _is_change(course, index))


def _with_room(course: Course) -> Course:
    """With room for one more: every second look of the older half is dropped, but no change of the weight."""
    if len(course) < MAX_COURSE:
        return course
    steady = [index for index in range(len(course)) if not _is_change(course, index)]
    older = [index for index in steady if index < len(course) // 2]
    dropped = frozenset((older or steady)[::2] or (0,))  # weights only rise, so less than all are changes
    return tuple(look for index, look in enumerate(course) if index not in dropped)


def _is_change(course: Course, index: int) -> bool:
    return index == 0 or course[index].weight != course[index - 1].weight


def _is_latched(status: AgentRolloutStatus, number: int) -> bool:
    attempt = status.attempt
    return attempt is not None and attempt.number == number and attempt.state in LATCHED


def _evidence(names: Iterable[str], gates: Iterable[GateStatus]) -> tuple[int, ...]:
    """The evidence of each gate, in the order of `names`."""
    known = {gate.name: gate.evidence for gate in gates}
    return tuple(tenths(known.get(name)) for name in names)


def tenths(evidence: float | None) -> int:
    """Odds to one, in tenths of a power of ten."""
    if evidence is None or math.isnan(evidence):
        return NO_EVIDENCE
    if evidence <= 0:
        return LEAST
    return round(min(MOST, max(LEAST, 10 * math.log10(evidence))))
