"""Whatever a text contains, a browser reads it as text."""

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.dashboard.markup import Markup, element, joined, quoted
from agentrollouts.insight.render.document import plain

HOSTILE = st.text() | st.sampled_from(
    ["</p><script>x</script>", '" onload="x', "' x='", "<!--", "&lt;", "\u202e<b>", "]]>"]
)


class Reader(HTMLParser):
    """What a browser finds: elements with their attributes, and text."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Text."""
        self.text += data

    def handle_comment(self, data: str) -> None:
        """Nothing here makes one."""
        raise AssertionError(data)


@given(HOSTILE, HOSTILE)
def test_text_and_attributes_stay_what_they_are(text: str, title: str) -> None:
    """There is one element with one attribute, and what it says is what was given."""
    found = Reader(element("p", text, title=title))

    assert found.elements == [("p", {"title": plain(title)})]
    assert found.text == plain(text)


@given(HOSTILE)
def test_only_markup_is_markup(text: str) -> None:
    """Elements within elements are kept, and a text beside them is not one."""
    found = Reader(joined(element("b", text), text, quoted(text), None, 3))

    assert [tag for tag, _ in found.elements] == ["b", "bdi"]
    assert found.text == 3 * plain(text) + "3"
    assert isinstance(joined(text), Markup)


def test_attributes_without_value() -> None:
    """True is an attribute without value; None and False are none."""
    built = element("input", class_="a", data_live=True, hidden=False, id=None)

    assert built == '<input class="a" data-live>'
