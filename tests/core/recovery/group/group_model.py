"""A model of groups: members ship, promote and roll back at random, and each follows its siblings by a rule.

Each member decides alone, from its own status and from views of its siblings that can be stale. After a
random history the views catch up. `explore` raises `ViolationError` if

- the group does not come to rest after a few rounds;
- a member serves or tries a change that overlaps an attempt that a sibling rolled back for harm, although it
  has something older;
- the rule rolls back a change that overlaps no such attempt.

A change is the interval from the start of its attempt to its end. `reference_rule` is the specification, and
the faulty rules test the model itself.
"""

import copy
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

HARM: Final = frozenset({"Breach", "Cap", "Timeout", "Action"})
"""Triggers of a rollback on trial that the group follows."""
ROUNDS: Final = 400
"""Rounds after which a group that has not come to rest oscillates."""
LENGTHS: Final = (10, 20, 40)
"""Events in a history."""


@dataclass(frozen=True)
class Change:
    """A release that serves: its name, and when its attempt started and ended."""

    release: str
    start: int
    end: int


@dataclass(frozen=True)
class Ended:
    """A history entry."""

    release: str
    start: int
    end: int
    outcome: str
    trigger: str


@dataclass
class Member:
    """What the status of one rollout persists."""

    healthy: list[Change] = field(default_factory=lambda: [Change("r0", -10, -5)])
    """Newest last; the last one serves."""
    canary: tuple[str, int] | None = None
    """The release on trial, and when its attempt started."""
    history: list[Ended] = field(default_factory=list)
    attempts: int = 0


class Answer(Enum):
    """What a rule has a member do."""

    ROLL_BACK_CANARY = "RollBack"
    GO_BACK = "GoBack"


Rule = Callable[[Member, Sequence[Member]], Answer | None]


class ViolationError(AssertionError):
    """The rule broke a property."""


@dataclass
class Result:
    """What was played."""

    histories: int = 0
    harmful: int = 0
    """Rollbacks for harm."""
    moves: int = 0
    """Rollbacks by the rule while views were stale."""
    rounds: int = 0
    """Most rounds until a group came to rest."""


def harmful(member: Member) -> Iterator[Ended]:
    """Attempts of this member that were rolled back for harm on trial."""
    return (entry for entry in member.history if entry.outcome == "RolledBack" and entry.trigger in HARM)


def reference_rule(member: Member, siblings: Sequence[Member]) -> Answer | None:
    """What this member rolls back because of its siblings; None if nothing."""
    for entry in (entry for sibling in siblings for entry in harmful(sibling)):
        if member.canary and member.canary[1] < entry.end:  # still running, so it overlaps
            return Answer.ROLL_BACK_CANARY
        if overlaps(member.healthy[-1], entry) and len(member.healthy) > 1:
            return Answer.GO_BACK
    return None


def overlaps(change: Change, entry: Ended) -> bool:
    """Whether a change was shipped during an attempt."""
    return change.start < entry.end and change.end >= entry.start


def explore(
    rule: Rule = reference_rule, histories: int = 4000, seed: int = 7, lengths: Sequence[int] = LENGTHS
) -> Result:
    """Play random histories. Raises `ViolationError` if a property does not hold."""
    source, result = random.Random(seed), Result()
    for _ in range(histories):
        _play(rule, source, result, source.choice(lengths))
        result.histories += 1
    return result


def _play(rule: Rule, source: random.Random, result: Result, length: int) -> None:
    members = [Member() for _ in range(source.choice([2, 3]))]
    if result.histories % 2:  # the first release of one member is new: it may overlap, and nothing is older
        members[0].healthy = [Change("r0", 0, 3)]
    views = [copy.deepcopy(members) for _ in members]
    for now in range(1, length + 1):
        index = source.randrange(len(members))
        _event(rule, members, views, index, now, source, result)
    for rounds in range(1, ROUNDS + 1):
        moved = [_apply(rule, member, _others(members, member), length + rounds) for member in members]
        if not any(moved):
            break
    else:
        raise ViolationError("the group does not come to rest")
    result.rounds = max(result.rounds, rounds)
    for member in members:
        _check(member, _others(members, member))


