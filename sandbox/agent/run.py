"""One run of the agent: the loop of model and tools from a customer's message to an outcome.

Pure: it says how long a run takes and what it costs, and leaves waiting and counting to the service. So the
same bundle gives the same run for the same request, on any machine and at any load.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sandbox.agent.bundle import Behavior
from sandbox.agent.model import MODELS, Completion, Conversation, complete
from sandbox.agent.tools import Call, Order, ToolAnswer, ToolResult, call_tool

MAX_STEPS: Final = 8
"""Completions that a run may use; a prompt that wants more is cut off and the run counts as aborted."""


class Outcome(StrEnum):
    """How a run ended: the label `outcome` of `agent_runs_total`."""

    COMPLETED = "completed"
    FAILED = "failed"
    ESCALATED = "escalated"
    REFUSED = "refused"
    ABORTED = "aborted"


class Decision(StrEnum):
    """What the guardrails say to an action: the label `decision` of `agent_decisions_total`."""

    APPROVE = "approve"
    DENY = "deny"
    ESCALATE = "escalate"


@dataclass(frozen=True, slots=True)
class Request:
    """What a customer sends."""

    user: str
    message: str
    order: Order


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run."""

    outcome: Outcome
    text: str
    """The reply, or why there is none."""
    decision: Decision | None
    """Absent when the run never wanted to act outside."""
    answers: tuple[ToolAnswer, ...]
    """Of all tools called, in order."""
    steps: int
    """Completions used."""
    cost_usd: float
    seconds: float


def run_agent(behavior: Behavior, request: Request) -> Run:
    """Let the bundle's model work on the request until it answers, fails, or has used up its steps."""
    model, progress = MODELS[behavior.model], _Progress()
    while progress.steps < MAX_STEPS:
        completion = complete(model, _conversation(behavior, request, progress), behavior.max_tokens)
        progress.steps += 1
        progress.cost_usd += model.cost_usd(completion.input_tokens, completion.output_tokens)
        progress.seconds += completion.seconds
        if ending := _go_on(behavior, request.order, completion, progress):
            return progress.end(*ending)
    return progress.end(Outcome.ABORTED, f"no answer after {MAX_STEPS} steps")


class _Progress:
    """What a run has gathered so far."""

    def __init__(self) -> None:
        self.answers: list[ToolAnswer] = []
        self.decision: Decision | None = None
        self.steps = 0
        self.cost_usd = 0.0
        self.seconds = 0.0

    def end(self, outcome: Outcome, text: str) -> Run:
        return Run(outcome, text, self.decision, tuple(self.answers), self.steps, self.cost_usd, self.seconds)


Ending = tuple[Outcome, str]


def _conversation(behavior: Behavior, request: Request, progress: _Progress) -> Conversation:
    return Conversation(
        behavior.system, request.user, request.message, request.order, tuple(progress.answers)
    )


def _go_on(behavior: Behavior, order: Order, completion: Completion, progress: _Progress) -> Ending | None:
    """Carry out what the model wants next; return how the run ends, or None to ask the model again."""
    if completion.call is None:
        return (
            (Outcome.FAILED, "no answer found")
            if completion.text is None
            else (Outcome.COMPLETED, completion.text)
        )
    if ending := _ask_guardrails(behavior, order, completion.call, progress):
        return ending
    answer = call_tool(behavior.tools, behavior.scopes, order, completion.call)
    progress.answers.append(answer)
    return None if answer.result is ToolResult.OK else (Outcome.FAILED, answer.text)


def _ask_guardrails(behavior: Behavior, order: Order, call: Call, progress: _Progress) -> Ending | None:
    """Decide on a call that acts outside, before it is made; return an ending when it may not be made."""
    tool = behavior.tools.get(call.tool)
    if tool is None or not tool.acts_outside:
        return None
    progress.decision = decide_approval(behavior, order, call)
    match progress.decision:
        case Decision.DENY:
            return Outcome.COMPLETED, f"{order.number} is too old for {call.tool}"
        case Decision.ESCALATE:
            return Outcome.ESCALATED, f"{call.tool} for {order.number} was handed to a person"
        case Decision.APPROVE:
            return None


def decide_approval(behavior: Behavior, order: Order, call: Call) -> Decision:
    """Return what the guardrails say to a call for an order: too old is denied, too dear goes to a person."""
    approval = behavior.approvals.get(call.tool)
    if approval is None:
        return Decision.APPROVE
    if order.age_days > approval.window_days:
        return Decision.DENY
    return Decision.ESCALATE if order.total_usd > approval.up_to_usd else Decision.APPROVE
