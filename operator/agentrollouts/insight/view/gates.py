"""What the gates say, what a Fail of each would do, and how sure it is; the evidence stands by itself."""

import re
from collections.abc import Iterator
from typing import Final

from agentrollouts.api.gates import OnFail
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.verdict import GateStatus, Verdict
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.resolve import resolve_all
from agentrollouts.core.gates.wording import odds
from agentrollouts.core.states import ENDS, is_under_way
from agentrollouts.insight.view.shape import GateView
from agentrollouts.insight.view.words import Mark

EVIDENCE: Final = re.compile(r"; evidence [^;]*, needed [0-9,]*:1")
"""The clause of a sentence that the view has as fields of their own."""
MARKS: Final = {Verdict.PASS: Mark.GOOD, Verdict.FAIL: Mark.BAD, Verdict.INCONCLUSIVE: Mark.OPEN}


def gates(rollout: AgentRollout) -> tuple[GateView, ...]:
    """Of the attempt in progress; at rest of the release that serves, then those of the last attempt."""
    resolved = {gate.name: gate for gate in resolve_all(rollout.spec).gates}
    return tuple(_gates(rollout, resolved))


def _gates(rollout: AgentRollout, resolved: dict[str, ResolvedGate]) -> Iterator[GateView]:
    status = rollout.status
    is_over = status.attempt is None or status.attempt.state in ENDS
    for gate in status.watched if not is_under_way(status) else ():
        yield _gate(gate, resolved.get(gate.name), is_over=False)
    for gate in status.gates:
        yield _gate(gate, resolved.get(gate.name), is_over=is_over)


def _gate(gate: GateStatus, resolved: ResolvedGate | None, *, is_over: bool) -> GateView:
    action = resolved.action_at(gate.severity) if resolved else None
    needed = round(resolved.needed, 6) if resolved and resolved.is_share_test else None
    return GateView(
        name=gate.name,
        verdict=gate.verdict,
        mark=_mark(gate.verdict, action),
        sentence=without_evidence(gate.message),
        on_fail=action,
        roll_back_after_seconds=resolved.fuse_seconds if resolved and action is OnFail.HOLD else None,
        evidence=gate.evidence,
        evidence_needed=needed,
        odds=odds(gate.evidence, needed) if gate.evidence is not None and needed else "",
        time=gate.last_sample_time,
        is_over=is_over,
    )


def without_evidence(sentence: str) -> str:
    """A gate's sentence without the clause about its evidence."""
    return EVIDENCE.sub("", sentence)


def _mark(verdict: Verdict, action: OnFail | None) -> Mark:
    if verdict is Verdict.FAIL and action is OnFail.WARN:
        return Mark.WARNING
    return MARKS.get(verdict, Mark.WARNING)
