"""The tool layer: every call of the model passes here, and is refused unless the bundle allows it.

The shop behind the tools is the order that came with the request, so tools have no state and the same call
has the same answer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sandbox.agent.schema import Schema, problems


@dataclass(frozen=True, slots=True)
class Order:
    """What the shop knows about the order that a customer writes about."""

    number: str
    total_usd: float
    age_days: int
    """Days since delivery."""


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call as the model asked for it: nothing is known yet about whether tool or arguments exist."""

    tool: str
    arguments: Mapping[str, object]


class ToolResult(StrEnum):
    """How a call ended; the values of the label `result` of `agent_tool_calls_total`."""

    OK = "ok"
    ERROR = "error"
    UNKNOWN_TOOL = "unknown_tool"
    BAD_ARGS = "bad_args"


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What the model gets back: the result, and the tool's answer or what was wrong with the call."""

    tool: str
    result: ToolResult
    text: str


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as the bundle declares it."""

    name: str
    schema: Schema
    acts_outside: bool = False
    """Moves money or goods: counted as an external action, and subject to the guardrails."""


@dataclass(frozen=True, slots=True)
class _Service:
    """What stands behind a tool's name: the scope that a caller needs, and the answer."""

    scope: str
    answer: Callable[[Order], str]


_SHOP: Final[dict[str, _Service]] = {
    "find_order": _Service(
        "orders.read", lambda o: f"{o.number}: {o.total_usd:.2f} USD, delivered {o.age_days} days ago"
    ),
    "track_parcel": _Service("orders.read", lambda o: f"{o.number} was handed over {o.age_days} days ago"),
    "issue_refund": _Service("refunds.write", lambda o: f"refunded {o.total_usd:.2f} USD for {o.number}"),
    "change_address": _Service("orders.write", lambda o: f"address of {o.number} changed"),
    "search_articles": _Service("articles.read", lambda _: "returns are free within the return window"),
}
SERVED: Final = frozenset(_SHOP)
"""Names of the tools that the shop can serve; a bundle that declares another one cannot be run here."""


def call_tool(
    tools: Mapping[str, Tool], scopes: frozenset[str] | None, order: Order, call: Call
) -> ToolAnswer:
    """Check a call and carry it out. `scopes` None means that the bundle restricts nothing."""
    tool = tools.get(call.tool)
    if tool is None:
        return ToolAnswer(call.tool, ToolResult.UNKNOWN_TOOL, f"there is no tool {call.tool}")
    if found := problems(tool.schema, dict(call.arguments)):
        return ToolAnswer(call.tool, ToolResult.BAD_ARGS, f"{call.tool}: {'; '.join(found)}")
    service = _SHOP[call.tool]
    if scopes is not None and service.scope not in scopes:
        return ToolAnswer(call.tool, ToolResult.ERROR, f"{call.tool}: scope {service.scope} is not granted")
    return ToolAnswer(call.tool, ToolResult.OK, service.answer(order))
