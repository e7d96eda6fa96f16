"""What `agentrollouts judge` reads: one question per line, checked field by field."""

from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from agentrollouts.core.gates.counts import (
    LARGEST,
    SMALLEST,
    Bound,
    Expected,
    Segment,
    Started,
    Tally,
    settled,
)
from agentrollouts.core.metrics.histograms import MAX_BOUNDS, MAX_GROUPS

MAX_PHASES: Final = 20
MAX_SEGMENTS: Final = 201
"""Parts of an attempt with a weight of their own, as a status keeps them."""


def _read_number(value: object) -> object:
    """A decimal string or a JSON number; `true` is neither."""
    if isinstance(value, bool):
        raise ValueError("must be a number")  # noqa: TRY004 pydantic turns only ValueError into an answer
    return value


_Count = Annotated[float, BeforeValidator(_read_number), Field(ge=0, le=LARGEST, allow_inf_nan=False)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, extra="forbid")


class Counts(_Model):
    """Bad outcomes and runs of one release."""

    bad: _Count = 0.0
    total: _Count


class _Bound(_Model):
    le: Annotated[float, BeforeValidator(_read_number), Field(allow_inf_nan=False)]
    canary: _Count
    stable: _Count


class _Group(_Model):
    value: str
    canary: _Count
    stable: _Count


class Pair(_Model):
    """Counts of both releases."""

    canary: Counts
    stable: Counts

    @property
    def segment(self) -> Segment:
        """The counts as the judge takes them."""
        canary, stable = self.canary, self.stable
        return Segment(settled(canary.bad), settled(canary.total), settled(stable.bad), settled(stable.total))


class _Started(_Model):
    canary: _Count
    stable: _Count


class Phase(Pair):
    """Counts of one phase."""

    phase: Annotated[int, Field(strict=True, ge=0, lt=MAX_PHASES)] | None = None
    weight: Annotated[int, Field(strict=True, ge=0, le=100)] | None = None
    underway: Annotated[_Count, Field(ge=SMALLEST, le=1)] = 1.0
    started: _Started | None = None
    bounds: Annotated[tuple[_Bound, ...], Field(max_length=MAX_BOUNDS)] = ()
    mix: Annotated[tuple[_Group, ...], Field(max_length=MAX_GROUPS)] = ()

    def tally(self, index: int) -> Tally:
        """The counts as a segment; `index` is the phase that it belongs to, unless it names one."""
        bounds = tuple(Bound(b.le, settled(b.canary), settled(b.stable)) for b in self.bounds)
        return Tally(index if self.phase is None else self.phase, self.segment, bounds, self.expected)

    @property
    def expected(self) -> Expected:
        """How many runs the canary should have had."""
        began = self.started
        started = Started(began.canary, began.stable) if began else None
        return Expected(self.weight, started, self.underway)


class Question(_Model):
    """One line of standard input."""

    gate: dict[str, Any]
    phases: Annotated[tuple[Phase, ...], Field(max_length=MAX_SEGMENTS)]
    planned_phases: Annotated[int, Field(strict=True, ge=1, le=MAX_PHASES)] | None = None
    burst_factor: Annotated[_Count, Field(ge=SMALLEST)] | None = None
    time_over: Annotated[bool, Field(strict=True)] = True
    recent: Pair | None = None
    before: Counts | None = None

    @property
    def tallies(self) -> list[Tally]:
        """The counts of each phase, or of each part of one with its own weight, in order."""
        return [phase.tally(index) for index, phase in enumerate(self.phases)]
