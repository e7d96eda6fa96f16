"""Courses of values as tests compare them."""

from collections.abc import Iterable
from itertools import groupby
from typing import TypeVar

T = TypeVar("T")


def without_repetitions(values: Iterable[T]) -> list[T]:
    """The values in their order, each once for as long as it stays the same."""
    return [value for value, _ in groupby(values)]
