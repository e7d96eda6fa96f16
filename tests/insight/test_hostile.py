"""Hostile text in every text field of a record stays text, in Markdown and in HTML."""

import copy
import re
from functools import lru_cache
from typing import Any, Final

import html5lib
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from agentrollouts.api.model.text import writable
from agentrollouts.insight.figures import figures
from agentrollouts.insight.records import attempts
from agentrollouts.insight.render.document import Document, Link, plain
from agentrollouts.insight.render.markdown import to_markdown
from agentrollouts.insight.render.page import POLICY, to_html
from agentrollouts.insight.report import Case, report
from testkit.records import Told, chained
from tests.insight import incident

Json = dict[str, Any]

ATTACKS: Final = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</td></tr></table><h1>owned</h1>",
    "</title><style>*{display:none}</style>",
    '"><a href="javascript:alert(1)">x</a>',
    "<!-- ",
    "]]></svg><svg onload=alert(1)>",
    "&lt;b&gt; &#60;i&#62; &amp;",
    "[x](javascript:alert(1))",
    "![x](https://evil.example/pixel.png)",
    "<https://evil.example>",
    "https://evil.example/?q=1 and www.evil.example",
    "[x]: https://evil.example",
    "a | b | c",
    "\\| a \\\\| b",
    "`code` ``two`` ```",
    "# heading",
    "text\n# heading\n\n---\n- item\n1. item\n> quote\n\n    code\n\n```\nfence",
    "text\n===",
    "~~~",
    "- item",
    "+ item",
    "1. item",
    "1) item",
    "    indented",
    "---",
    "***bold*** __em__ ~~gone~~",
    "$x^2$ and :smile: and @everyone and #1",
    "\x1b[31mred\x1b[0m\x1b]8;;https://evil.example\x07link\x1b]8;;\x07",
    "\x9b31m\x07\x08\x00",
    '=HYPERLINK("https://evil.example")',
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "\u202egnp.exe\u202c \u2066x\u2069 \u200e\u200f\u061c",
    "zero\u200bwidth\u2060\ufeff",
    "{{ 7*7 }} ${x} <%= y %>",
    "x" * 1024,
    "|" * 250 + ".",
    "<" * 1024,
)
"""Texts that are something else to a terminal, a browser, a renderer of Markdown or a spreadsheet."""
LETTERS: Final = st.characters(codec="utf-8") | st.sampled_from("<>&\"'`|[]()!#*_~\\\n\r\t=+-@:/\x1b\u202e")
TEXTS: Final = st.sampled_from(ATTACKS) | st.text(LETTERS, min_size=1, max_size=200)
CALM: Final = "calm"
FREE: Final = ("reason", "message", "by", "author", "releasedBy")
"""Fields of an entry that hold any text."""


def told(text: str) -> list[Json]:
    """The entries of the incident, with that text wherever the API server would let it in."""
    entries = copy.deepcopy(list(incident.entries()))
    for entry in entries:
        entry |= {name: text[:253] if name != "message" else text for name in FREE if name in entry}
        if "approvedBy" in entry:
            entry["approvedBy"] = [text[:253]]
        for gate in entry.get("gates", ()):
            gate["message"] = text
        if "links" in entry:
            entry["links"] = {text: text}
    entries[0]["plan"] = copy.deepcopy(incident.PLAN) | {text: text}
    entries[0]["plan"]["gates"][0]["note"] = text
    entries[6]["query"] = {"gate": "errors", "time": incident.at(0), "text": text}
    return entries


@lru_cache(maxsize=8)
def document(text: str) -> Document:
    """The report of a record with that text in it."""
    records = chained([Told(13, incident.BAD, (tuple(told(text)),), "RolledBack", incident.evidence())])
    [record] = attempts(records.objects)
    assert len(record.entries) == len(incident.entries()), record.gaps
    return report(Case(record))


@lru_cache(maxsize=8)
def damaged(text: str) -> Document:
    """The report of a record of which nothing but its rollout and attempt can be believed."""
    entries = [*told(CALM), {"time": text, "event": text}]
    [record] = chained([Told(13, incident.BAD, (tuple(entries),))]).objects
    record["metadata"]["name"] = text
    record["spec"]["entries"][0]["message"] = "edited"
    [found] = attempts([record])
    return report(Case(found))


@lru_cache(maxsize=8)
def elements(page: str) -> list[tuple[str, tuple[str, ...]]]:
    """The elements of a page in order, with the names of their attributes, by a parser of the standard."""
    tree = html5lib.parse(page, namespaceHTMLElements=False)
    return [(str(each.tag), tuple(sorted(map(str, each.attrib)))) for each in tree.iter()]


