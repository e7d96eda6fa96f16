"""The campaign that explores properties: it finds what is rare, and its seed finds it again."""

import re
from pathlib import Path

from campaigns.cases import Case, Choice
from campaigns.virtual.properties import play

RARE = """
from hypothesis import given, strategies as st

@given(st.integers(0, 2**64), st.lists(st.integers()))
def test_holds(number, numbers):
    assert sum(numbers) == sum(reversed(numbers))

@given(st.integers(0, 1_000))
def test_breaks_for_one_number_in_a_thousand(number):
    assert number * 7919 % 1001 != 500

def test_is_not_a_property():
    raise AssertionError
"""


def counterexample(case: Case) -> str | None:
    """The number that broke the property, as the report shows it."""
    match = re.search(r"number=(\d+)", case.broken or "")
    return match and match[1]


def test_a_rare_counterexample_is_found_and_found_again(tmp_path: Path) -> None:
    """Each property gets 2,000 examples; a counterexample is printed and follows from the seed."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_rare.py").write_text(RARE)

    holds, breaks = play(Choice(seed=7), tmp_path)
    [again] = play(Choice(seed=7, only=breaks.name), tmp_path)

    assert (holds.name, holds.broken) == ("tests/test_rare.py::test_holds", None)
    assert holds.counts >= 2_000
    assert counterexample(breaks) is not None
    assert counterexample(again) == counterexample(breaks)
