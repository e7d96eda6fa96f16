"""One incident with every kind of entry, from raw numbers; the report of it is the golden file."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from agentrollouts.core.record.chain import hash_of
from testkit.builders.names import AGENT, NAMESPACE, digest_of
from testkit.records import UID, Records, Told, chained

Json = dict[str, Any]

BAD, STABLE = f"{AGENT}-4.2.0", f"{AGENT}-4.1.0"
START: Final = datetime(2026, 11, 28, 19, 0, 0, tzinfo=UTC)
DANA, LEE, ALI = "dana@example.com", "lee@example.com", "ali@example.com"
PLAN: Final[Json] = {
    "phases": [
        {"name": "canary-5", "weight": 5, "durationSeconds": 1800},
        {"name": "canary-25", "weight": 25, "durationSeconds": 1800, "approval": "Required"},
        {"name": "ramp", "weight": 95, "durationSeconds": 3600, "rampSeconds": 1800},
    ],
    "gates": [
        {"name": "errors", "template": "error-rate"},
        {"name": "latency", "template": "latency"},
    ],
}
SEGMENTS: Final[tuple[Json, ...]] = (
    {"phase": 0, "weight": 5, "canary": (12, 790), "stable": (150, 15010)},
    {"phase": 1, "weight": 25, "canary": (61, 520), "stable": (16, 1560)},
)
"""What the failed gate counted, at each weight."""
BURST: Final = 1.25
EVIDENCE, RATIO = "9204763775912430", "5.518567639257295"
"""What the judge makes of these counts; a test works it out again."""
SECONDS: Final = {
    "began": 0.0,
    "approved": 1200.5,
    "phase": 1800.25,
    "held": 1850.0,
    "resumed": 1910.0,
    "refused": 1950.0,
    "decided": 2123.972907,
    "routed": 2124.487,
    "left": 2131.5,
    "captured": 2132.0,
    "verified": 2249.25,
}
"""When each entry was made, in seconds since the start of the attempt."""
BAD_PER_MINUTE: Final = [0] * 25 + [0, 2, 9, 11, 20, 19]
"""Bad outcomes of the canary in the 30 minutes before the decision, the last minute last."""
COURSE: Final[list[Json]] = [
    {"seconds": 60, "weight": 5, "evidence": [-2, -99]},
    {"seconds": 600, "weight": 5, "evidence": [1, -3]},
    {"seconds": 1200, "weight": 5, "evidence": [-3, -3]},
    {"seconds": 1810, "weight": 25, "evidence": [-3, -3]},
    {"seconds": 2000, "weight": 25, "evidence": [15, -1]},
    {"seconds": 2123, "weight": 25, "evidence": [60, 2]},
]


def at(seconds: float) -> str:
    """A time of the attempt, as it is stored."""
    return (START + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def counts(pair: tuple[int, int]) -> Json:
    """Outcomes, as they are stored."""
    return {"bad": str(pair[0]), "total": str(pair[1])}


def failed_gate() -> Json:
    """The gate that failed, with all that the verdict rests on."""
    total = {
        side: [sum(pair) for pair in zip(*(s[side] for s in SEGMENTS), strict=True)]
        for side in ("canary", "stable")
    }
    return {
        "name": "errors",
        "verdict": "Fail",
        "canary": counts((total["canary"][0], total["canary"][1])),
        "stable": counts((total["stable"][0], total["stable"][1])),
        "evidence": EVIDENCE,
        "ratio": RATIO,
        "lastSampleTime": at(SECONDS["decided"] - 4),
        "message": "canary had 73 failures in 1,310 runs where stable's rate gives 13.2",
        "burstFactor": str(BURST),
        "segments": [
            {
                "phaseIndex": segment["phase"],
                "weight": segment["weight"],
                "underway": "0.05",
                "canary": counts(segment["canary"]),
                "stable": counts(segment["stable"]),
            }
            for segment in SEGMENTS
        ],
    }


def evidence() -> Json:
    """The metrics of the time before the rollback."""
    values = [str(value) for value in BAD_PER_MINUTE]
    return {
        "startTime": at(SECONDS["decided"] - 1800),
        "endTime": at(SECONDS["decided"]),
        "stepSeconds": 60,
        "series": [{"gate": "errors", "source": "Bad", "release": BAD, "values": values}],
    }


def entry(event: str, when: str, **fields: object) -> Json:
    """An entry that is not chained yet."""
    return {"time": at(SECONDS[when]), "event": event, **fields}


def entries() -> tuple[Json, ...]:
    """What happened."""
    window = {"startTime": at(SECONDS["began"]), "endTime": at(SECONDS["routed"])}
    return (
        entry(
            "AttemptStarted",
            "began",
            state="Canary",
            phase="canary-5",
            weight=5,
            by=DANA,
            proved=True,
            stable={"release": STABLE, "digest": digest_of(STABLE)},
            plan=PLAN,
            planHash=hash_of(PLAN),
            diff=[
                {"component": "prompt", "from": "3.1.0", "to": "3.2.0", "change": "Minor"},
                {"component": "memory", "to": "1.0.0", "change": "Added"},
            ],
            author="Zoë Łuk",
            releasedBy=DANA,
        ),
        entry(
            "ApprovalCounted",
            "approved",
            phase="canary-25",
            by=LEE,
            proved=True,
            action="support-agent-rx8m4",
            reason="the evals of 4.2.0 passed",
        ),
        entry("PhaseStarted", "phase", state="Canary", phase="canary-25", weight=25, approvedBy=[LEE]),
        entry(
            "Held",
            "held",
            state="Held",
            weight=25,
            by=ALI,
            proved=False,
            action="support-agent-h2k9q",
            reason="Refunds look odd, INC-77",
        ),
        entry(
            "Resumed", "resumed", state="Canary", weight=25, by=ALI, proved=False, reason="checked by hand"
        ),
        entry(
            "ActionRefused",
            "refused",
            by=DANA,
            proved=True,
            message="dana changed spec.releaseRef, so the approval does not count",
        ),
        entry(
            "RollbackStarted",
            "decided",
            state="RollingBack",
            weight=0,
            trigger="Breach",
            to=STABLE,
            message="errors: canary had 73 failures in 1,310 runs where stable's rate gives 13.2",
            gates=[
                failed_gate(),
                {
                    "name": "latency",
                    "verdict": "Inconclusive",
                    "canary": counts((0, 1310)),
                    "stable": counts((0, 16570)),
                    "evidence": "1.6",
                    "ratio": "1.02",
                    "message": "1.02x, limit 1.25x",
                },
            ],
            **{"from": BAD},
        ),
        entry(
            "Routed", "routed", state="Verifying", weight=0, routedTime=at(SECONDS["routed"]), window=window
        ),
        entry(
            "Observed", "left", state="Verifying", weight=0, window=window | {"endTime": at(SECONDS["left"])}
        ),
        entry("EvidenceCaptured", "captured", evidence=hash_of(evidence())),
        entry(
            "RolledBack",
            "verified",
            state="RolledBack",
            weight=0,
            outcome="Recovered",
            message="errors 1.0% in 1,560 runs since the rollback",
            window=window | {"endTime": at(SECONDS["left"])},
            course=COURSE,
            links={
                "logs": "https://logs.example.com/q?release=support-agent-4.2.0&from=2026-11-28T19:00:00Z"
            },
        ),
    )


def incident() -> Records:
    """The record of the incident, chained."""
    return chained([Told(13, BAD, (entries(),), "RolledBack", evidence(), "4.2.0")])


def bad_release() -> Json:
    """The release, with a tool that acts outside of the agent."""
    tools = [
        {"name": "find_order", "version": "1.0.0"},
        {"name": "issue_refund", "version": "2.1.0", "externalAction": True},
    ]
    return {
        "apiVersion": "agentrollouts.dev/v1alpha1",
        "kind": "AgentRelease",
        "metadata": {"name": BAD, "namespace": NAMESPACE},
        "spec": {
            "agent": AGENT,
            "version": "4.2.0",
            "components": {
                "prompt": {"version": "3.2.0", "inline": {"system": "Help."}},
                "model": {"version": "1.0.0", "provider": "openai", "name": "gpt-x"},
                "tools": {"version": "1.0.0", "items": tools},
            },
        },
    }


def rollout(**record: object) -> Json:
    """The rollout whose status names the head of the record."""
    newest = incident()
    status = {"attempt": 13, "head": newest.head, **record}
    return {
        "apiVersion": "agentrollouts.dev/v1alpha1",
        "kind": "AgentRollout",
        "metadata": {"name": AGENT, "namespace": NAMESPACE, "uid": UID},
        "status": {"record": status},
    }
