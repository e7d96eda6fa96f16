"""How each part gets into the cache: as an official release if that can be had, else by a build.

A build that is in the cache comes first, then a release. Nothing is downloaded if `SANDBOX_BUILD` or `CI` is
set, for a machine without a pinned checksum, or if the first host does not answer.
"""

import dataclasses
import functools
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sandbox.errors import DownloadError
from sandbox.parts import cache, download, gomodule, releases
from sandbox.parts.gomodule import Module
from sandbox.parts.releases import Release

_FORCING: Final = ("SANDBOX_BUILD", "CI")
_UNSET: Final = {"", "0", "false"}
LIMITS: Final = download.Limits()


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """A part: the module that builds it, and the releases that together replace this build."""

    module: Module
    releases: tuple[str, ...] = ()
    beside: tuple[Module, ...] = ()
    """What must be built although the releases are used, because it has no release."""

    def pinned(self) -> tuple[Release, ...]:
        """The releases that may replace the build here; none where one has no pin, or a build is forced."""
        table = {} if build_only() else releases.here()
        return tuple(table[name] for name in self.releases) if table.keys() >= set(self.releases) else ()

    def replaced(self) -> dict[str, Path]:
        """The programs that replace the build, by name; none if there is a build, or one is missing."""
        if self.module.place().exists():
            return {}
        found = {name: release.place() / name for release in self.pinned() for name in release.programs}
        if found:
            found |= {module.name: module.place() for module in self.beside}
        return found if all(program.exists() for program in found.values()) else {}

    def find(self) -> Path:
        """The one program of a part.

        Raises:
            MissingPartError: it is neither built nor downloaded.
        """
        return self.replaced().get(self.module.name) or self.module.find()


def build_only() -> bool:
    """Whether the environment forces the build: `SANDBOX_BUILD=1`, or `CI=true` as CI systems set it."""
    return any(os.environ.get(name, "").lower() not in _UNSET for name in _FORCING)


def obtain(parts: Sequence[Part]) -> None:
    """Bring every missing part into the cache; nothing is downloaded or built twice.

    Raises:
        SandboxError: a build failed.
    """
    missing = [part for part in parts if not part.module.place().exists() and not part.replaced()]
    _download(missing)
    modules: list[Module] = []
    for part in missing:
        pinned = part.pinned()
        complete = pinned and all(release.place().exists() for release in pinned)
        modules += part.beside if complete else (part.module,)
    gomodule.compile_missing(modules)


def _download(parts: Sequence[Part]) -> None:
    """Download the releases of these parts; whatever fails is said, and left to the build."""
    absent = [[release for release in part.pinned() if not release.place().exists()] for part in parts]
    first = next((release for group in absent for release in group), None)
    if first is None:
        return
    try:
        download.reach(first.url, LIMITS)
    except DownloadError as error:
        print(f"{error}: building from source", file=sys.stderr, flush=True)
        return
    failed: set[str] = set()
    for group in absent:
        for release in group:
            if release.name in failed or not _fetched(release):
                failed.add(release.name)
                break  # without one of its releases, the part is built


def _fetched(release: Release) -> bool:
    try:
        cache.make(release.place(), release.title, functools.partial(download.fetch, release, LIMITS))
    except DownloadError as error:
        print(f"{error}; building it from source", file=sys.stderr, flush=True)
        return False
    return True
