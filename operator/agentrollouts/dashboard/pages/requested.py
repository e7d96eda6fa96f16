"""What became of the action that the reader requested a moment ago."""

from dataclasses import dataclass
from datetime import datetime

from agentrollouts.dashboard.markup import Markup, element, joined
from agentrollouts.dashboard.pages.frame import clock, live, section


@dataclass(frozen=True, slots=True)
class Requested:
    """An action that the reader requested a moment ago."""

    type: str
    time: datetime
    answer: str
    """The answer of the operator; empty while there is none."""
    routed_seconds: str | None = None
    """Seconds from the decision to the route."""


def request_part(requested: Requested | None) -> Markup:
    """A live part, which is empty if they requested nothing."""
    if requested is None:
        return live("request")
    rows = [
        ("requested", f"{requested.type} at ", clock(requested.time)),
        ("answer", requested.answer or "none yet", None),
    ]
    if requested.routed_seconds:
        rows.append(("on the route", f"{requested.routed_seconds} s after the decision", None))
    listed = [joined(element("dt", name), element("dd", text, time)) for name, text, time in rows]
    return section("request", "Your request", element("dl", *listed))