ACTS: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\u200e\u200f]")
"""Characters that a terminal or a browser obeys, or that no one sees; a line break is ours."""


def text_of(page: str) -> str:
    """All text of a page."""
    return "".join(html5lib.parse(page, namespaceHTMLElements=False).itertext())


def read_text(text: str) -> str:
    """All text that a reader of Markdown finds."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    return "\n".join("".join(c.content for c in t.children) if t.children else t.content for t in tokens)


@lru_cache(maxsize=8)
def structure(text: str) -> list[str]:
    """What a reader of Markdown makes of a text, without the texts themselves."""
    tokens = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text)
    return [kind for token in tokens for kind in kinds(token)]


def kinds(token: Token) -> list[str]:
    """The kinds of a token and of those in it; how text is divided does not matter."""
    inner = [child.type for child in token.children or () if child.type not in {"text", "text_special"}]
    return [token.type, *inner]


@given(TEXTS)
def test_no_text_changes_the_elements_of_the_page(text: str) -> None:
    """Elements and attributes of the page are the same for every text of the record."""
    assert elements(to_html(document(text))) == elements(to_html(document(CALM)))


@given(TEXTS)
def test_no_text_changes_the_structure_of_the_markdown(text: str) -> None:
    """Headings, tables, cells, code and links are the same for every text of the record."""
    assert structure(to_markdown(document(text))) == structure(to_markdown(document(CALM)))


@pytest.mark.parametrize("text", ATTACKS)
def test_each_attack_stays_text(text: str) -> None:
    """Each known attack is shown whole, and changes nothing around it."""
    page, calm = to_html(document(text)), to_html(document(CALM))

    assert elements(page) == elements(calm)
    assert structure(to_markdown(document(text))) == structure(to_markdown(document(CALM)))
    shown = plain(text).strip()
    assert text_of(page).count(shown) == read_text(to_markdown(document(text))).count(shown) >= 5


@given(TEXTS)
def test_no_text_of_a_damaged_record_changes_anything(text: str) -> None:
    """Names and events that no API server would have let in are as harmless among the gaps."""
    assert elements(to_html(damaged(text))) == elements(to_html(damaged(CALM)))
    assert structure(to_markdown(damaged(text))) == structure(to_markdown(damaged(CALM)))


@given(TEXTS)
def test_a_report_has_no_character_that_acts(text: str) -> None:
    """Neither format has a control character, a change of direction, or a character that cannot be seen."""
    for output in (to_markdown(document(text)), to_html(document(text))):
        assert (
            re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\u200e\u200f]", output)
            is None
        )
        assert output.encode().decode() == output


@given(TEXTS)
def test_no_line_break_comes_from_a_text(text: str) -> None:
    """A text is one line, so that it cannot begin a block."""
    assert to_markdown(document(text)).count("\n") == to_markdown(document(CALM)).count("\n")


@given(TEXTS)
def test_figures_are_as_safe_as_reports(text: str) -> None:
    """A title with any text changes neither format."""
    [record] = attempts(incident.incident().objects)

    assert elements(to_html(figures([record], text))) == elements(to_html(figures([record], CALM)))
    assert structure(to_markdown(figures([record], text))) == structure(to_markdown(figures([record], CALM)))


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "https://evil.example/ onclick=x",
        'https://evil.example/"x',
        "https://evil.example/<x>",
        "https://user:secret@evil.example/",
        "//evil.example",
        "HTTPS://evil.example/\u202e",
    ],
)
def test_only_a_plain_address_becomes_a_link(address: str) -> None:
    """An address with a scheme that runs, a name and password, or characters out of place stays text."""
    assert not Link("logs", address).is_safe


def test_the_page_loads_and_runs_nothing() -> None:
    """No script, no style from elsewhere, no image, and a policy that forbids all of it."""
    page = to_html(document(CALM))
    tree = html5lib.parse(page, namespaceHTMLElements=False)
    tags = {str(each.tag).rpartition("}")[2] for each in tree.iter()}
    names = {str(name) for each in tree.iter() for name in each.attrib}

    assert (
        tags & {"script", "link", "img", "iframe", "object", "embed", "form", "base", "image", "use"} == set()
    )
    assert {
        name for name in names if name.startswith("on") or name in {"src", "srcset", "style", "data"}
    } == set()
    assert POLICY.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in POLICY
    assert f'content="{POLICY.replace(chr(39), "&#x27;")}"' in page


def test_a_text_is_cut_where_a_message_is() -> None:
    """A reason of a megabyte does not make a report of a megabyte."""
    assert len(plain("x" * 10**6)) == len(writable("x" * 10**6, 1024)) == 1024
