"""The list of rollouts: those that need a person first."""

from collections.abc import Sequence
from urllib.parse import quote

from agentrollouts.dashboard.markup import Content, Markup, element, joined, quoted
from agentrollouts.dashboard.pages.frame import frame, live, table
from agentrollouts.insight.view.shape import View
from agentrollouts.insight.view.words import Needs, Role

HEADS = ("Rollout", "State", "Traffic", "What")


def listing(views: Sequence[View], *, scope: str | None, problem: Content, events: str) -> str:
    """The page.

    Args:
        views: All rollouts that the reader may see.
        scope: The only namespace that is shown; None for all.
        problem: Why it may be old; None if it is not.
        events: Address of the stream that says when to draw it again.
    """
    ordered = sorted(
        views, key=lambda view: (view.headline.needs is not Needs.PERSON, not view.plan, key(view))
    )
    waiting = sum(view.headline.needs is Needs.PERSON for view in views)
    summary = (
        f"{len(views)} rollouts{f' in {scope}' if scope else ''}; {waiting or 'none'} of them need a person"
    )
    nothing = "There is none."
    if problem and not views:
        summary, nothing = "It is not known which rollouts there are", ""
    rows = [_row(view) for view in ordered]
    return frame(
        "Rollouts",
        [("Rollouts", None)],
        live("summary", summary, tag="p", role="status"),
        live("rollouts", table("Rollouts", HEADS, rows) if rows else element("p", nothing)),
        events=events,
        problem=problem,
    )


def key(view: View) -> tuple[str, str]:
    """Namespace and name."""
    return view.namespace, view.name


def address(view: View) -> str:
    """Where its page is."""
    return f"/{quote(view.namespace, safe='')}/{quote(view.name, safe='')}"


def shares(view: View) -> Content:
    """Who has which share of the traffic, the canary first."""
    return ", ".join(
        f"{each.version or each.name} {each.weight}%"
        for each in view.running
        if each.weight is not None and (each.weight or each.role is not Role.CANARY)
    )


def _row(view: View) -> Sequence[Content]:
    name = element("a", f"{view.namespace}/{view.name}", href=address(view))
    mark = joined(element("span", "! ", class_="bad"), "needs a person: ") if _is_waiting(view) else None
    return name, element("span", view.headline.state, class_="state"), shares(view), joined(mark, _what(view))


def _is_waiting(view: View) -> bool:
    return view.headline.needs is Needs.PERSON


def _what(view: View) -> Markup:
    return quoted(view.headline.sentence)
