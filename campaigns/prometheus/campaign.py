"""What Prometheus, or what lies before it, can do wrong while a good canary is being rolled out.

A rollout for each fault and each `noData` policy, all in mid-canary with a phase that ends while the faults
last, so that a single Pass would advance. Beside them rollouts on a healthy source: good ones must ship as
ever, and ones that break must be taken back as fast as ever. The faults last as long as other tools were
measured for; a sample lasts shorter and times nothing.
"""

import asyncio
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from prometheus_client.parser import text_string_to_metric_families

from campaigns.cases import Case, Choice
from campaigns.prometheus.bare_loop import BareLoop
from campaigns.prometheus.faults import FAULTS, WHOLE, Effect, Fault, sample
from campaigns.prometheus.manifests import NEXT, WEIGHT, phase, rollout
from campaigns.prometheus.stage import HEALTHY, PATIENCE, Stage, source_of
from campaigns.prometheus.witness import now
from sandbox.stack import Stack

POLICIES: Final = ("Hold", "Fail")
FAULT_SECONDS: Final = 150.0
"""How long Flagger and Argo Rollouts were measured for."""
PHASE_SECONDS: Final = 84.0
"""Until the end of the first phase, from when the faults are on, however long the canaries took to begin."""
SAMPLE_FAULT_SECONDS: Final = 20.0
SAMPLE_PHASE_SECONDS: Final = 12.0
CALM_INTERVAL_SECONDS: Final = 4
"""How often each of many victims looks: what is tested is not how much a busy machine can bear."""
RECOVERY_SECONDS: Final = 120.0
"""Allowed beside the phase's time: where the fault was a reason to hold, the clock stood still."""
LONG_SECONDS: Final = 3600.0
"""Longer than any round."""
GOOD_SECONDS: Final = 5.0
"""Length of the phases of the good bystanders."""
BREACH_SECONDS: Final = 8.0
"""Scrape, interval and 5 s."""
LAG_SECONDS: Final = 0.2
"""Largest lag that proves that nothing blocked for 250 ms: it is measured every 50 ms."""
BYSTANDERS: Final = 5


@dataclass(frozen=True, slots=True)
class Victim:
    """A rollout whose source fails."""

    fault: Fault
    policy: str

    @property
    def case(self) -> str:
        """Its name in the campaign."""
        return f"{self.fault.name}/{self.policy}"

    @property
    def name(self) -> str:
        """The rollout's name."""
        return f"{self.fault.name}-{self.policy.lower()}"

    @property
    def goes_back(self) -> bool:
        """Whether it is told to."""
        return self.fault.effect is Effect.MISSING and self.policy == "Fail"


@dataclass(frozen=True, slots=True)
class Times:
    """Of one round of faults, on the witness's clock."""

    broken: float
    healed: float


def play(choice: Choice) -> Iterator[Case]:
    """All faults at once, then those of the whole Prometheus one by one."""
    rounds = [_victims(FAULTS), *(_victims([fault]) for fault in WHOLE)]
    if choice.size is not None:
        rounds = [_alternating(sample(choice.size, choice.seed))]
    chosen = [[victim for victim in victims if choice.wants(victim.case)] for victims in rounds]
    if not any(chosen):  # a case about all the others
        chosen = rounds[:1]
    with Stack(with_gateway=False, quiet=True) as stack:
        cases = asyncio.run(
            _played(stack, [each for each in chosen if each], is_brief=choice.size is not None)
        )
    yield from (case for case in cases if choice.wants(case.name))


def _victims(faults: Sequence[Fault]) -> list[Victim]:
    return [Victim(fault, policy) for fault in faults for policy in POLICIES]


def _alternating(faults: Sequence[Fault]) -> list[Victim]:
    """Each fault with one policy only, as a sample is to be short."""
    return [Victim(fault, POLICIES[index % 2]) for index, fault in enumerate(faults)]


async def _played(stack: Stack, rounds: Sequence[Sequence[Victim]], *, is_brief: bool) -> list[Case]:
    faults = dict.fromkeys(victim.fault for victims in rounds for victim in victims)
    cases, bare = [], BareLoop()
    async with Stage.set_up(stack, faults) as stage:
        async with bare.running():
            for victims in rounds:
                cases += await Round(stage, victims, is_brief=is_brief).play()
        cases += [await _kept_secret(stage), _went_nowhere(stage)]
        blocked = await _never_blocked(stage, bare)
        cases += [] if is_brief else blocked
    return cases


