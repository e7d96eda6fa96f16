"""The screens of real statuses, as files and terminals get them."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from rich.cells import cell_len
from rich.text import Text

from agentrollouts.insight.view.shape import View
from agentrollouts.insight.view.view import view
from agentrollouts.plugin.screens import rollout, terminal
from tests.plugin.drawn import GOLDEN, printed, screens
from tests.plugin.fake import fake, run
from tests.plugin.rollouts import ALL

NARROW: Final = 80
HOSTILE: Final = "[bold red]x[/] \x1b[2J\x1b]0;title\x07 \u202egnp.exe\u200f\u200b :smile:"
OBEYED: Final = ("\x1b[2J", "\x1b]0", "\x07", "\u202e", "\u200f", "\u200b")
"""What of it a terminal obeys, or nobody sees."""


@pytest.fixture(scope="module")
def seen() -> dict[str, tuple[dict[str, Any], View]]:
    """Each rollout, and its view."""
    made = {name: build() for name, build in ALL.items()}
    return {name: (manifest, view(manifest, {}, now)) for name, (manifest, now) in made.items()}


def test_the_screens_are_as_agreed() -> None:
    """A file has each sentence on one line. A change of a screen is a change of its golden file."""
    golden = {path.stem: path.read_text() for path in GOLDEN.glob("*.txt")}
    assert screens() == golden


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("name", ALL)
def test_a_terminal_wraps_with_a_hanging_indent(
    seen: dict[str, tuple[dict[str, Any], View]], name: str, width: int
) -> None:
    """No word is lost, and a line that continues a sentence begins below it, never in column 0."""
    rows = rollout.status(seen[name][1])
    whole, wrapped = printed(rows), printed(rows, width=width, is_terminal=True)

    assert wrapped.split() == whole.split()
    starts = [line for line in wrapped.splitlines() if line and not line.startswith(" ")]
    assert len(starts) == 1
    assert width > NARROW or len(wrapped.splitlines()) > len(whole.splitlines())


@pytest.mark.parametrize("size", [(80, 24), (40, 24), (120, 30)])
@pytest.mark.parametrize("name", ALL)
def test_a_small_screen_keeps_what_one_can_do(
    seen: dict[str, tuple[dict[str, Any], View]], name: str, size: tuple[int, int]
) -> None:
    """`-w` draws no more lines than there are: the headline stays, and so does every command."""
    width, height = size
    whole = Text(printed(rollout.status(seen[name][1]), width=width, is_terminal=True).rstrip("\n"))

    fitted = rollout.fitted(whole, width, height).plain

    is_cut = _rows(whole.plain, width) > height
    assert _rows(fitted, width) <= height or not is_cut
    assert fitted.split("\n")[0] == whole.plain.split("\n")[0]
    assert _commands(fitted) == _commands(whole.plain)
    assert ("lines are left out)" in fitted) == is_cut


def _rows(screen: str, width: int) -> int:
    """How many rows of the terminal it takes."""
    return sum(max(1, -(-cell_len(line) // width)) for line in screen.split("\n"))


def _commands(screen: str) -> list[str]:
    """The lines from the first command to the end."""
    lines = screen.split("\n")
    return lines[next(n for n, line in enumerate(lines) if line.startswith("  You can")) :]


def test_colors_make_no_screen_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """FORCE_COLOR, which pipelines set, colors their log; it does not wrap or draw there."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    out = terminal.console(StringIO())

    assert out.is_terminal
    assert not terminal.is_screen(out)


@pytest.mark.parametrize("name", ALL)
def test_without_utf8_marks_are_words(seen: dict[str, tuple[dict[str, Any], View]], name: str) -> None:
    """Nothing but ASCII, and no mark is lost."""
    rows = rollout.status(seen[name][1])
    text = printed(rows, encoding="latin-1")

    assert text.isascii()
    assert "?" not in text
    assert text.count("#") == printed(rows).count("█")


