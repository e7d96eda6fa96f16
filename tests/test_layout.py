"""The table of contents of the repository: how much stands side by side, and what may import what."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
PACKAGES: Final = (
    "agentrollouts",
    "agentrollouts_agent",
    "bench",
    "campaigns",
    "sandbox",
    "testkit",
    "tests",
)
HOMES: Final = {"agentrollouts": "operator", "agentrollouts_agent": "agent"}
"""Folders of packages that are not at the top."""
MOST_FILES: Final = 15
"""Modules in one folder, `__init__.py` among them."""
BANNER: Final = re.compile(r"^\s*# ?(-{3,}|={3,})", re.MULTILINE)

LAYERS: Final = "tests > campaigns | bench > testkit > sandbox > operator | agent"
PARTS: Final = "main > process > cli | dashboard | plugin | shell > adapters > insight > core > api"
PURE: Final = "insight, core and api do no I/O, know no clock and no library that does"
PLUGIN: Final = "the plugin knows the cluster through kubectl alone"
PAGE: Final = "the page knows the API server by its own few calls alone"
CYCLES: Final = "no import cycle between siblings anywhere"
ADAPTERS: Final = "adapters do not know each other"
PLANTED: Final = (
    ("agentrollouts/shell/clock.py", "from sandbox import errors", LAYERS),
    ("agentrollouts/insight/figures.py", "from agentrollouts.adapters.cluster import errors", PARTS),
    ("agentrollouts/insight/wording.py", "import time", PURE),
    ("agentrollouts_agent/asgi.py", "from agentrollouts.api import names", LAYERS),
    ("agentrollouts/shell/clock.py", "from agentrollouts_agent import load", LAYERS),
    ("sandbox/errors.py", "from testkit import gates", LAYERS),
    ("testkit/gates.py", "from campaigns import cases", LAYERS),
    ("bench/rig/report.py", "from campaigns import cases", LAYERS),
    ("campaigns/cases.py", "from bench.rig import report", LAYERS),
    ("campaigns/cluster/lanes/lane.py", "from tests import inside", LAYERS),
    (
        "agentrollouts/adapters/prometheus/build.py",
        "from agentrollouts.adapters.cluster import errors",
        ADAPTERS,
    ),
    ("agentrollouts/plugin/loading.py", "from agentrollouts.adapters.cluster import errors", PLUGIN),
    ("agentrollouts/dashboard/api.py", "import prometheus_client", PAGE),
    ("agentrollouts/shell/inputs/intake.py", "from agentrollouts.shell.effects import act", CYCLES),
    ("sandbox/isolation/kernel.py", "from sandbox.programs import web", CYCLES),
)
"""A file, an import that does not belong there, and the contract that reports it."""


def folder_of(package: str) -> Path:
    """Where the modules of a package are."""
    return ROOT / HOMES.get(package, "") / package


def modules() -> Iterator[tuple[str, Path]]:
    """All modules of the repository, by their dotted names."""
    for package in PACKAGES:
        folder = folder_of(package)
        for file in sorted(folder.rglob("*.py")):
            parts = (package, *file.relative_to(folder).with_suffix("").parts)
            yield ".".join(parts).removesuffix(".__init__"), file


def defined(tree: ast.Module) -> Iterator[str]:
    """The names that a module defines itself; those that it imports are not among them."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()):
                yield name


def test_no_folder_has_more_than_fifteen_modules() -> None:
    """A folder can be read at one glance."""
    folders = [file.parent for _, file in modules()]
    counts = {str(folder.relative_to(ROOT)): folders.count(folder) for folder in set(folders)}

    assert {name: count for name, count in counts.items() if count > MOST_FILES} == {}


def test_each_name_is_imported_from_the_module_that_defines_it() -> None:
    """No module is a second home of a name."""
    trees = {name: ast.parse(file.read_text()) for name, file in modules()}
    names = {module: {*defined(tree)} for module, tree in trees.items()}
    strangers = [
        f"{module}: from {node.module} import {alias.name}"
        for module, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module in names
        for alias in node.names
        if alias.name not in names[node.module] and f"{node.module}.{alias.name}" not in names
    ]

    assert strangers == []


def test_no_banner_comment_divides_a_module() -> None:
    """A module with two parts is two modules."""
    assert [str(file.relative_to(ROOT)) for _, file in modules() if BANNER.search(file.read_text())] == []


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of all packages, with the contracts beside it."""
    folder = tmp_path_factory.mktemp("repository")
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(folder_of(package), folder / package, ignore=ignored)
    shutil.copy(ROOT / ".importlinter", folder)
    return folder


@pytest.mark.parametrize(("file", "line", "contract"), PLANTED)
def test_an_import_against_the_layers_is_reported(copied: Path, file: str, line: str, contract: str) -> None:
    """Each contract outside the core fails on an import that it forbids."""
    path = copied / file
    before = path.read_text()
    path.write_text(f"{before}\n{line}\n")
    command = [str(Path(sys.executable).with_name("lint-imports")), "--cache-dir", str(copied / "cache")]
    environment = {**os.environ, "PYTHONPATH": str(copied), "COLUMNS": "200"}
    report = subprocess.run(  # noqa: S603 our own linter
        command, cwd=copied, env=environment, capture_output=True, text=True, check=False
    )
    path.write_text(before)

    broken = [line.removesuffix(" BROKEN") for line in report.stdout.splitlines() if line.endswith(" BROKEN")]
    assert (report.returncode, broken) == (1, [contract]), report.stdout
