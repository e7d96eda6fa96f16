"""A report as one page of HTML: no script, nothing from elsewhere, readable in light and dark.

Every text is escaped here, and its direction is isolated. The policy of the page forbids all that it does not
need, in case a reader's tool adds something.
"""

import hashlib
from base64 import b64encode
from collections.abc import Iterable, Iterator
from html import escape
from typing import Final, assert_never

from agentrollouts.insight.render.document import (
    Block,
    Chart,
    Code,
    Document,
    Inline,
    Items,
    Line,
    Link,
    Paragraph,
    Section,
    Table,
    Words,
    plain,
)

STYLE: Final = """
:root{color-scheme:light dark;--ink:light-dark(#1f2933,#e6eaee);--faint:light-dark(#52606d,#a9b4bf);
--line:light-dark(#cbd2d9,#465362);--page:light-dark(#fff,#14191f);--bad:light-dark(#b42318,#ff9b8e)}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:60rem;margin:0 auto;padding:1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem;border-bottom:1px solid var(--line)}
.summary{font-size:1.1rem}
.scroll{overflow-x:auto;margin:1rem 0}
table{border-collapse:collapse;font-size:.9rem}caption{text-align:left;color:var(--faint);padding:.2rem 0}
th,td{text-align:left;vertical-align:top;padding:.25rem .8rem .25rem 0;border-bottom:1px solid var(--line)}
th{font-weight:600}code,pre{font:.85em ui-monospace,monospace;overflow-wrap:anywhere}
pre{white-space:pre-wrap;border:1px solid var(--line);padding:.5rem}
a{color:inherit}:focus-visible{outline:3px solid var(--ink);outline-offset:2px}
figure{margin:1rem 0}svg{width:100%;height:auto;display:block}
svg text{font:11px system-ui,sans-serif;fill:var(--faint)}
.grid{stroke:var(--line)}.mark{stroke:var(--bad);stroke-dasharray:5 4}
.curve{fill:none;stroke:var(--ink);stroke-width:1.5}
.area{fill:var(--line);stroke:var(--ink)}
@media print{.scroll{overflow:visible}}
"""
STYLE_SOURCE: Final = f"'sha256-{b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'"
"""What allows this style, and no other, in the policy of a page."""
POLICY: Final = f"default-src 'none'; style-src {STYLE_SOURCE}; base-uri 'none'; form-action 'none'"


def to_html(document: Document) -> str:
    """The document as a page."""
    return "".join(_page(document))


def _page(document: Document) -> Iterator[str]:
    title = escape(plain(document.title))
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    yield f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">\n'
    yield '<meta name="referrer" content="no-referrer">\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
    yield f'<h1>{title}</h1>\n<p class="summary">{_line(document.summary)}</p>\n'
    for number, section in enumerate(document.sections):
        yield from _section(f"s{number}", section)
    yield "</main>\n</body>\n</html>\n"


def _section(name: str, section: Section) -> Iterator[str]:
    yield f'<section aria-labelledby="{name}">\n<h2 id="{name}">{escape(plain(section.title))}</h2>\n'
    for number, block in enumerate(section.blocks):
        yield from _block(f"{name}-{number}", block)
    yield "</section>\n"


def _block(name: str, block: Block) -> Iterator[str]:
    match block:
        case Paragraph(line):
            yield f"<p>{_line(line)}</p>\n"
        case Items(lines):
            yield f"<ul>\n{''.join(f'<li>{_line(line)}</li>' for line in lines)}\n</ul>\n"
        case Table():
            yield from _table(name, block)
        case Chart(svg=svg, table=table):
            summary = escape(plain(table.caption))
            yield f"<figure>\n{svg}\n</figure>\n<details>\n<summary>{summary}</summary>\n"
            yield from _table(name, table)
            yield "</details>\n"
        case Code(label, text):
            yield f"<p>{escape(plain(label))}:</p>\n<pre><code>{escape(text)}</code></pre>\n"
        case _:
            assert_never(block)


def _table(name: str, table: Table) -> Iterator[str]:
    """A table that scrolls by itself on a small screen, also by the keyboard."""
    yield f'<div class="scroll" role="region" tabindex="0" aria-labelledby="{name}">\n<table>\n'
    yield f'<caption id="{name}">{escape(plain(table.caption))}</caption>\n'
    heads = "".join(f'<th scope="col">{escape(plain(head))}</th>' for head in table.head)
    yield f"<thead><tr>{heads}</tr></thead>\n<tbody>\n"
    for first, *others in table.rows:
        cells = _cells(others)
        yield f'<tr><th scope="row">{_line(first)}</th>{cells}</tr>\n'
    yield "</tbody>\n</table>\n</div>\n"


def _cells(lines: Iterable[Line]) -> str:
    return "".join(f"<td>{_line(line)}</td>" for line in lines)


def _line(line: Line) -> str:
    return "".join(map(_inline, line))


def _inline(part: Inline) -> str:
    match part:
        case str():
            return escape(plain(part))
        case Words(text):
            return _quoted(text)
        case Link(name, address) if part.is_safe:
            return f'<a href="{escape(address)}" rel="noopener noreferrer">{_quoted(name)}</a>'
        case Link(name, address):
            return f"{_quoted(name)}: {_quoted(address)}"
        case _:
            assert_never(part)


def _quoted(text: str) -> str:
    return f"<bdi>{escape(plain(text))}</bdi>"
