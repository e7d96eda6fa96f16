"""What all pages have: head, path to the page, a line for problems, and the parts that are drawn again."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from agentrollouts.dashboard.markup import Content, Markup, element, joined, quoted
from agentrollouts.insight.view.words import Mark

MARKS: Final = {Mark.GOOD: "✓", Mark.BAD: "✗", Mark.OPEN: "…", Mark.WARNING: "!"}
"""Each has a word beside it."""
STYLESHEET: Final = element("link", rel="stylesheet", href="/style.css")
Crumb = tuple[str, str | None]
"""A step of the path: its name, and its address if it is not this page."""


def frame(
    title: str,
    crumbs: Sequence[Crumb],
    *body: Content,
    events: str = "",
    problem: Content = None,
    style: Content = STYLESHEET,
) -> str:
    """A whole page.

    Args:
        title: What the page is about; its only first heading, too.
        crumbs: Path to the page.
        body: What it shows.
        events: Address of the stream that says when to draw again; empty for a page that stays as it is.
        problem: Why what it shows may be old; None if it is not.
        style: The style, for a page that may load no file.
    """
    head = joined(
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        style,
        element("script", src="/live.js", type="module") if events else None,
    )
    top = element("header", element("nav", _path(crumbs), aria_label="Path"))
    problems = joined(
        element("p", id="connection", class_="problem", role="status"),
        live("problem", problem, tag="p", class_="problem", role="status"),
    )
    main = element("main", problems, element("h1", title), *body)
    return "<!doctype html>\n" + element(
        "html", element("head", head), element("body", top, main, data_events=events or None), lang="en"
    )


def live(name: str, *content: Content, tag: str = "section", **attributes: str | None) -> Markup:
    """A part that is drawn again when something changes."""
    return element(tag, *content, id=name, data_live=True, **attributes)


def section(name: str, title: str, *content: Content) -> Markup:
    """A live part under a heading; nothing of it is shown if it has no content."""
    shown = joined(*content)
    if not shown:
        return live(name)
    heading = element("h2", title, id=f"{name}-title")
    return live(name, heading, shown, aria_labelledby=f"{name}-title")


def table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[Content]]) -> Markup:
    """A table that scrolls by itself on a small screen; the first cell of a row is its heading."""
    head = element("tr", *(element("th", each, scope="col") for each in heads))
    body = joined(*(element("tr", *_cells(row)) for row in rows))
    content = joined(element("caption", caption), element("thead", head), element("tbody", body))
    return element(
        "div", element("table", content), class_="scroll", role="region", tabindex=0, aria_label=caption
    )


def clock(time: datetime | None) -> Markup | None:
    """A time in UTC to the second, and what it is on the reader's clock as its title."""
    if time is None:
        return None
    return element("time", f"{time:%H:%M:%S} UTC", datetime=time.isoformat(), title=time.isoformat())


def unanswered(since: datetime, sentence: str) -> Markup:
    """Why a page may be old, and for how long; the page counts, and screen readers hear it once."""
    seconds = element("span", data_since=since.isoformat(), aria_hidden="true")
    return joined("no answer since ", clock(since), seconds, ": ", quoted(sentence))


def countdown(time: datetime | None, now: datetime) -> Markup | None:
    """How long it takes until a time; the page moves it."""
    if time is None:
        return None
    left = max(0, round((time - now).total_seconds()))
    hours, minutes = divmod(left // 60, 60)
    text = f"{hours}:{minutes:02}:{left % 60:02}" if hours else f"{minutes}:{left % 60:02}"
    return element("span", f"in {text}" if left else "now", data_until=time.isoformat())


def _cells(row: Sequence[Content]) -> Iterator[Markup]:
    first, *others = row
    yield element("th", first, scope="row")
    for each in others:
        yield element("td", each)


def _path(crumbs: Sequence[Crumb]) -> Markup:
    return element(
        "ol",
        *(
            element("li", element("a", name, href=address))
            if address
            else element("li", name, aria_current="page")
            for name, address in crumbs
        ),
    )
