"""The model: small, deterministic, obedient. It does what the prompt says, also where the prompt is wrong.

It stands in for a hosted model in the agent's loop (`run`): a conversation goes in, a tool call or a text
comes out, with the tokens used. It reads instructions of the form

    When the customer asks for a refund: call find_order with order_number, then issue_refund with amount.

picks the one that shares most words with the customer's message, and makes its calls one by one, **naming
the arguments as the prompt names them**. The tool's schema is not consulted: a prompt that speaks of a
parameter which the tool no longer has leads to a call that the tool layer refuses, as with real models that
trust an explicit instruction.

All that looks random (difficulty, length of the answer, pace) is a hash of user and message: two releases
with the same model find the same messages hard, and the same request always has the same answer.
"""

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Final

from sandbox.agent.tools import Call, Order, ToolAnswer

_INSTRUCTION: Final = re.compile(r"^When (?P<situation>[^:]+):(?P<steps>.*)$", re.MULTILINE | re.IGNORECASE)
_STEP: Final = re.compile(
    r"\b(?:call|then) (?P<tool>[a-z_]+) with (?P<names>[a-z_]+(?:, (?!then\b)[a-z_]+)*(?: and [a-z_]+)?)",
    re.IGNORECASE,
)
_WORD: Final = re.compile(r"[a-z]+")
_COMMON: Final = frozenset(
    {
        "a",
        "an",
        "about",
        "and",
        "asks",
        "customer",
        "for",
        "has",
        "my",
        "new",
        "or",
        "order",
        "the",
        "to",
        "wants",
    }
)
_TOKEN_CHARACTERS: Final = 4
"""Characters of English text to one token: a rule of thumb that makes cost follow the length of a prompt."""
_MEDIAN_ANSWER_TOKENS: Final = 60
_ANSWER_SPREAD: Final = 0.35
"""Sigma of the lognormal answer length."""
_PACE_SPREAD: Final = 0.5
"""Sigma of the lognormal pace, as when a hosted model is sometimes busy: run times are spread so widely that
a few milliseconds which a crowded machine adds move few runs over any bucket bound."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model by its price, its pace and its skill."""

    usd_per_million_input: float
    usd_per_million_output: float
    seconds_per_call: float
    seconds_per_output_token: float
    skill: float
    """The share of messages that it can handle at all; the same ones for every release."""

    def cost_usd(self, input_tokens: int, output_tokens: int) -> float:
        """Return the price of one completion in US dollars."""
        return (input_tokens * self.usd_per_million_input + output_tokens * self.usd_per_million_output) / 1e6

    def seconds(self, output_tokens: int) -> float:
        """Return how long one completion takes at pace 1; a fraction of what a hosted model would need."""
        return self.seconds_per_call + output_tokens * self.seconds_per_output_token


MODELS: Final[dict[str, Model]] = {
    "gpt-x-2026-08-01": Model(2.5, 10.0, 0.03, 0.0006, 0.992),
    "gpt-x-pro-2026-10-01": Model(7.5, 30.0, 0.03, 0.0006, 0.992),
    "gpt-x-mini-2026-08-01": Model(0.5, 2.0, 0.02, 0.0004, 0.95),
}
"""The models that can be had, by name. `pro` costs three times as much and does no better at this work."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """Everything that the model is shown; the order stands for what the customer says about it."""

    system: str
    user: str
    message: str
    order: Order
    answers: Sequence[ToolAnswer] = ()
    """What its calls have brought so far."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What the model says next: a call, or a text that ends the run, or neither when it is at a loss."""

    call: Call | None
    text: str | None
    input_tokens: int
    output_tokens: int
    seconds: float


def complete(model: Model, conversation: Conversation, max_tokens: int) -> Completion:
    """Return the model's next move. Pure: the same conversation always leads to the same completion."""
    seed = f"{conversation.user}/{conversation.message}"
    answers = conversation.answers
    spoken = len(conversation.system) + len(conversation.message) + sum(len(a.text) for a in answers)
    length = _MEDIAN_ANSWER_TOKENS * math.exp(_ANSWER_SPREAD * _normal(f"{seed}/{len(answers)}"))
    output_tokens = min(max_tokens, round(length))
    pace = math.exp(_PACE_SPREAD * _normal(f"{seed}/pace"))
    spent = (spoken // _TOKEN_CHARACTERS, output_tokens, pace * model.seconds(output_tokens))
    if draw(f"{seed}/difficulty") >= model.skill:
        return Completion(None, None, *spent)
    steps = _instruction(conversation.system, conversation.message)
    if len(answers) == len(steps):
        return Completion(None, answers[-1].text if answers else "How can I help you?", *spent)
    tool, names = steps[len(answers)]
    return Completion(Call(tool, _arguments(names, conversation)), None, *spent)


def draw(seed: str) -> float:
    """Return a number in [0, 1) that depends on the seed alone, the same on every machine."""
    return int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=8).digest()) / 2**64


Step = tuple[str, tuple[str, ...]]
"""A tool and the names of its arguments, as the prompt gives them."""


@lru_cache(maxsize=64)
def read_prompt(system: str) -> tuple[tuple[frozenset[str], tuple[Step, ...]], ...]:
    """Return the instructions of a prompt: the words that make each one apply, and its steps."""
    return tuple(
        (
            frozenset(_WORD.findall(found["situation"].lower())) - _COMMON,
            tuple(
                (step["tool"], tuple(re.split(r", | and ", step["names"])))
                for step in _STEP.finditer(found["steps"])
            ),
        )
        for found in _INSTRUCTION.finditer(system)
    )


def _instruction(system: str, message: str) -> tuple[Step, ...]:
    """The steps of the instruction that shares most words with the message; none when none shares any."""
    words = frozenset(_WORD.findall(message.lower()))
    shared, steps = max(
        ((len(words & situation), steps) for situation, steps in read_prompt(system)),
        key=lambda candidate: candidate[0],
        default=(0, ()),
    )
    return steps if shared else ()


def _arguments(names: Sequence[str], conversation: Conversation) -> dict[str, object]:
    """Give each argument the value that the first word of its name means; leave out what means nothing."""
    meanings: dict[str, object] = {
        "order": conversation.order.number,
        "amount": conversation.order.total_usd,
        "reason": conversation.message,
        "address": conversation.message,
        "query": conversation.message,
    }
    return {name: meanings[word] for name in names if (word := name.split("_")[0]) in meanings}


def _normal(seed: str) -> float:
    """A standard normal number that depends on the seed alone."""
    return NormalDist().inv_cdf(min(max(draw(seed), 1e-9), 1 - 1e-9))
