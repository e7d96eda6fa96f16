"""Explores the property tests: at least 2,000 fresh examples of each, where `make test` repeats the same few.

Each case is one property, run by pytest in a process of its own. The seed is printed first; on
the same code it finds a counterexample again.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from campaigns.cases import Campaign, Case, Choice

ROOT: Final = Path(__file__).parents[2]
SHOWN: Final = 4_000
"""Characters of a failing test's report that are printed: its end has the counterexample."""

_TRIED = re.compile(r"(\d+) passing")


def properties(root: Path = ROOT) -> Sequence[str]:
    """Node IDs of all property tests in the folder `tests` below `root`.

    Raises:
        RuntimeError: The tests cannot be collected.
    """
    run = _pytest(root, "--collect-only", "-q", "-m", "hypothesis", "tests")  # hypothesis sets this marker
    if run.returncode:
        raise RuntimeError(f"Cannot collect the property tests:\n{run.stdout}{run.stderr}")
    return re.findall(r"^\S+::\S+.*$", run.stdout, re.MULTILINE)


def explore(node: str, *, seed: int, root: Path = ROOT) -> Case:
    """Try one property on fresh examples.

    Args:
        node: Its node ID.
        seed: From which all examples follow.
        root: Folder that the node ID starts from.
    """
    chosen = ("--hypothesis-profile=exploring", f"--hypothesis-seed={seed}")
    run = _pytest(root, *chosen, "--hypothesis-show-statistics", "--timeout=0", "-q", node)
    tried = sum(map(int, _TRIED.findall(run.stdout)))
    report = f"exit code {run.returncode}\n{run.stdout[-SHOWN:]}{run.stderr[-SHOWN:]}"
    return Case(node, report if run.returncode else None, tried)


def _pytest(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    configured = ("-c", str(ROOT / "pyproject.toml"), "--rootdir", str(root), "-p", "testkit.properties")
    return subprocess.run(  # noqa: S603 our own tests
        [sys.executable, "-m", "pytest", *configured, *arguments],
        capture_output=True,
        check=False,
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        text=True,
    )


def play(choice: Choice, root: Path = ROOT) -> Iterator[Case]:
    """Explore the chosen properties, one on each core at a time."""
    print(f"properties: seed {choice.seed}", file=sys.stderr, flush=True)
    chosen = choice.spread([node for node in properties(root) if choice.wants(node)])
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        yield from pool.map(partial(explore, seed=choice.seed, root=root), chosen)


PROPERTIES: Final = Campaign(
    "properties",
    "Every property of the code holds on examples that no run has tried before",
    play,
    unit="examples",
    draws_seed=True,
)
