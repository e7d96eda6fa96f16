"""The difference of two releases, as lines."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.text import Text

from agentrollouts.insight.difference.compared import Comparison, Component
from agentrollouts.plugin.bundles import Bundle
from agentrollouts.plugin.screens.rollout import versions
from agentrollouts.plugin.screens.terminal import Row, plain


def rows(base: Bundle, release: Bundle, found: Comparison) -> Iterator[Row]:
    """Which components differ, how, and which do not."""
    yield Row(Text(f"{base.release} → {release.release}"))
    for each in found.changed:
        yield from _component(each)
    if not found.changed:
        yield Row(Text("The bundles are equal."))
    elif found.unchanged:
        yield Row(Text(plain(" ".join(found.unchanged))), (Text("Unchanged: "),))


def _component(each: Component) -> Iterator[Row]:
    head = f"{each.name}  {versions(each.before, each.after)}  {each.change}"
    yield Row(Text(plain(head), "bold"))
    for field in each.fields:
        yield Row(Text(plain(field.path)), (Text("  "),))
        for line in field.lines:
            style = "green" if line.sign == "+" else "red"
            yield Row(Text(plain(line.text), style), (Text("  "), Text(f"{line.sign} ", style)))


def as_json(base: Bundle, release: Bundle, found: Comparison) -> dict[str, Any]:
    """The same as an object."""
    return {"from": base.release, "to": release.release, **asdict(found)}
