"""What can happen to the small world of the exhaustive search.

Each of the two gates has any answer: pass, fail, no data, error; or too few runs for both. An answer can also
belong to the query of a phase earlier. People approve, promote, hold, resume, roll back, retry and freeze.
Time goes by in steps of one phase, and everything that waits, waits for one such step or for two.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product
from typing import Final

from agentrollouts.api.attempt import State
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.release import ReleaseRef
from agentrollouts.api.rollout import BAKE, Approval
from agentrollouts.core.gates.sources import Source
from agentrollouts.core.metrics.poll import PollResult
from agentrollouts.core.metrics.queries import QueryPlan, Term, tag
from agentrollouts.core.metrics.table import QueryResult, Row
from agentrollouts.core.states import is_progressing, is_under_way
from campaigns.virtual.equivalence import PHASE
from campaigns.virtual.small_world import RELEASES, Small
from testkit.builders.freezes import a_freeze
from testkit.builders.routes import ROUTE

TICK: Final = timedelta(seconds=PHASE + 1)
WORDS: Final = ("pass", "fail", "nodata", "error")
ANSWERS: Final = (*product(WORDS, WORDS), ("few", "few"))
"""What Prometheus can say about the two gates: any word about each, or too few runs for either."""
LATE: Final = ("pass", "fail")
"""What an answer can say that arrives after the weight has changed."""
FEW_ANSWERS: Final = (
    "answers pass, pass",
    "answers fail, pass",
    "answers pass, fail",
    "answers nodata, nodata",
)
"""One answer for each thing that a gate can do: let pass, roll back, hold, and leave open."""

REFS: Final = {release: ReleaseRef(name=release) for release in RELEASES}
FREEZE: Final = a_freeze()
APPROVERS: Final = ("ana@example.com", "lee@example.com")
LEADER: Final = "max@example.com"
"""Who does everything else; the rule against approving oneself is tested elsewhere."""

Happening = Callable[[Small], bool]
"""Lets it happen; whether it makes any difference."""


def _tick(world: Small) -> bool:
    world.now += TICK
    return True


def asking_for(release: str) -> Happening:
    """`spec.releaseRef` names that release."""

    def happen(world: Small) -> bool:
        is_other = world.rollout.spec.release_ref.name != release
        if is_other:
            world.respecify(world.rollout.spec.copy_with(release_ref=REFS[release]))
        return is_other

    return happen


def answering(strict: str, mild: str) -> Happening:
    """Prometheus says this about the two gates."""

    def happen(world: Small) -> bool:
        poll = world.current_poll
        if poll is None:
            return False
        rows = tuple(_rows(poll.plan, world.now, {"strict": strict, "mild": mild}))
        is_early = all(poll.plan.window(source, world.now) < 1 for source in poll.plan.sources)
        world.words = ("nothing to count yet",) if is_early else (strict, mild)
        world.observer.looked(world.now, answered={strict, mild} <= {"pass", "fail"})
        world.poll_result = PollResult(plan=poll.plan, result=QueryResult(world.now, rows))
        return True

    return happen


def answering_late(word: str) -> Happening:
    """Prometheus says this about both gates, in an answer to the query of a phase earlier."""

    def happen(world: Small) -> bool:
        if world.current_poll is None:
            return False
        plan = world.current_poll.plan
        sent = plan.counting_start - TICK
        earlier = replace(plan, counting_start=sent, warm_start=sent)
        rows = tuple(_rows(earlier, world.now, {"strict": word, "mild": word}))
        world.words = ("late", word)
        world.observer.looked(sent, answered=True)
        world.poll_result = PollResult(plan=earlier, result=QueryResult(world.now, rows))
        return True

    return happen


def _rows(plan: QueryPlan, now: datetime, said: Mapping[str, str]) -> Iterator[Row]:
    for source in plan.sources:
        name = source.selector.metric.partition("_")[0]
        kind, is_bad = said.get(name, "nodata"), "_bad" in source.selector.metric
        if kind == "nodata" or plan.window(source, now) < 1:
            continue
        for release in plan.subject.releases:
            is_tried = (release == plan.subject.canary) is (plan.past_end is None)
            is_suspect = (plan.subject.alone or is_tried) and not source.past
            yield from _counts(plan, source, release, now, _value(kind, is_bad=is_bad, suspect=is_suspect))


def _value(kind: str, *, is_bad: bool, suspect: bool) -> float:
    """A release on trial is the suspect; after a rollback, and at rest, stable is, as it is now."""
    match kind:
        case "error":
            return float("nan")
        case "few":
            return 0.0 if is_bad else 10.0
        case "fail" if suspect and is_bad:
            return 1000.0
        case _:
            return 20.0 if is_bad else 2000.0


def _counts(plan: QueryPlan, source: Source, release: str, now: datetime, value: float) -> Iterator[Row]:
    facts = {Term.INCREASE: value, Term.COVERED: 1.0, Term.NEWEST: now.timestamp(), Term.SCRAPES: 8.0}
    for term in plan.terms(source):
        if term in facts:
            yield Row(tag(plan, source, term), release, None, facts[term])


def _approve(world: Small) -> bool:
    """The next of two people agrees to the current phase."""
    attempt = world.status.attempt
    if attempt is None or not is_under_way(world.status):
        return False
    if world.rollout.spec.phases[attempt.phase_index].approval is not Approval.REQUIRED:
        return False
    given = {approval.by for approval in attempt.approved_by}
    by = next((person for person in APPROVERS if person not in given), APPROVERS[0])
    return world.request(ActionType.APPROVE, by, phase=attempt.phase_name or "")


def _approve_again(world: Small) -> bool:
    """Somebody who has approved already does it once more."""
    attempt = world.status.attempt
    if attempt is None or not is_under_way(world.status) or not attempt.approved_by:
        return False
    last = attempt.approved_by[-1]
    return world.request(ActionType.APPROVE, last.by, phase=last.phase_name)


def _promote(world: Small) -> bool:
    attempt = world.status.attempt
    if attempt is None or not is_progressing(world.status):
        return False
    phase = BAKE if attempt.state is State.BAKING else attempt.phase_name
    return world.request(ActionType.PROMOTE, LEADER, phase=phase or BAKE)


def _hold(world: Small) -> bool:
    return is_progressing(world.status) and world.request(ActionType.HOLD, LEADER)


def _resume(world: Small) -> bool:
    return is_progressing(world.status) and world.request(ActionType.RESUME, LEADER)


def _take_back(world: Small) -> bool:
    """The canary if there is one, else stable."""
    record = world.status.canary or world.status.stable
    return record is not None and world.request(ActionType.ROLL_BACK, LEADER, release=record.release)


def _take_back_and_approve(world: Small) -> bool:
    """Both at once: nothing goes forward beside a rollback."""
    return _approve(world) and _take_back(world)


def _retry(world: Small) -> bool:
    """What is asked for and in quarantine."""
    desired = world.rollout.spec.release_ref.name
    entry = next((entry for entry in world.status.quarantined if entry.release == desired), None)
    if entry is None:
        return False
    return world.request(ActionType.RETRY, LEADER, attempt=entry.attempt, release=entry.release)


def _meddle(world: Small) -> bool:
    """Somebody else gives the last release of the route half of the requests."""
    route = world.traffic.get(ROUTE)
    if route is None:
        return False
    rule = route["spec"]["rules"][0]
    first, *others = rule["backendRefs"]
    refs = [{**first, "weight": 50}, *({**ref, "weight": 50} for ref in others)]
    world.traffic[ROUTE] = {**route, "spec": {**route["spec"], "rules": [{**rule, "backendRefs": refs}]}}
    return True


def _freeze(world: Small) -> bool:
    """Somebody freezes the rollout, also in mid-attempt, until it thaws."""
    is_new = not world.freezes
    world.freezes = (FREEZE,)
    return is_new


def _thaw(world: Small) -> bool:
    is_over = bool(world.freezes)
    world.freezes = ()
    return is_over


ALWAYS: Final[Mapping[str, Happening]] = {
    "time passes": _tick,
    **{f"ask for {release}": asking_for(release) for release in RELEASES},
    "approve": _approve,
    "take back": _take_back,
    "take back and approve": _take_back_and_approve,
    "retry": _retry,
    "meddle": _meddle,
}
MEASURED: Final[Mapping[str, Happening]] = {
    **{f"answers {strict}, {mild}": answering(strict, mild) for strict, mild in ANSWERS},
    **{f"answers late, {word}": answering_late(word) for word in LATE},
}
DECREED: Final[Mapping[str, Happening]] = {
    "approve again": _approve_again,
    "promote": _promote,
    "hold": _hold,
    "resume": _resume,
    "freeze": _freeze,
    "thaw": _thaw,
}
HAPPENINGS: Final = {**ALWAYS, **MEASURED, **DECREED}
"""All of them. With a promotion after any answer, each frozen count meets each other one, and no search ends;
so one search has every answer, and another one every act of a person."""
EVERY_ANSWER: Final = {**ALWAYS, **MEASURED}
EVERY_ACT: Final = {**ALWAYS, **DECREED, **{what: MEASURED[what] for what in FEW_ANSWERS}}
