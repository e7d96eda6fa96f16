"""`sandbox.demo.screen`: what a person sees, and what a file gets."""

import io

import pytest

from sandbox.demo.screen import Screen


class Terminal(io.StringIO):
    """A place to write to that says it is a terminal."""

    def isatty(self) -> bool:
        """It is."""
        return True


def story(out: io.StringIO) -> str:
    """What a short story leaves there."""
    with Screen(out) as screen:
        screen.heading("Act")
        screen.say("a change")
        screen.live("now this")
        screen.good("seen")
        screen.quote("said\n\nmore")
        screen.table(("step", "seconds"), [("a long step", "1.0"), ("b", "12.5")])
        screen.live("now that")
    return out.getvalue()


def test_file() -> None:
    """A file gets plain lines: no color, no living line, columns as wide as needed."""
    assert story(io.StringIO()) == (
        "\n"
        "Act\n"
        "  0:00  a change\n"
        "  0:00  ok  seen\n"
        "        said\n"
        "\n"
        "        more\n"
        "step         seconds\n"
        "a long step  1.0\n"
        "b            12.5\n"
    )


def test_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal headings are bold, and the living line is wiped before each other line and at the end."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    output = story(Terminal())

    assert output.startswith("\n\033[1mAct\033[0m\n")
    assert "        now this\r\033[K\033[2m  0:00\033[0m  \033[32mok  \033[0mseen\n" in output
    assert output.endswith("        now that\r\033[K")


def test_terminal_without_color(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR takes the colors away and leaves the living line."""
    monkeypatch.setenv("NO_COLOR", "1")
    output = story(Terminal())

    assert "\033[1m" not in output
    assert "        now this\r\033[K  0:00  ok  seen\n" in output
