"""Counts that are not what they seem, in the bench: the operator's own reading of them tells them apart."""

import pytest

from agentrollouts.core.metrics import births, steadiness
from bench.judge.tables.believed import COLUMNS, BelievedTask, Trouble
from bench.judge.tasks import OURS


def minutes(trouble: Trouble, runs_per_hour: int, attempts: int) -> list[int | None]:
    """When attempts were stopped."""
    return [end.minute for end in BelievedTask(trouble, runs_per_hour, 1, range(attempts)).run()[OURS]]


@pytest.mark.parametrize("trouble", COLUMNS, ids=lambda column: column.name)
def test_an_equal_release_stays_and_a_worse_one_is_stopped(trouble: Trouble) -> None:
    """Rolled back, or held for the right reason; never promoted."""
    stopped = minutes(trouble, 10_000, 3)

    assert all(stopped) if trouble.is_worse else stopped == [None] * 3


def test_a_past_that_is_believed_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bench shows it: without the bound, the failures of a smoke test roll an equal release back."""
    monkeypatch.setattr(births, "GENEROUS", 1e9)

    assert any(minutes(next(c for c in COLUMNS if c.has_past and not c.is_worse), 10_000, 3))


def test_workers_that_are_believed_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the count of falls, lifetimes are taken for runs."""
    monkeypatch.setattr(steadiness, "jumps", lambda *_: None)

    assert any(minutes(next(c for c in COLUMNS if c.flaps and not c.is_worse), 1_000, 12))
