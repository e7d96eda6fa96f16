"""Inputs: what is to be written, again and again. Outputs: how long to wait before it is."""

from typing import Any

from agentrollouts.core.effects import Deletion, Effect, Patch, Write
from agentrollouts.shell.effects.pace import AT_ONCE, CALM_SECONDS, PAUSE_LAST, Pace


def to(weight: int, version: str = "1") -> tuple[Write, ...]:
    """A route with that weight, on that version of it."""
    manifest = {"kind": "HTTPRoute", "metadata": {"resourceVersion": version}, "spec": {"weight": weight}}
    return (Write(manifest, "agentrollouts"),)


class Clock:
    """A clock that is set by hand."""

    time = 100.0

    def __call__(self) -> float:
        """The time now."""
        return self.time


def test_the_same_writes_are_done_a_few_times_at_once_and_then_with_growing_pauses() -> None:
    """Half a second, one, two, and never more."""
    clock = Clock()
    pace: Pace[str] = Pace(clock)
    pauses = []
    for _ in range(AT_ONCE + 5):
        pause = pace.pause("key", to(5))
        pauses.append(pause)
        if pause:
            clock.time += pause
            assert pace.pause("key", to(5)) == 0
    assert pauses == [0.0] * AT_ONCE + [0.5, 1.0, 2.0, PAUSE_LAST, PAUSE_LAST]


def test_looking_in_the_meantime_does_not_prolong_the_pause() -> None:
    """A pause is counted from the last write, however often somebody asks."""
    clock = Clock()
    pace: Pace[str] = Pace(clock)
    for _ in range(AT_ONCE + 1):
        pace.pause("key", to(5))
    clock.time += 0.3
    assert round(pace.pause("key", to(5)), 6) == round(pace.pause("key", to(5)), 6) == 0.2


def test_other_writes_other_objects_and_old_times_wait_for_nothing() -> None:
    """The way back is never held up because the way forward was repeated."""
    clock = Clock()
    pace: Pace[str] = Pace(clock)
    for _ in range(AT_ONCE + 1):
        pace.pause("key", to(5))
    answers = [pace.pause("other", to(5)), pace.pause("key", ()), pace.pause("key", to(0))]
    for _ in range(AT_ONCE + 1):
        pace.pause("key", to(5))
    clock.time += CALM_SECONDS
    answers.append(pace.pause("key", to(5)))
    for _ in range(AT_ONCE + 1):
        pace.pause("key", to(5))
    pace.forget("key")
    assert [*answers, pace.pause("key", to(5))] == [0.0] * 5


def test_the_same_on_another_version_is_the_same() -> None:
    """Whoever changes the route back makes a new version of it each time."""
    pace: Pace[str] = Pace(Clock())
    answers = [pace.pause("key", to(5, str(version))) for version in range(AT_ONCE + 1)]
    assert answers == [0.0] * AT_ONCE + [0.5]


def a_patch(weight: int, found: int, mark: str | None = None) -> Patch:
    """Weights in a route of someone else, where that was found; and the mark of a rollback."""
    path = "/spec/rules/0/backendRefs"
    operations: list[dict[str, Any]] = [
        {"op": "test", "path": path, "value": [{"name": "a", "weight": found}]},
        {"op": "add", "path": f"{path}/{found % 2}/weight", "value": weight},
        *([{"op": "add", "path": "/metadata/annotations/split", "value": mark}] if mark else []),
    ]
    return Patch({"kind": "HTTPRoute", "metadata": {"name": "shop"}}, tuple(operations))


def test_someone_who_changes_two_objects_in_turn_is_slowed_down() -> None:
    """Each object counts by itself, or the loop would be as fast as the network."""
    pace: Pace[str] = Pace(Clock())
    config = Write({"kind": "ConfigMap", "metadata": {"name": "agent-traffic"}}, "agentrollouts")
    turns: list[tuple[Effect, ...]] = [to(5), (config,)]
    answers = [pace.pause("key", turns[turn % 2]) for turn in range(2 * AT_ONCE + 2)]
    assert answers == [0.0] * (2 * AT_ONCE) + [0.5, 0.5]


def test_a_patch_is_the_same_whatever_it_has_found() -> None:
    """Someone who writes other weights each time is slowed down as well."""
    pace: Pace[str] = Pace(Clock())
    answers = [pace.pause("key", (a_patch(5, found),)) for found in range(AT_ONCE + 1)]
    assert answers == [0.0] * AT_ONCE + [0.5]


def test_the_mark_of_a_rollback_waits_for_nothing() -> None:
    """The patch that marks the route is another one, and so is the write of the next object beside it."""
    pace: Pace[str] = Pace(Clock())
    for found in range(AT_ONCE + 1):
        pace.pause("key", (a_patch(5, found),))
    config = Write({"kind": "ConfigMap", "metadata": {"name": "agent-traffic"}}, "agentrollouts")
    assert pace.pause("key", (a_patch(5, 0), config)) == 0.0
    assert pace.pause("key", (a_patch(0, 0, mark="rolledBack"),)) == 0.0


def test_what_is_deleted_again_and_again_is_the_same() -> None:
    """Whatever it had become since."""
    pace: Pace[str] = Pace(Clock())
    found = (
        {"kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"n": str(n)}} for n in range(AT_ONCE + 1)
    )
    assert [pace.pause("key", (Deletion(each),)) for each in found] == [0.0] * AT_ONCE + [0.5]
