"""The page that compares two releases, component by component and line by line."""

from collections.abc import Iterator
from urllib.parse import quote

from agentrollouts.dashboard.markup import Markup, element, joined, quoted
from agentrollouts.dashboard.pages.frame import frame
from agentrollouts.insight.difference.compared import Comparison, Component, Field, Line

SIGNS = {"+": "ins", "-": "del"}
"""The element of a line; its sign is shown too, so that color carries nothing alone."""


def difference(namespace: str, before: str, after: str, found: Comparison) -> str:
    """The page."""
    title = f"{before} → {after}"
    parts = [_component(number, each) for number, each in enumerate(found.changed)]
    rest = f"Unchanged: {' '.join(found.unchanged)}" if found.changed else "The bundles are equal."
    crumbs = [("Rollouts", "/"), (namespace, f"/{quote(namespace, safe='')}"), (title, None)]
    return frame(title, crumbs, *parts, element("p", rest) if found.unchanged or not found.changed else None)


def comparison(namespace: str, before: str, after: str) -> str:
    """Where the page is."""
    return f"/{quote(namespace, safe='')}/releases/{quote(before, safe='')}...{quote(after, safe='')}"


def _component(number: int, component: Component) -> Markup:
    versions = " → ".join(each for each in (component.before, component.after) if each)
    name = f"component-{number}"
    return element(
        "section",
        element("h2", component.name, id=name),
        element("p", f"{versions} {component.change}"),
        *(_field(each) for each in component.fields),
        aria_labelledby=name,
    )


def _field(field: Field) -> Markup:
    lines = joined(*_lines(field.lines))
    shown = element("pre", lines, tabindex=0, role="region", aria_label=f"Lines of {field.path}")
    return joined(element("h3", quoted(field.path)) if field.path else None, shown)


def _lines(lines: tuple[Line, ...]) -> Iterator[Markup]:
    for each in lines:
        yield element(SIGNS[each.sign], f"{each.sign} ", quoted(each.text), class_="line")