class Round:
    """Faults that last at the same time, and the rollouts beside them."""

    def __init__(self, stage: Stage, victims: Sequence[Victim], *, is_brief: bool) -> None:
        self._stage = stage
        self._witness = stage.witness
        self._victims = victims
        self._is_brief = is_brief
        self._faults = tuple(dict.fromkeys(victim.fault for victim in victims))
        self._phase = SAMPLE_PHASE_SECONDS if is_brief else PHASE_SECONDS
        self._seconds = SAMPLE_FAULT_SECONDS if is_brief else FAULT_SECONDS
        spares_others = all(fault not in WHOLE for fault in self._faults)
        self._bystanders = range((1 if is_brief else BYSTANDERS) if spares_others else 0)

    async def play(self) -> list[Case]:
        """Break, look, heal, judge."""
        await self._stage.serve([*self._victim_rollouts(), *self._bystander_rollouts()])
        shipped = now()
        await self._stage.ship(victim.name for victim in self._victims)
        ready = now()
        print(
            f"  {len(self._victims)} canaries judged {ready - shipped:.0f} s after they were requested",
            file=sys.stderr,
        )
        await self._stage.break_down(self._faults, {victim.name: victim.fault for victim in self._victims})
        broken = now()
        await self._end_phases()
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(self._beside(index)) for index in self._bystanders]
            await asyncio.sleep(self._seconds)
        messages = {victim: self._told(victim) for victim in self._victims}
        healed = now()
        await self._stage.heal(self._faults)
        await self._recovered()
        times = Times(broken, healed)
        cases = [Case(v.case, self._judged(v, times, messages[v])) for v in self._victims]
        return cases + [case for task in beside for case in task.result()]

    async def _end_phases(self) -> None:
        """Let each first phase end while the faults last, and not before an honest answer is used up."""
        for victim in self._victims:
            counted = counted_seconds(self._witness.attempt(victim.name), datetime.now(UTC))
            await self._stage.replan(victim.name, _phases(math.ceil(counted + self._phase)))

    def _victim_rollouts(self) -> Iterator[dict[str, object]]:
        phases = _phases(LONG_SECONDS)
        for victim in self._victims:
            yield rollout(
                victim.name,
                source_of(victim.fault),
                phases,
                no_data=victim.policy,
                interval=2 if self._is_brief else CALM_INTERVAL_SECONDS,
            )

    def _bystander_rollouts(self) -> Iterator[dict[str, object]]:
        short = [phase("first", WEIGHT, GOOD_SECONDS), phase("half", 50, GOOD_SECONDS)]
        for index in self._bystanders:
            yield rollout(f"good-{index}", HEALTHY, short)
            yield rollout(f"bad-{index}", HEALTHY, [phase("first", WEIGHT, LONG_SECONDS)])

    async def _beside(self, index: int) -> list[Case]:
        """A good and a bad release while the faults last."""
        await asyncio.sleep(index * self._seconds / (len(self._bystanders) + 1))
        good, bad = f"good-{index}", f"bad-{index}"
        await self._stage.ship([good, bad])
        async with asyncio.TaskGroup() as group:
            going = group.create_task(self._go_well(good))
            failing = group.create_task(self._go_bad(bad))
        return [Case(good, going.result()), Case(bad, failing.result())]

    async def _go_well(self, name: str) -> str | None:
        """See a good canary become healthy, in whatever time this machine needs for it."""
        try:
            await self._witness.until(
                "it ships", lambda: self._witness.attempt(name).get("state") == "Healthy", PATIENCE
            )
        except TimeoutError as error:
            return str(error)
        return None

    async def _go_bad(self, name: str) -> str | None:
        """Let a canary fail and see it go back within its time."""
        await asyncio.sleep(GOOD_SECONDS)
        self._stage.agents.failing[name, NEXT] = 0.6
        breached = now()
        try:
            await self._witness.until("it goes back", lambda: not self._witness.canary(name), PATIENCE)
        except TimeoutError as error:
            return str(error)
        seconds = self._witness.routes[name][-1].at - breached
        print(f"  {name}: 100/0 was seen {seconds:.1f} s after the breach", file=sys.stderr)
        is_late = seconds > BREACH_SECONDS and not self._is_brief
        return f"100/0 {seconds:.1f} s after the breach, not {BREACH_SECONDS:g} s" if is_late else None

    async def _recovered(self) -> None:
        """Wait until all that may go on went on; who did not is judged afterwards."""
        waiting = [victim.name for victim in self._victims if not victim.goes_back]
        lingers = max(fault.lingers for fault in self._faults)
        try:
            await self._witness.until(
                "all go on",
                lambda: all(self._witness.canary(name) > WEIGHT for name in waiting),
                self._phase + RECOVERY_SECONDS + lingers,
            )
        except TimeoutError as error:
            late = [name for name in waiting if self._witness.canary(name) <= WEIGHT]
            print(f"  {error}: {', '.join(late)}", file=sys.stderr)

    def _told(self, victim: Victim) -> str:
        """What the object says: the reason about the metrics, and all sentences."""
        metrics, ready = (
            self._witness.condition(victim.name, kind) for kind in ("MetricsAvailable", "Ready")
        )
        print(
            f"  {victim.case}: {metrics.get('reason')}: {metrics.get('message') or ready.get('message')}",
            file=sys.stderr,
        )
        return f"{metrics.get('reason')}: {metrics.get('message')}; {ready.get('message')}"

    def _judged(self, victim: Victim, times: Times, message: str) -> str | None:
        """What did not hold; None if everything did."""
        during = self._witness.canaries(victim.name, times.broken, times.healed)
        after = self._witness.canaries(victim.name, times.healed, math.inf)
        if victim.fault.effect is Effect.HARMLESS:
            is_fine = min(during + after) >= WEIGHT and after[-1] > WEIGHT
            return None if is_fine else f"it had {during}, then {after}, though nothing was wrong: {message}"
        if victim.goes_back:
            went = during[0] == max(during) == WEIGHT and during[-1] == 0
            return None if went else f"it had {during}, and was to go back: {message}"
        if set(during) != {WEIGHT}:
            return f"it had {during} while the fault lasted: {message}"
        if victim.fault.told not in message:
            return f"it says {message!r}, not {victim.fault.told!r}"
        return None if after[-1] > WEIGHT and 0 not in after else f"it had {after} afterwards"


