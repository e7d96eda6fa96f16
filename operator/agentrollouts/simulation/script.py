"""The world file: how much traffic there is, how releases behave, what fails and what people do, over time.

Read by `agentrollouts simulate`; `play` turns it into a world. Times are spans since the start, written as
people say them: `90s`, `45m`, `2h30m`, `1d`.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from agentrollouts.api.model.base import DnsLabel, ReleaseName
from agentrollouts.core.gates.selector import DEFAULT_LABELS, Refusal, Selector, parse_selector

UNITS: Final = {"d": 86400, "h": 3600, "m": 60, "s": 1}
LONGEST: Final = 31 * 86400
"""Seconds that a simulation may last."""

_SPAN: Final = re.compile(r"(?:\d+[dhms])+")


def _read_span(value: object) -> object:
    if isinstance(value, str) and _SPAN.fullmatch(value):
        return sum(int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+)([dhms])", value))
    raise ValueError("must be a duration such as 90s, 45m or 2h30m")


def _read_course(value: object) -> object:
    return value if isinstance(value, Mapping) else {"0s": value}


def _read_series(text: str) -> Selector:
    selector = parse_selector(text, field="", labels=DEFAULT_LABELS)
    if isinstance(selector, Refusal) or any(matcher.operator != "=" for matcher in selector.matchers):
        raise ValueError('must be one metric with labels, like agent_evals_total{result="fail"}')
    return selector


Span = Annotated[int, BeforeValidator(_read_span), Field(ge=0, le=LONGEST)]
"""Seconds, written as a span."""
Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
ShareCourse = Annotated[dict[Span, Share], BeforeValidator(_read_course), Field(min_length=1)]
"""A share of 0 to 1, or such shares by the time from which they hold."""
Course = Annotated[dict[Span, Amount], BeforeValidator(_read_course), Field(min_length=1)]
"""A number, or numbers by the time from which they hold."""


def at(course: Mapping[int, float], seconds: float) -> float:
    """What holds at that time; before the first time, what holds then."""
    times = sorted(course)
    return course[max((time for time in times if time <= seconds), default=times[0])]


class _Model(BaseModel):
    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, extra="forbid", use_attribute_docstrings=True
    )


class Behavior(_Model):
    """How the runs of a release go. Each field is a number, or numbers by the time from which they hold."""

    failed: ShareCourse = {0: 0.02}
    """Share of the runs that fail."""
    escalated: ShareCourse = {0: 0.05}
    """Share of the runs that are handed to a person."""
    refused: ShareCourse = {0: 0.0}
    """Share of the runs that are refused. All others are completed."""
    duration_seconds: Course = {0: 3.0}
    """Median duration of a run; durations are lognormal."""
    cost_usd: Course = {0: 0.05}
    """Mean cost of a run in dollars; what single runs cost is spread widely."""
    per_run: dict[str, Course] = Field(default_factory=dict)
    """Any other counter with its labels, such as `agent_evals_total{result="fail"}`: by how much a run adds
    to it on average."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for text in self.per_run:
            _read_series(text)
        courses = (self.failed, self.escalated, self.refused)
        for time in sorted({time for course in courses for time in course}):
            if sum(at(course, time) for course in courses) > 1:
                raise ValueError("`failed`, `escalated` and `refused` must be at most 1 together")
        return self

    @property
    def counters(self) -> dict[str, Selector]:
        """The keys of `perRun`, read."""
        return {text: _read_series(text) for text in self.per_run}


class _Spell(_Model):
    start: Span = Field(alias="from")
    """When it begins."""
    lasts: Span = Field(alias="for")
    """How long it lasts."""

    def holds(self, seconds: int) -> bool:
        """Whether it is in progress at that time."""
        return self.start <= seconds < self.start + self.lasts


class Outage(_Spell):
    """A time without Prometheus."""

    kind: Literal["Away", "Unreachable", "Refusing", "Garbled"] = "Away"
    """Away (the default): it neither answers nor scrapes, so that a hole stays. Unreachable: it scrapes, and
    does not answer the operator. Refusing: it says that the query is wrong. Garbled: every value is NaN."""


class Blip(_Spell):
    """A time in which all releases are worse through no fault of theirs: a tool, or a provider, fails."""

    failed: Share | None = None
    """Share of the runs of every release that fail meanwhile, where that is more than usual."""
    slower: Annotated[float, Field(ge=1, le=1000)] = 1.0
    """How many times longer runs take meanwhile."""


class Edit(_Model):
    """Something that a user does at a time. Exactly one thing."""

    at: Span
    """When."""
    release_ref: ReleaseName | None = None
    """`spec.releaseRef.name` is set: this release is shipped, or restored."""
    paused: bool | None = None
    """`spec.paused` is set."""
    approve: DnsLabel | None = None
    """The phase of this name is approved, for the attempt that is then in progress."""
    restart: Span | None = None
    """The operator's process ends, and the next one starts so much later."""
    route_weight: Annotated[int, Field(ge=0, le=100)] | None = None
    """Someone else writes this weight of the canary into the route."""

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        done = [name for name, value in self if name != "at" and value is not None]
        if len(done) != 1:
            raise ValueError(
                "must have exactly one of `releaseRef`, `paused`, `approve`, `restart` and `routeWeight`"
            )
        return self


class Script(_Model):
    """A world file."""

    start: AwareDatetime
    """The date and time at which it begins, such as 2026-11-21T08:00:00Z."""
    lasts: Span
    """How long it lasts."""
    seed: int = 1
    """From which everything random follows: the same seed, the same course."""
    stable: ReleaseName | None = None
    """The release that has served for a day when it begins. Absent: there is none yet, so that the first
    release goes to 100."""
    runs_per_hour: Course
    """Runs of all releases together: a number, or numbers by the time from which they hold."""
    releases: dict[ReleaseName, Behavior] = Field(default_factory=dict)
    """How each release behaves. One that is not named behaves by the defaults."""
    outages: tuple[Outage, ...] = ()
    """Times without Prometheus."""
    blips: tuple[Blip, ...] = ()
    """Times in which both releases are worse."""
    edits: tuple[Edit, ...] = ()
    """What people and their tools do."""

    @property
    def turns(self) -> list[int]:
        """Every second at which traffic, behavior or Prometheus may change, in order."""
        seconds = {0, *self.runs_per_hour}
        for behavior in self.releases.values():
            for name in ("failed", "escalated", "refused", "duration_seconds", "cost_usd"):
                seconds.update(getattr(behavior, name))
            seconds.update(*behavior.per_run.values())
        spells: tuple[_Spell, ...] = (*self.outages, *self.blips)
        for spell in spells:
            seconds.update({spell.start, spell.start + spell.lasts})
        return sorted(seconds)
