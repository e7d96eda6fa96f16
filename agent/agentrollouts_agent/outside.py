"""The agent as the conformance test sees it: a process, its answers, its log, and its calls."""

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple, Self

_ANSWER_SECONDS = 10.0
_END_SECONDS = 10.0
_LOOK_SECONDS = 0.1
_MOST_BYTES = 1 << 22


class Answer(NamedTuple):
    """An answer, of whatever status."""

    status: int
    headers: Message
    text: str


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like any other."""

    def redirect_request(self, *_: object) -> None:
        return None


_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)


def get(url: str, data: bytes | None = None) -> Answer | None:
    """The answer to a GET, or to a POST of JSON; None if there is none."""
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"{url}: is not a URL of HTTP")
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"} if data else {})  # noqa: S310
    try:
        with _OPENER.open(request, timeout=_ANSWER_SECONDS) as found:
            return Answer(found.status, found.headers, found.read(_MOST_BYTES).decode(errors="replace"))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, "")
    except (OSError, urllib.error.URLError):
        return None


class Agent:
    """A process that is started on entry, and ended on exit with all that it started.

    Args:
        command: Starts it.
        variables: Added to ours.
    """

    def __init__(self, command: Sequence[str], variables: Mapping[str, str]) -> None:
        self._command, self._variables = command, variables
        self.log = ""
        """What it printed, once it has ended."""

    def __enter__(self) -> Self:
        self._file = tempfile.TemporaryFile("w+b")
        self._process = subprocess.Popen(  # noqa: S603 the caller's command
            self._command,
            env={**os.environ, **self._variables},
            stdin=subprocess.DEVNULL,
            stdout=self._file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        with self._file:
            self._file.seek(0)
            self.log = self._file.read().decode(errors="replace")

    @property
    def code(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.poll()

    @property
    def state(self) -> str:
        """Whether it runs, in words."""
        return "it runs" if self.code is None else f"it ended with code {self.code}"

    def answer(self, url: str, data: bytes | None, seconds: float) -> Answer | None:
        """The first answer within so many seconds; None if it ends before, or if the time is over."""
        until = time.monotonic() + seconds
        while self.code is None and time.monotonic() < until:
            if found := get(url, data):
                return found
            time.sleep(_LOOK_SECONDS)
        return None


class Calls:
    """A server that refuses each call, and keeps its baggage."""

    def __init__(self) -> None:
        self.baggage: list[str] = []
        """One header for each call, empty where there was none."""
        seen = self.baggage

        class Handler(BaseHTTPRequestHandler):
            def _refuse(self) -> None:
                seen.append(",".join(self.headers.get_all("baggage") or ()))
                self.send_response(400)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST = do_PUT = _refuse  # noqa: N815 the names that the server calls

            def log_message(self, *_: object) -> None:
                """Nothing: the output is that of the test."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
