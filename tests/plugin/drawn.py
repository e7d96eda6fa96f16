"""The screens of real statuses as files get them. `python -m tests.plugin.drawn` writes the golden files."""

from io import StringIO
from pathlib import Path
from typing import Final

from rich.console import Console

from agentrollouts.insight.view.view import view
from agentrollouts.plugin.screens import listed, rollout, terminal
from agentrollouts.plugin.screens.terminal import Row
from tests.plugin.rollouts import ALL

GOLDEN: Final = Path(__file__).parent / "golden"


def printed(rows: list[Row], *, width: int = 80, is_terminal: bool = False, encoding: str = "utf-8") -> str:
    """What a console gets."""

    class File(StringIO):
        """A file of an encoding."""

        @property
        def encoding(self) -> str:  # type: ignore[override]
            return encoding

        def isatty(self) -> bool:
            return is_terminal

    file = File()
    out = Console(file=file, width=width, force_terminal=is_terminal, color_system=None, legacy_windows=False)
    terminal.show(rows, out)
    return file.getvalue()


def screens() -> dict[str, str]:
    """The screen of each rollout, and the list of all with the one at rest left out."""
    built = {name: build() for name, build in ALL.items()}
    views = {name: view(manifest, {}, now) for name, (manifest, now) in built.items()}
    ordered = sorted(views.values(), key=listed.rank)
    rows = listed.rows(ordered, ordered[:2], is_wide=False)
    return {name: printed(rollout.status(each)) for name, each in views.items()} | {"list": printed(rows)}


if __name__ == "__main__":
    for name, text in screens().items():
        (GOLDEN / f"{name}.txt").write_text(text)
