"""From a release at its publisher to verified programs in a folder.

Nothing is unpacked before its checksum is right, and everything is bounded in time. Proxies come from the
environment, as `urllib` reads them.
"""

import dataclasses
import hashlib
import http.client
import queue
import shutil
import sys
import tarfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from sandbox.errors import DownloadError
from sandbox.parts.releases import Release

_CHUNK: Final = 1 << 18
_MOST_BYTES: Final = 500_000_000
_MEGABYTE: Final = 1_000_000
_WIDTH: Final = 30
_REDRAW_SECONDS: Final = 0.2


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """How long each step may take, in seconds."""

    answer: float = 3
    """From the first look-up to the first answer."""
    silence: float = 15
    """Between two pieces of a file."""
    total: float = 300
    """For one file."""


def reach(url: str, limits: Limits) -> None:
    """Get any answer from the host of an address, or from the proxy in front of it.

    Raises:
        DownloadError: there is none; the text names the host and the reason.
    """
    outcome: queue.SimpleQueue[str] = queue.SimpleQueue()
    # In a thread, because the look-up of a name has no timeout of its own.
    threading.Thread(target=_knock, args=(url, limits.answer, outcome), daemon=True).start()
    try:
        problem = outcome.get(timeout=limits.answer)
    except queue.Empty:
        problem = f"no answer within {limits.answer:g} s"
    if problem:
        raise DownloadError(f"{urllib.parse.urlsplit(url).netloc} cannot be reached ({problem})")


def _knock(url: str, seconds: float, outcome: "queue.SimpleQueue[str]") -> None:
    request = urllib.request.Request(url, method="HEAD")  # noqa: S310  # addresses are our own
    try:
        _open(request, seconds).close()
    except urllib.error.HTTPError as refused:
        refused.close()  # an answer, too
    except (OSError, http.client.HTTPException) as error:
        outcome.put(_reason(error))
        return
    outcome.put("")


def _open(request: urllib.request.Request, seconds: float) -> http.client.HTTPResponse:
    """Send a request; `urlopen` would keep the proxies of the first request of this process."""
    answer: http.client.HTTPResponse = urllib.request.build_opener().open(request, timeout=seconds)
    return answer


def fetch(release: Release, limits: Limits, folder: Path) -> None:
    """Download a release, verify it, and put its programs into a new folder.

    Raises:
        DownloadError: it did not arrive in time, or it is not what is pinned.
    """
    folder.mkdir()
    file = folder / ".download"
    try:
        found = _receive(release, limits, file)
    except (OSError, http.client.HTTPException) as error:
        raise DownloadError(f"{release.title} did not arrive from {release.url}: {_reason(error)}") from error
    if found != release.sha256:
        raise DownloadError(
            f"{release.title} is refused: its sha256 is {found}, expected {release.sha256}; "
            f"it came from {release.url}"
        )
    if list(release.programs.values()) == [""]:
        file.rename(folder / release.name)
    else:
        _unpack(release, file, folder)
        file.unlink()
    for program in release.programs:
        (folder / program).chmod(0o755)


def _receive(release: Release, limits: Limits, file: Path) -> str:
    """Write a release to a file and return its sha256."""
    digest, received = hashlib.sha256(), 0
    with (
        _open(urllib.request.Request(release.url), limits.silence) as answer,  # noqa: S310  # the same
        file.open("wb") as output,
    ):
        bar = Bar(release.title, answer.length or 0)
        try:
            for piece in _pieces(answer, limits):
                digest.update(piece)
                output.write(piece)
                received += len(piece)
                bar.show(received)
        finally:
            bar.clear()
        bar.end(received)
    return digest.hexdigest()


def _pieces(answer: http.client.HTTPResponse, limits: Limits) -> Iterator[bytes]:
    """The content of an answer as it arrives; an `OSError` if it is too slow, too large, or ends early."""
    size, received, deadline = answer.length or 0, 0, time.monotonic() + limits.total
    while piece := answer.read1(_CHUNK):
        received += len(piece)
        if time.monotonic() > deadline:
            raise TimeoutError(f"only {received:,} bytes within {limits.total:g} s")
        if received > _MOST_BYTES:
            raise OSError(f"it has more than {_MOST_BYTES:,} bytes")
        yield piece
    if received < size:
        raise OSError(f"it ended after {received:,} of {size:,} bytes")


def _unpack(release: Release, archive: Path, folder: Path) -> None:
    """Copy the programs out of a gzipped tar, under names of our own, and nothing else."""
    missing = {member: program for program, member in release.programs.items()}
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                name = PurePosixPath(member.name)
                if name.is_absolute() or ".." in name.parts:
                    raise DownloadError(f"{release.title} is refused: {member.name} leads out of its archive")
                content = tar.extractfile(member) if member.isreg() and member.name in missing else None
                if content is not None:
                    with content, (folder / missing.pop(member.name)).open("wb") as target:
                        shutil.copyfileobj(content, target)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise DownloadError(f"{release.title} is refused: it cannot be unpacked ({error})") from error
    if missing:
        raise DownloadError(f"{release.title} is refused: {', '.join(missing)} is not a file in its archive")


def _reason(error: Exception) -> str:
    """What went wrong, without the wrapping of `urllib`."""
    if isinstance(error, urllib.error.URLError) and not isinstance(error, urllib.error.HTTPError):
        return str(error.reason)
    return str(error) or repr(error)


class Bar:
    """How much of a file has arrived: one living line on a terminal, elsewhere one line at its end."""

    def __init__(self, title: str, size: int) -> None:
        self._title = title
        self._size = size
        self._start = time.monotonic()
        self._terminal = sys.stderr.isatty()
        self._next = 0.0

    def show(self, received: int) -> None:
        """Redraw the line if that is due.

        Args:
            received: bytes so far.
        """
        elapsed = time.monotonic() - self._start
        if not self._terminal or elapsed < self._next:
            return
        self._next = elapsed + _REDRAW_SECONDS
        share = received / self._size if self._size else 0.0
        drawn = f"[{'#' * int(share * _WIDTH):<{_WIDTH}}] {share:4.0%} of {self._size / _MEGABYTE:.0f} MB"
        text = drawn if self._size else f"{received / _MEGABYTE:.0f} MB"
        print(f"\r\033[Kdownloading {self._title} {text}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Remove the living line."""
        if self._terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    def end(self, received: int) -> None:
        """Print the final line.

        Args:
            received: bytes in all.
        """
        seconds = time.monotonic() - self._start
        line = f"downloaded {self._title}: {received / _MEGABYTE:.1f} MB in {seconds:.0f} s"
        print(line, file=sys.stderr, flush=True)
