"""Inputs: what is to be written, again and again. Outputs: how long to wait before it is."""

from agentrollouts.core.effects import Write
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
