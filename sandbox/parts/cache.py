"""The user's cache folder: things made once, under a lock, and put in place by one rename.

Everything costly that the sandbox needs (binaries, the Go toolchain, Go's own caches) lives here, outside
the checkout, so that a second clone or a second test run builds nothing.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from sandbox.errors import SandboxError

_TERMINAL_SECONDS = 1
_LOG_SECONDS = 10


def folder() -> Path:
    """The cache folder: `$XDG_CACHE_HOME/agentrollouts`, or the same under `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "agentrollouts"


def clean() -> None:
    """Remove the cache folder, Go's read-only module cache included."""
    for place, _, _ in os.walk(folder()):
        Path(place).chmod(0o700)
    shutil.rmtree(folder(), ignore_errors=True)


def key(texts: Iterable[str], files: Iterable[Path]) -> str:
    """Sixteen hex digits that change whenever an argument or a file's name or content changes."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(f"{len(text)}:{text}".encode())
    for file in sorted(files):
        content = file.read_bytes()
        digest.update(f"{file.name}:{len(content)}:".encode() + content)
    return digest.hexdigest()[:16]


def make(target: Path, title: str, build: Callable[[Path], None]) -> None:
    """Make a file or folder unless it is there; safe when several processes ask at once.

    Args:
        target: where it shall be, inside the cache folder.
        title: what people call it.
        build: makes it at the path it is given, which is then renamed to `target`.

    Raises:
        SandboxError: the build failed.
    """
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(target.parent / f".{target.name}.lock", title):
        if target.exists():
            return
        draft = target.parent / f".{target.name}.draft"
        _remove(draft)  # left by a build that was killed
        try:
            build(draft)
            draft.rename(target)
        finally:
            _remove(draft)


def run(
    title: str, command: Sequence[str | Path], environment: Mapping[str, str], expected: int, cwd: Path
) -> None:
    """Run a long command and say every few seconds how long it has been at it.

    Args:
        title: what is being done.
        command: program and arguments; its output goes to a log file in the cache folder.
        environment: all variables of the command.
        expected: seconds that it took when measured on two cores, downloads included.
        cwd: the folder to run in.

    Raises:
        SandboxError: it failed; the text ends with the last lines of its output.
    """
    log = folder() / "logs" / f"{title.replace(' ', '-')}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        child = subprocess.Popen(
            [str(part) for part in command],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=cwd,
        )
        progress = Progress(title, expected)
        try:
            while _still_running(child):
                progress.show()
        finally:
            child.kill()
            child.wait()
            progress.end()
    if child.returncode != 0:
        last = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise SandboxError(f"{title} failed with exit code {child.returncode} (whole log: {log}):\n{last}")


class Progress:
    """How long something has taken so far: one living line on a terminal, a line now and then elsewhere."""

    def __init__(self, title: str, expected: int) -> None:
        self._title = title
        self._expected = expected
        self._start = time.monotonic()
        self._terminal = sys.stderr.isatty()
        self._next = 0.0

    def show(self) -> None:
        """Print the line if one is due."""
        elapsed = time.monotonic() - self._start
        if elapsed < self._next:
            return
        self._next = elapsed + (_TERMINAL_SECONDS if self._terminal else _LOG_SECONDS)
        line = f"{self._title}: {elapsed:.0f} s, about {self._expected} s on two cores the first time"
        print(
            f"\r\033[K{line}" if self._terminal else line,
            end="" if self._terminal else "\n",
            file=sys.stderr,
            flush=True,
        )

    def end(self) -> None:
        """Print the final line."""
        start = "\r\033[K" if self._terminal else ""
        print(
            f"{start}{self._title}: done after {time.monotonic() - self._start:.0f} s",
            file=sys.stderr,
            flush=True,
        )


def _still_running(child: "subprocess.Popen[bytes]") -> bool:
    try:
        child.wait(timeout=_TERMINAL_SECONDS)
    except subprocess.TimeoutExpired:
        return True
    return False


@contextlib.contextmanager
def _locked(path: Path, title: str) -> Iterator[None]:
    """Hold a lock file. The lock belongs to the open file, so it goes with its process, however that ends."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{title}: another process is building it, waiting for that", file=sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
