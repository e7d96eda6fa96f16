"""The sentence of `Ready` while an attempt is in progress: where it is, until when, and what is missing.

Nothing in it changes with the clock: an end is a time of day, and stays the same while the clock of the phase
runs.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from agentrollouts.api.attempt import Attempt, State
from agentrollouts.api.rollout import AgentRollout, AgentRolloutSpec
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.api.verdict import Verdict
from agentrollouts.core.analysis.analyze import exceeded_caps
from agentrollouts.core.attempt.clocks import phase_seconds
from agentrollouts.core.attempt.fuses import sentence, until_of
from agentrollouts.core.rollout.checks import approval
from agentrollouts.core.rollout.commands import create_action
from agentrollouts.core.states import is_progressing

WATCHING: Final = frozenset({State.INITIAL, State.CANARY, State.AWAITING_APPROVAL, State.HELD, State.BAKING})
"""States of an attempt whose gates and caps can find something that the sentence has to name."""

MEASURED: Final = ". Measured: "
"""The rest changes with every result of Prometheus, so it is not a reason to write a status."""


def utc(time: datetime) -> str:
    """A time for people, to the second."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def share(status: AgentRolloutStatus, attempt: Attempt, doubt: str = "") -> str:
    """Which release has which share, and of what the attempt is waiting for the end.

    With a doubt about the share it is not claimed. A canary without a ready endpoint is reported.
    """
    subject = status.canary.release if status.canary else ""
    has, doubt = ("will get", f"; {doubt}") if doubt else ("has", "")
    if attempt.endpoints_lost_time:
        doubt += f"; its Service has had no ready endpoint since {utc(attempt.endpoints_lost_time)}"
    if attempt.state in {State.CANARY, State.AWAITING_APPROVAL}:
        outlook = f"; {attempt.outlook}" if attempt.outlook else ""
        return f"{subject} {has} {attempt.weight}% in phase {attempt.phase_name}{doubt}{outlook}"
    return f"{subject} {has} {attempt.weight}% and is baking{doubt}"


def until(spec: AgentRolloutSpec, attempt: Attempt) -> str:
    """When the phase, or the bake, ends if its gates pass; that its clock stands where it does."""
    what = "the bake" if attempt.state is State.BAKING else f"phase {attempt.phase_name}"
    if attempt.state not in {State.CANARY, State.BAKING}:
        return ""
    if attempt.clock_start_time is None:
        return f"; the clock of {what} is stopped"
    left = timedelta(seconds=max(0, phase_seconds(spec, attempt) - attempt.elapsed_seconds))
    return f"; {what} ends at {utc(attempt.clock_start_time + left)} if its gates pass"


def how_to_approve(rollout: AgentRollout, attempt: Attempt) -> str:
    """The command that lets the attempt leave the phase that passed; empty if it waits for no approval."""
    command = approval.request(rollout, attempt) if attempt.state is State.AWAITING_APPROVAL else ""
    return f". {command}" if command else ""


def how_to_acknowledge(rollout: AgentRollout, attempt: Attempt) -> str:
    """When the attempt is rolled back unless someone says otherwise; empty if it is not."""
    end = until_of(attempt)
    if end is None:
        return ""
    return f"; it is {sentence(end, create_action(rollout, 'acknowledge', attempt.number))}"


def findings(spec: AgentRolloutSpec, status: AgentRolloutStatus) -> Iterator[str]:
    """What gates found against a release, and every cap that is exceeded, whatever follows from it.

    From the status, not from the newest result: after a restart there is none yet.
    """
    attempt = status.attempt
    is_tried = is_progressing(status)
    if is_tried and (attempt is None or attempt.state not in WATCHING):
        return
    if not is_tried and spec.watch is None:
        return
    for gate in status.gates if is_tried else status.watched:
        if gate.verdict in {Verdict.FAIL, Verdict.SHARED_CAUSE, Verdict.TRAFFIC_MISMATCH}:
            yield f"{gate.name}: {gate.message}"
    for cap in exceeded_caps(status):
        yield f"{cap.name}: {cap.message}"


def with_measured(message: str, *sentences: str) -> str:
    """The message, and behind `MEASURED` those of the sentences that it does not contain."""
    more = "; ".join(sentence for sentence in sentences if sentence and sentence not in message)
    return f"{message}{MEASURED}{more}" if more else message


def steady(message: str) -> str:
    """A message without what `with_measured` added, which changes with every result."""
    return message.partition(MEASURED)[0]
