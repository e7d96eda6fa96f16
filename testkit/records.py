"""Records as the operator stores them: valid chains over several attempts and parts, and their lines.

`some_records(seed)` draws one; `chained(attempts)` seals what a test tells itself.
"""

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from agentrollouts.api.names import API_VERSION, LABEL_AGENT, LABEL_ROLLOUT
from agentrollouts.core.record.chain import IDENTITY, hash_of, identity_of, sealed
from testkit.builders.names import AGENT, NAMESPACE, START, digest_of

Json = dict[str, Any]

KIND: Final = "AgentRolloutRecord"
UID: Final = "3f2a91c0-1111-4222-8333-444455556666"
CLUSTER: Final = "production"
PEOPLE: Final = ("dana@example.com", "lee@example.com", "ali@example.com")
_NAME_LENGTH: Final = 63
_MINUTES: Final = 31


@dataclass(frozen=True, slots=True)
class Told:
    """What happened in one attempt, before it is chained."""

    number: int
    release: str
    parts: tuple[tuple[Json, ...], ...]
    """The entries of each part, without what chains them: `sequence`, `identity` and hashes."""
    outcome: str | None = None
    evidence: Json | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Records:
    """All records of one rollout, oldest first."""

    objects: tuple[Json, ...]

    @property
    def head(self) -> str:
        """Hash of the newest entry."""
        return str(self.objects[-1]["spec"]["entries"][-1]["hash"])

    @property
    def lines(self) -> tuple[Json, ...]:
        """The exported lines, in order."""
        return tuple(line for each in self.objects for line in lines_of(each))

    @property
    def log(self) -> str:
        """The exported lines, as a log has them."""
        return "".join(f"{json.dumps(line)}\n" for line in self.lines)


def lines_of(record: Json) -> Iterator[Json]:
    """The exported lines of one record: CloudEvents 1.0."""
    spec, namespace = record["spec"], record["metadata"]["namespace"]
    for entry in spec["entries"]:
        yield {
            "specversion": "1.0",
            "id": entry["hash"],
            "type": "dev.agentrollouts.record.v1",
            "source": f"/{CLUSTER}/{namespace}/{spec['rollout']}",
            "subject": f"{spec['attempt']}/{spec['part']}/{entry['sequence']}",
            "time": entry["time"],
            "rolloutuid": spec["rolloutUid"],
            "datacontenttype": "application/json",
            "data": entry,
        }


def chained(attempts: Iterable[Told], *, rollout: str = AGENT, uid: str = UID, after: str = "") -> Records:
    """The records of these attempts, each entry chained to the one before, and the first to that hash."""
    objects: list[Json] = []
    previous = after
    for attempt in attempts:
        for part, told in enumerate(attempt.parts, 1):
            spec = _subject(attempt, part, rollout, uid)
            first = {IDENTITY: identity_of(spec)}
            entries, begin = [], previous
            for sequence, each in enumerate(told, 1):
                entry = {"sequence": sequence, **each, **(first if sequence == 1 else {})}
                if each["event"] == "EvidenceCaptured" and attempt.evidence is not None:
                    entry["evidence"] = hash_of(attempt.evidence)
                entries.append(sealed(entry, previous))
                previous = entries[-1]["hash"]
            spec |= {"previous": begin, "entries": entries}
            if any(each["event"] == attempt.outcome for each in told):
                spec["outcome"] = attempt.outcome
            if attempt.evidence and any(each["event"] == "EvidenceCaptured" for each in told):
                spec["evidence"] = attempt.evidence
            objects.append(_record(spec))
    return Records(tuple(objects))


def _subject(attempt: Told, part: int, rollout: str, uid: str) -> Json:
    spec: Json = {
        "rollout": rollout,
        "rolloutUid": uid,
        "agent": AGENT,
        "attempt": attempt.number,
        "part": part,
        "release": attempt.release,
    }
    version = {"version": attempt.version} if attempt.version else {}
    return {**spec, **version, "digest": digest_of(attempt.release)}


def _record(spec: Json) -> Json:
    suffix = f"-{spec['rolloutUid'][:8]}-{spec['attempt']:06}"
    suffix += f"-{spec['part']}" if spec["part"] > 1 else ""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "name": spec["rollout"][: _NAME_LENGTH - len(suffix)].rstrip("-.") + suffix,
            "namespace": NAMESPACE,
            "labels": {LABEL_ROLLOUT: spec["rollout"], LABEL_AGENT: spec["agent"]},
        },
        "spec": spec,
    }


def some_records(seed: int, *, attempts: int = 4, uid: str = UID) -> Records:
    """A valid chain, the same for the same seed.

    Args:
        seed: From which everything random follows.
        attempts: How many attempts; some of them have two or three parts.
        uid: Of the rollout.
    """
    return chained(_History(random.Random(seed)).attempts(attempts), uid=uid)