def _event(  # noqa: PLR0913, PLR0917 the state of a play
    rule: Rule,
    members: list[Member],
    views: list[list[Member]],
    index: int,
    now: int,
    source: random.Random,
    result: Result,
) -> None:
    member, event = members[index], source.random()
    if event < 0.25 and not member.canary:
        member.attempts += 1
        member.canary = (f"r{member.attempts}", now)
    elif event < 0.45 and member.canary:
        member.healthy.append(Change(*member.canary, now))
        _end(member, now, "Healthy", "")
    elif event < 0.60 and member.canary:
        _end(member, now, "RolledBack", source.choice(["Breach", "Cap", "Action"]))
        result.harmful += 1
    elif event < 0.65 and member.canary:
        _end(member, now, "RolledBack", "SpecReverted")
    elif event < 0.80:
        views[index] = copy.deepcopy(members)
    else:
        siblings = [view for other, view in enumerate(views[index]) if other != index]
        result.moves += _apply(rule, member, siblings, now)


def _others(members: Sequence[Member], member: Member) -> list[Member]:
    return [other for other in members if other is not member]


def _end(member: Member, now: int, outcome: str, trigger: str) -> None:
    assert member.canary is not None
    member.history.append(Ended(*member.canary, now, outcome, trigger))
    member.canary = None


def _apply(rule: Rule, member: Member, siblings: Sequence[Member], now: int) -> bool:
    match rule(member, siblings):
        case None:
            return False
        case Answer.ROLL_BACK_CANARY:
            assert member.canary is not None
            _check_cause(Change(*member.canary, now), siblings)
            _end(member, now, "RolledBack", "Group")
        case Answer.GO_BACK:
            if len(member.healthy) == 1:
                raise ViolationError("a member goes back though it has nothing older")
            change = member.healthy.pop()
            _check_cause(change, siblings)
            member.history.append(Ended(change.release, change.start, now, "RolledBack", "Group"))
    return True


def _check_cause(change: Change, siblings: Sequence[Member]) -> None:
    if not any(overlaps(change, entry) for sibling in siblings for entry in harmful(sibling)):
        raise ViolationError(f"{change} is rolled back though it overlaps no harmful attempt of a sibling")


def _check(member: Member, siblings: Sequence[Member]) -> None:
    for entry in (entry for sibling in siblings for entry in harmful(sibling)):
        if member.canary and member.canary[1] < entry.end:
            raise ViolationError(f"{member.canary} is still on trial though it overlaps {entry}")
        if len(member.healthy) > 1 and overlaps(member.healthy[-1], entry):
            raise ViolationError(f"{member.healthy[-1]} still serves though it overlaps {entry}")


def ignores_promoted_changes(member: Member, siblings: Sequence[Member]) -> Answer | None:
    """Faulty: only canaries are rolled back."""
    answer = reference_rule(member, siblings)
    return None if answer is Answer.GO_BACK else answer


def rolls_back_what_began_afterwards(member: Member, siblings: Sequence[Member]) -> Answer | None:
    """Faulty: any canary is rolled back, whenever it began."""
    is_harmed = any(True for sibling in siblings for _ in harmful(sibling))
    return Answer.ROLL_BACK_CANARY if is_harmed and member.canary else reference_rule(member, siblings)


def looks_at_the_newest_entry_only(member: Member, siblings: Sequence[Member]) -> Answer | None:
    """Faulty: what is seen late is missed."""
    return reference_rule(member, [Member(history=sibling.history[-1:]) for sibling in siblings])


def goes_back_without_a_target(member: Member, siblings: Sequence[Member]) -> Answer | None:
    """Faulty: stable is rolled back although nothing older is healthy."""
    is_hit = any(overlaps(member.healthy[-1], entry) for sibling in siblings for entry in harmful(sibling))
    return reference_rule(member, siblings) or (Answer.GO_BACK if is_hit else None)


def spreads_group_rollbacks(member: Member, siblings: Sequence[Member]) -> Answer | None:
    """Faulty: a rollback by the group is taken for harm, so one failure spreads without an end."""
    spread = [copy.deepcopy(sibling) for sibling in siblings]
    for sibling in spread:
        sibling.history = [
            replace(entry, trigger="Breach" if entry.trigger == "Group" else entry.trigger)
            for entry in sibling.history
        ]
    return reference_rule(member, spread)


FAULTS: Final[tuple[Rule, ...]] = (
    ignores_promoted_changes,
    rolls_back_what_began_afterwards,
    looks_at_the_newest_entry_only,
    goes_back_without_a_target,
    spreads_group_rollbacks,
)
