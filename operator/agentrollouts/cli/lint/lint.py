"""`agentrollouts lint`: checks files as the API server and the operator would, without either."""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from agentrollouts.cli.lint.documents import Document, Found, paths_in
from agentrollouts.cli.lint.examine import Neighbors, errors, key_of, warnings
from agentrollouts.cli.lint.finding import Finding
from agentrollouts.cli.mistakes import WrongUseError

FINDINGS: Final = 1
WRONG_USE: Final = 2
STANDARD_INPUT: Final = "-"


def run_lint(options: argparse.Namespace) -> int:
    """Print a line for each finding; 1 if one is not a warning, 2 where the command is used wrongly."""
    try:
        found = _read(options.file)
        before = _read([options.against]) if options.against else Found()
    except WrongUseError as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_USE
    neighbors = Neighbors(
        {key_of(each): each for each in (*(each.manifest for each in found.ours), *found.helpers)},
        {key_of(each.manifest): each.manifest for each in before.ours},
        options.runs_per_hour,
    )
    findings = [
        *found.findings,
        *(each for document in found.ours for each in _examined(document, neighbors)),
    ]
    _print(findings, is_github=options.output == "github")
    if options.verbose:
        sys.stderr.write(f"Objects: {len(found.ours)} checked, {found.skipped} of other kinds skipped\n")
    return FINDINGS if any(not each.is_warning for each in findings) else 0


def _read(names: Sequence[str]) -> Found:
    found = Found()
    for name in dict.fromkeys(names):
        if name == STANDARD_INPUT:
            found.add("stdin", sys.stdin.buffer.read())
            continue
        for path in paths_in(name):
            try:
                found.add(str(path), path.read_bytes())
            except OSError as error:
                raise WrongUseError(f"{path}: cannot be read: {error.strerror}") from None
    return found


def _examined(document: Document, neighbors: Neighbors) -> Iterator[Finding]:
    try:
        wrong = [document.finding(text) for text in errors(document.manifest, neighbors)]
        doubts = () if wrong else warnings(document.manifest, neighbors)
        yield from wrong
        yield from [document.finding(text, is_warning=True) for text in doubts]
    except RecursionError:
        yield document.finding(": is nested too deeply to be checked; make it flatter")


def _print(findings: Iterable[Finding], *, is_github: bool) -> None:
    for each in sorted(findings, key=lambda each: (each.file, each.line)):
        print(each.as_github() if is_github else each.as_text())