class _History:
    """What happens to a rollout, at random."""

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self._now = START.astimezone(UTC)
        self._stable: str | None = None

    def attempts(self, count: int) -> Iterator[Told]:
        """So many attempts, one after the other."""
        for number in range(1, count + 1):
            yield self._attempt(number)

    def _attempt(self, number: int) -> Told:
        release = f"{AGENT}-4.{number}.0"
        outcome = self._draw.choice(("Healthy", "RolledBack", "Superseded"))
        evidence = self._evidence(release) if outcome == "RolledBack" else None
        entries = [self._started(release), *self._forward()]
        entries += self._end(release, outcome, evidence)
        if self._draw.random() < 1 / 3:
            entries.append(self._entry("ActionRefused", by=self._draw.choice(PEOPLE), proved=True))
        if outcome == "Healthy":
            self._stable = release
        told = Told(number, release, self._parts(entries), outcome, evidence)
        return replace(told, version=release.rpartition("-")[2])

    def _entry(self, event: str, **fields: object) -> Json:
        self._now += timedelta(seconds=self._draw.randint(1, 3_600), microseconds=self._draw.randrange(10**6))
        return {"time": _text(self._now), "event": event, **fields}

    def _started(self, release: str) -> Json:
        plan = {"phases": [{"name": "canary-5", "weight": 5}], "gates": [{"name": "errors"}]}
        stable = self._stable and {"release": self._stable, "digest": digest_of(self._stable)}
        return self._entry(
            "AttemptStarted",
            state="Canary" if stable else "Initial",
            phase="canary-5",
            weight=5,
            by=self._draw.choice(PEOPLE),
            proved=True,
            plan=plan,
            planHash=hash_of(plan),
            author=f"Zoë of {release}",
            **({"stable": stable} if stable else {}),
        )

    def _forward(self) -> Iterator[Json]:
        for phase in ("canary-5", "canary-25", "ramp")[: self._draw.randint(1, 3)]:
            yield self._entry("PhaseStarted", phase=phase, weight=self._draw.randint(1, 100))
            for _ in range(self._draw.randint(0, 4)):
                yield self._entry("Rose", phase=phase, weight=self._draw.randint(1, 100))
            if self._draw.random() < 1 / 2:
                reason = "too few runs at night: 25% <of the day> & more; see INC-77"
                yield self._entry("Held", state="Holding", by=self._draw.choice(PEOPLE), reason=reason)
                yield self._entry("Resumed", by=self._draw.choice(PEOPLE), proved=self._draw.random() < 1 / 2)

    def _end(self, release: str, outcome: str, evidence: Json | None) -> Iterator[Json]:
        if evidence is None:
            yield self._entry(outcome, state=outcome, course=self._course())
            return
        to = self._stable or f"{AGENT}-4.0.0"
        yield self._entry(
            "RollbackStarted",
            state="RollingBack",
            weight=0,
            trigger="Breach",
            gates=[self._gate()],
            **{"from": release, "to": to},
        )
        window = {"startTime": _text(self._now - timedelta(hours=1)), "endTime": _text(self._now)}
        yield self._entry("Routed", routedTime=_text(self._now), window=window)
        yield self._entry("EvidenceCaptured")
        yield self._entry(outcome, state=outcome, outcome="Recovered", course=self._course())

    def _gate(self) -> Json:
        bad, total = self._draw.randint(10, 60), self._draw.randint(100, 900)
        return {
            "name": "errors",
            "verdict": "Fail",
            "canary": {"bad": str(bad), "total": str(total)},
            "stable": {"bad": "12", "total": "14021"},
            "evidence": "774497349",
            "ratio": "22.09",
            "lastSampleTime": _text(self._now),
            "message": f"errors: canary served {bad / total:.1%} of {total} runs but stable 0.1%",
        }

    def _course(self) -> list[Json]:
        looks = range(self._draw.randint(1, 5))
        return [
            {"seconds": 60 * look, "weight": 5, "evidence": [self._draw.randint(-40, 60)]} for look in looks
        ]

    def _evidence(self, release: str) -> Json:
        values = [str(self._draw.randint(0, 99)) for _ in range(_MINUTES)]
        series = [{"gate": "errors", "source": "Bad", "release": release, "values": values}]
        times = {"startTime": _text(self._now), "endTime": _text(self._now + timedelta(minutes=30))}
        return {**times, "stepSeconds": 60, "series": series}

    def _parts(self, entries: Sequence[Json]) -> tuple[tuple[Json, ...], ...]:
        """The entries, cut in one to three parts."""
        inner = range(1, len(entries))
        cuts = sorted(self._draw.sample(inner, min(len(inner), self._draw.choice((0, 0, 1, 2)))))
        bounds = zip([0, *cuts], [*cuts, len(entries)], strict=True)
        return tuple(tuple(entries[begin:end]) for begin, end in bounds)


def _text(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
