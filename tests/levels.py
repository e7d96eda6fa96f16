"""How many entries stand side by side in a package, on how many levels of import.

    python -m tests.levels agentrollouts.core

An entry is a direct child of the package: a module, or a folder with everything that is in it. The levels are
the length of the longest chain of imports among the entries.
"""

import sys
from dataclasses import dataclass
from functools import cache

import grimp


@dataclass(frozen=True, slots=True)
class Levels:
    """The figures of one package."""

    package: str
    entries: int
    levels: int
    imports: int
    """Pairs of entries of which one imports the other."""

    def __str__(self) -> str:
        return f"{self.package}: {self.entries} entries, {self.levels} levels, {self.imports} imports"


def measure(package: str) -> Levels:
    """Count them; a cycle between two entries is a `RecursionError`."""
    graph = grimp.build_graph(package.partition(".")[0], cache_dir=None)
    entries = graph.find_children(package)
    for entry in entries:
        graph.squash_module(entry)
    uses = {entry: graph.find_modules_directly_imported_by(entry) & entries for entry in entries}

    @cache
    def level(entry: str) -> int:
        return 1 + max(map(level, uses[entry]), default=0)

    return Levels(package, len(entries), max(map(level, entries), default=0), sum(map(len, uses.values())))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(measure(name))  # noqa: T201 a script prints
