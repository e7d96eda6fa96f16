"""The table of contents of the core: how much stands side by side, and which chapter may import which."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

import agentrollouts
from tests.levels import measure

PACKAGE: Final = Path(agentrollouts.__file__).parent
ROOT: Final = Path(__file__).parents[2]
MOST_FILES: Final = 15
"""Files in one folder, `__init__.py` among them."""


def folders() -> Iterator[Path]:
    """All packages of the core."""
    return (file.parent for file in sorted((PACKAGE / "core").rglob("__init__.py")))


def test_the_core_is_four_levels_of_a_few_chapters() -> None:
    """Who looks for something has at most twenty names to choose from, each at one of four heights."""
    figures = measure("agentrollouts.core")

    assert (figures.entries <= 20, figures.levels <= 4, figures.imports <= 56) == (True, True, True), str(
        figures
    )


def test_no_folder_of_the_core_has_more_than_fifteen_files() -> None:
    """A folder can be read at one glance."""
    counts = {str(folder.relative_to(PACKAGE)): len(list(folder.glob("*.py"))) for folder in folders()}

    assert {name: count for name, count in counts.items() if count > MOST_FILES} == {}


@pytest.mark.parametrize("folder", list(folders())[1:], ids=lambda folder: str(folder.relative_to(PACKAGE)))
def test_each_chapter_says_what_it_knows_and_what_not(folder: Path) -> None:
    """Three lines at the door of a chapter are enough to know whether to go in."""
    lines = [line for line in (folder / "__init__.py").read_text().strip('"\n').splitlines() if line]

    assert [len(lines), lines[1].split()[0], lines[2].split()[:3]] == [3, "Knows", ["Does", "not", "know"]]


PLANTED: Final = (
    ("core/metrics/table.py", "from agentrollouts.core.analysis import canary"),
    ("core/judge/rules.py", "from agentrollouts.core.attempt import moves"),
    ("core/judge/stats/evidence.py", "from agentrollouts.core.metrics import table"),
    ("core/gates/gate.py", "from agentrollouts.core import states"),
    ("core/traffic/routers/table.py", "from agentrollouts.core.attempt import moves"),
    ("core/traffic/weights.py", "from agentrollouts.core.rollout import observation"),
    ("core/attempt/moves.py", "from agentrollouts.core.attempt import transition"),
    ("core/attempt/clocks.py", "from agentrollouts.core.action import annotations"),
    ("core/analysis/stages.py", "from agentrollouts.core.traffic import weights"),
    ("core/analysis/caps.py", "from agentrollouts.core.rollout import situation"),
    ("core/rollout/checks/idle.py", "from agentrollouts.core.analysis import stable"),
    ("core/release/decide.py", "from agentrollouts.core.traffic import latch"),
    ("core/rollout/checks/holds.py", "from agentrollouts.core.rollout.reporting import conditions"),
    ("core/rollout/checks/idle.py", "from agentrollouts.core.traffic.routers import route_patch"),
    ("core/traffic/drift.py", "from agentrollouts.core.traffic import route_claim"),
    ("core/rollout/decide.py", "import os"),
    ("core/states.py", "from agentrollouts.shell import clock"),
    ("core/undeclared/__init__.py", ""),
)
"""A file, and the line that does not belong there."""


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package, with the contracts and all other packages that they name beside it."""
    folder = tmp_path_factory.mktemp("contracts")
    shutil.copytree(PACKAGE, folder / "agentrollouts", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".importlinter", folder)
    for name in ("bench", "campaigns", "sandbox", "testkit", "tests"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """What import-linter says of the copy."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--cache-dir", str(folder / "cache")]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(  # noqa: S603 our own linter
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_the_contracts_hold(copied: Path) -> None:
    """Without a planted import nothing is reported."""
    report = lint(copied)

    assert report.returncode == 0, report.stdout


@pytest.mark.parametrize(("file", "line"), PLANTED)
def test_an_import_that_does_not_belong_there_is_reported(copied: Path, file: str, line: str) -> None:
    """Each contract fails on an import that it forbids, and a folder that no contract names is reported."""
    path = copied / "agentrollouts" / file
    before = path.read_text() if path.exists() else None
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{before or ''}\n{line}\n")
    try:
        report = lint(copied)
    finally:
        if before is None:
            shutil.rmtree(path.parent)
        else:
            path.write_text(before)

    name = path.parent.name if path.stem == "__init__" else path.stem
    assert (report.returncode, f".{name}" in report.stdout) == (1, True), report.stdout