def _phases(seconds: float) -> list[dict[str, object]]:
    return [phase("first", WEIGHT, seconds), phase("half", 50, LONG_SECONDS)]


def counted_seconds(attempt: Mapping[str, Any], at: datetime) -> float:
    """What the clock of a phase has counted, as the status has it."""
    began = attempt.get("clockStartTime")
    running = (at - datetime.fromisoformat(began)).total_seconds() if began else 0.0
    return float(attempt.get("elapsedSeconds", 0)) + running


async def _kept_secret(stage: Stage) -> Case:
    """No credential that the sources send stands anywhere."""
    hidden = stage.secrets.texts
    leaks = [where for where, text in (await stage.texts()).items() if any(one in text for one in hidden)]
    return Case("secrets", f"a credential of a source is in {', '.join(leaks)}" if leaks else None)


def _went_nowhere(stage: Stage) -> Case:
    """Nobody followed a redirect."""
    came = stage.sink.connections
    return Case("redirects", f"{came} connections to where a source redirected" if came else None)


async def _never_blocked(stage: Stage, bare: BareLoop) -> list[Case]:
    """The event loop was always there, as the operator's own metric says; none where nobody's loop was."""
    lags = _lags((await stage.texts())["its metrics"])
    worst = min(bound for bound, count in lags.items() if count == max(lags.values()))
    sentence = f"the event loop was late by at most {worst:g} s, one that does nothing by {bare.worst:.3f} s"
    print(f"  {sentence}", file=sys.stderr)
    if worst > LAG_SECONDS and bare.worst > LAG_SECONDS / 2:
        print("  not judged: this machine is too busy to tell", file=sys.stderr)
        return []
    return [Case("event-loop", sentence if worst > LAG_SECONDS else None)]


def _lags(text: str) -> Mapping[float, float]:
    """How often the loop was late by at most so many seconds."""
    return {
        float(each.labels["le"]): each.value
        for family in text_string_to_metric_families(text)
        for each in family.samples
        if each.name == "agentrollouts_event_loop_lag_seconds_bucket"
    }
