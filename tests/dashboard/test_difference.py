"""The page that compares two releases shows every line as text, with its sign."""

import json
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.dashboard.pages.difference import comparison, difference
from agentrollouts.insight.difference.compared import compare

TEXTS = st.text(alphabet="ab<>&\"'\n", max_size=12) | st.just("</pre><script>x</script>")


class Lines(HTMLParser):
    """The lines that are marked as new or gone, and all elements."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = []
        self.elements = set[str]()
        self._is_within = False
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, _: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        self.elements.add(tag)
        if tag in {"ins", "del"}:
            self._is_within = True
            self.lines.append("")

    def handle_endtag(self, tag: str) -> None:
        """An element ends."""
        self._is_within = self._is_within and tag not in {"ins", "del"}

    def handle_data(self, data: str) -> None:
        """Text."""
        if self._is_within:
            self.lines[-1] += data


def bundle(text: str) -> str:
    """A `bundle.json`."""
    return json.dumps({"prompt": {"version": "1.0.0", "content": {"system": text}}})


@given(TEXTS, TEXTS)
def test_it_shows_the_lines_of_the_comparison(before: str, after: str) -> None:
    """Those that differ and no other, in their order; nothing in them is markup."""
    found = compare(bundle(before), bundle(after))
    page = Lines(difference("support", "agent-1", "agent-2", found))

    expected = [f"{line.sign} {line.text}" for each in found.changed for f in each.fields for line in f.lines]
    assert page.lines == expected
    assert "script" not in page.elements


def test_its_address_names_both() -> None:
    """The older one comes first, as in `git diff A...B`."""
    assert (
        comparison("support", "agent-1.0.0", "agent-2.0.0") == "/support/releases/agent-1.0.0...agent-2.0.0"
    )
