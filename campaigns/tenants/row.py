"""One row of the table of attacks: what a tenant does, and what its neighbors must not notice of it.

The victims' ways back are measured undisturbed and disturbed in one run, on one operator. A breach waits for
the next query, up to a second, depending on its offset. So the canaries that breach begin at offsets that
cover that second evenly, in both parts of the run, and medians are compared. Before each way back that is
requested, two changes are made without the operator, so that the API server's own time is known.
"""

import asyncio
import math
import statistics
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Final

from campaigns.cases import Case
from campaigns.tenants.agents import Agent
from campaigns.tenants.meters import TIMEOUT_SECONDS, Reading, metered
from campaigns.tenants.stage import FindSource, Stage

ASKED: Final = 32
"""Victims whose owners ask to roll back."""
BREACHED: Final = 16
"""Victims whose canary breaches, undisturbed; as many again, disturbed. Of 4,000 simulated runs, 0.03% miss a
ratio of 2 by the offsets alone; with 8 canaries that begin at once, 22% do."""
BRIEF_ASKED: Final = 5
BRIEF_BREACHED: Final = 2
BRIEF_SECONDS: Final = 60.0
"""What a way back or a probe may take in a brief run: a busy machine must not fail a test."""
PAUSE_SECONDS: Final = 0.2
"""Between two ways back."""
APART_SECONDS: Final = 0.618
"""Between the beginnings of two canaries that will breach. Multiples of the golden ratio cover the second
between two queries evenly, however many there are."""

Attack = Callable[[Stage], AbstractAsyncContextManager[None]]
"""Entered, it is prepared and in progress; it ends with the context."""


@dataclass(frozen=True, slots=True)
class Bars:
    """What must hold while the attack lasts; None for what the row says nothing about."""

    ask_p99: float | None = 0.25
    """Seconds from asking to roll back to the route, of 99 % of the victims; where the API server alone takes
    longer for the two changes, how much longer than that it takes."""
    ask_ratio: float | None = None
    """Median disturbed / undisturbed, from asking to the route."""
    breach_ratio: float | None = 2.0
    """The same from a breach to the route."""
    lag: float | None = None
    """Seconds that the event loop may be late."""
    rss: float | None = 512
    """Memory in MiB."""


