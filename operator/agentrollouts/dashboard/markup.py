"""Elements of HTML. Whatever is not `Markup` already is text, and is escaped here, in one place."""

from html import escape
from typing import Final

from agentrollouts.insight.render.document import plain

VOID: Final = frozenset({"input", "link", "meta"})
"""Elements without content."""

Attribute = str | int | bool | None
"""The value of an attribute: False and None leave it out, True gives it no value."""


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Content = str | int | None
"""What an element contains: `Markup`, or text. None is nothing."""


def element(name: str, /, *content: Content, **attributes: Attribute) -> Markup:
    """An element; `class_` stands for `class`, and an underscore in another name for a hyphen."""
    given = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in VOID:
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{joined(*content)}</{name}>")


def joined(*content: Content) -> Markup:
    """The contents, one after the other."""
    return Markup("".join(map(_written, content)))


def quoted(text: str) -> Markup:
    """A name or a sentence of someone else, whose direction does not reach what follows."""
    return element("bdi", text)


def _written(content: Content) -> str:
    if isinstance(content, Markup):
        return content
    return "" if content is None else escape(plain(str(content)))


def _attribute(name: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    key = name.rstrip("_").replace("_", "-")
    return f" {key}" if value is True else f' {key}="{escape(plain(str(value)))}"'