def test_text_of_other_people_is_harmless(tmp_path: Path) -> None:
    """Markup is shown as it is, and no control character reaches the terminal."""
    manifest, _ = ALL["canary"]()
    conditions = manifest["status"]["conditions"]
    for each in conditions:
        each["message"] = HOSTILE
    manifest["status"]["gates"][0]["message"] = HOSTILE
    manifest["status"]["attempt"]["outlook"] = HOSTILE
    (tmp_path / "rollout.json").write_text(json.dumps(manifest))
    folder = fake(tmp_path, f"case $2 in agentrollout) exec cat {tmp_path}/rollout.json;; esac")

    done = run(folder, "status", "support-agent", FORCE_COLOR="1", TERM="xterm")

    assert done.returncode == 0, done.stderr
    assert "[bold red]x[/]" in done.stdout
    assert ":smile:" in done.stdout
    assert [each for each in OBEYED if each in done.stdout] == []


def test_no_control_character_of_a_view_is_printed() -> None:
    """The screens clean every text themselves, whatever the view lets through."""
    manifest, now = ALL["canary"]()
    seen = view(manifest, {}, now)
    headline = replace(seen.headline, sentence=HOSTILE, state=HOSTILE)
    gates = tuple(replace(each, sentence=HOSTILE) for each in seen.gates)
    hostile = replace(seen, headline=headline, gates=gates, outlook=HOSTILE)

    text = printed(rollout.status(hostile), is_terminal=True, width=200)

    assert text.count("[bold red]x[/]") == 3 + len(gates)
    assert [each for each in ("\x1b", *OBEYED) if each in text] == []


def test_a_pipe_gets_no_color(tmp_path: Path) -> None:
    """Without a terminal there is no escape sequence; NO_COLOR wins in one."""
    manifest, _ = ALL["rolled-back"]()
    (tmp_path / "rollout.json").write_text(json.dumps(manifest))
    folder = fake(tmp_path, f"case $2 in agentrollout) exec cat {tmp_path}/rollout.json;; esac")

    assert "\x1b" not in run(folder, "status", "support-agent").stdout
    assert "\x1b[31m" in run(folder, "status", "support-agent", FORCE_COLOR="1", TERM="xterm").stdout
    plain = run(folder, "status", "support-agent", FORCE_COLOR="1", NO_COLOR="1", TERM="xterm").stdout
    assert "\x1b[31m" not in plain


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_data_is_whole_without_utf8(tmp_path: Path, form: str) -> None:
    """What a console cannot write is escaped, and reads as the same text."""
    manifest, _ = ALL["canary"]()
    manifest["status"]["conditions"][0]["message"] = text = "café → 汉字"
    (tmp_path / "rollout.json").write_text(json.dumps(manifest))
    folder = fake(tmp_path, f"case $2 in agentrollout) exec cat {tmp_path}/rollout.json;; esac")

    done = run(folder, "status", "support-agent", "-o", form, PYTHONIOENCODING="ascii")

    assert done.stderr == ""
    assert done.stdout.isascii()
    assert yaml.safe_load(done.stdout)["headline"]["why"] == text


def test_json_is_the_view(tmp_path: Path) -> None:
    """`-o json` prints the documented view, with the figures of the object."""
    manifest, _ = ALL["canary"]()
    (tmp_path / "rollout.json").write_text(json.dumps(manifest))
    folder = fake(tmp_path, f"case $2 in agentrollout) exec cat {tmp_path}/rollout.json;; esac")

    shown = json.loads(run(folder, "status", "support-agent", "-o", "json").stdout)

    expected = view(manifest, {}, datetime.fromisoformat(shown["time"]).astimezone(UTC)).to_json()
    assert shown == expected
    assert [each["weight"] for each in shown["running"]] == [
        manifest["status"]["weights"]["canary"],
        manifest["status"]["weights"]["stable"],
    ]