@dataclass(frozen=True, slots=True)
class Row:
    """An attack and its bars."""

    name: str
    says: str
    """What the tenant does, in a sentence."""
    attack: Attack
    bars: Bars = Bars()
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of the operator, beside the address of Prometheus."""
    source: FindSource | None = None
    """What is in front of Prometheus, if anything is."""
    is_sample: bool = True
    """Whether the tests play it too, in brief."""
    also: Callable[[Stage], Awaitable[Sequence[str]]] | None = None
    """What else must hold while the attack lasts; gives what does not, in sentences."""


@dataclass(frozen=True, slots=True)
class Ways:
    """Seconds that ways back took."""

    asked: Sequence[float]
    bare: Sequence[float]
    """As many pairs of changes that the API server makes alone."""
    breached: Sequence[float]


async def played(row: Row, *, is_brief: bool) -> Case:
    """Play a row on a stack of its own, print its line of the table, and judge it."""
    requested, breached = (BRIEF_ASKED, BRIEF_BREACHED) if is_brief else (ASKED, BREACHED)
    size = requested + 2 * breached
    async with Stage.set_up(size, row.settings, source=row.source, is_brief=is_brief) as stage:
        askers, calm, others = _parts(stage.victims.all, requested, breached)
        await _begin_canaries(stage, askers, calm)
        before = await _ways(stage, askers, calm)
        await stage.victims.at_rest(askers)
        await _begin_canaries(stage, askers, others)
        most = BRIEF_SECONDS if is_brief else TIMEOUT_SECONDS
        async with metered(stage.operator, most) as reading, row.attack(stage):
            during = await _ways(stage, askers, others)
            problems = [] if row.also is None else list(await row.also(stage))
        print(_line(row, before, during, reading), file=sys.stderr)
    problems += _lenient(during, reading) if is_brief else _problems(row.bars, before, during, reading)
    return Case(row.name, "; ".join(problems) or None)


async def _begin_canaries(stage: Stage, askers: Sequence[Agent], breaching: Sequence[Agent]) -> None:
    await stage.victims.begin_canaries(askers)
    await stage.victims.begin_canaries(breaching, APART_SECONDS)


def _parts(victims: Sequence[Agent], requested: int, breached: int) -> tuple[Sequence[Agent], ...]:
    return victims[:requested], victims[requested : requested + breached], victims[requested + breached :]


async def _ways(stage: Stage, askers: Sequence[Agent], breaching: Sequence[Agent]) -> Ways:
    """One way back after the other, breaches spread among the requests."""
    requested, bare, breached = list[float](), list[float](), list[float]()
    waiting, every = list(breaching), max(1, len(askers) // len(breaching))
    for index, victim in enumerate(askers):
        bare.append(await stage.victims.change_alone())
        requested.append(await stage.victims.ask_back(victim))
        await asyncio.sleep(PAUSE_SECONDS)
        if waiting and index % every == 0:
            breached.append(await stage.victims.breach(waiting.pop()))
    breached += [await stage.victims.breach(victim) for victim in waiting]
    return Ways(requested, bare, breached)


def p99(samples: Sequence[float]) -> float:
    """The nearest rank: of up to 100 samples the largest."""
    return sorted(samples)[math.ceil(0.99 * len(samples)) - 1]


def _line(row: Row, before: Ways, during: Ways, reading: Reading) -> str:
    """Attack, asked and breached undisturbed and disturbed with the ratio of the medians, and the meters."""
    cells = [row.name]
    for calm, disturbed in ((before.asked, during.asked), (before.breached, during.breached)):
        cells += [f"{statistics.median(one):.3f} s (p99 {p99(one):.3f})" for one in (calm, disturbed)]
        cells.append(f"{statistics.median(disturbed) / statistics.median(calm):.2f}x")
    cells += [
        f"{statistics.median(during.bare):.3f} s (p99 {p99(during.bare):.3f})",
        f"{len(reading.failed)} of {reading.probes}",
        f"{reading.slowest_probe:.2f} s",
        f"{reading.peak_mib:.0f} MiB",
        f"≤ {reading.lag:g} s",
    ]
    return f"| {' | '.join(cells)} |"


HEAD: Final = (
    "| attack | ask → route | disturbed | ratio | breach → route | disturbed | ratio "
    "| API server alone | probes failed | slowest probe | RSS | lag |\n" + 12 * "|---" + "|"
)
"""The head of the table whose lines `played` prints."""


def _lenient(during: Ways, reading: Reading) -> list[str]:
    """What cannot be the machine's fault."""
    slowest = max(*during.asked, *during.breached)
    problems = [f"a way back took {slowest:.1f} s"] if slowest > BRIEF_SECONDS else []
    return problems + [f"a probe failed: {text}" for text in reading.failed]


def _problems(bars: Bars, before: Ways, during: Ways, reading: Reading) -> list[str]:
    """Every bar that was missed, with its number."""
    requested, breached = (
        statistics.median(now) / statistics.median(then)
        for then, now in ((before.asked, during.asked), (before.breached, during.breached))
    )
    over = p99(during.asked) - p99(during.bare)
    bounds = (
        ("p99 from asking to the route in s", min(p99(during.asked), over), bars.ask_p99),
        ("ratio from asking to the route", requested, bars.ask_ratio),
        ("ratio from a breach to the route", breached, bars.breach_ratio),
        ("lag of the event loop in s", reading.lag, bars.lag),
        ("memory in MiB", reading.peak_mib, bars.rss),
    )
    problems = [f"{what}: {value:.3g}, not {bar:g}" for what, value, bar in bounds if bar and value > bar]
    return problems + [f"a probe failed: {text}" for text in sorted(set(reading.failed))]
