"""How the releases of a rollout answer: one GET to each through the API server. Only the head is read.

kubectl shows no headers, so `kubectl proxy` serves a socket that only this user can open, and lets through no
other path than those of this probe. The API server keeps the credentials of the caller to itself.
"""

import re
import socket
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http.client import HTTPException, HTTPMessage, parse_headers
from io import BytesIO
from pathlib import Path
from typing import Final

from agentrollouts.insight.check.answers import DIGEST_HEADER, RELEASE_HEADER, address, serving
from agentrollouts.insight.check.lines import Answer, Probe, Seen
from agentrollouts.insight.view.reading import read
from agentrollouts.plugin.checking.reviews import Right, review, reviewed
from agentrollouts.plugin.kubectl import Kubectl, KubectlError, Started

START_SECONDS: Final = 20.0
"""How long kubectl may take until it listens: it may have to sign in."""
SECONDS: Final = 5.0
"""How long one release may take for the head of its answer."""
MOST_BYTES: Final = 65_536
"""How much of an answer is read until its head must be complete."""
_LOOK_SECONDS: Final = 0.02
_SHORTEST: Final = 0.001
_CHUNK: Final = 4096
_END: Final = b"\r\n\r\n"
_FINAL: Final = 200
"""Lower numbers announce an answer."""
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-5]\d\d)(?: [^\r\n]*)?")
_OTHERS: Final = "^(HEAD|POST|PUT|PATCH|DELETE|OPTIONS|CONNECT|TRACE)$"


def probed(kubectl: Kubectl, seen: Seen, path: str) -> Seen:
    """What was seen, with the answers of the releases that serve.

    Args:
        kubectl: Reaches the API server.
        seen: With the rollout.
        path: Of the agents; it is theirs alone, since it has neither a query nor `..`.

    Raises:
        KubectlError: kubectl cannot serve the socket.
    """
    rollout = read(seen.rollout or {}, seen.now).rollout
    namespace = rollout.metadata.namespace
    addresses = {each.release: where for each in serving(rollout) if (where := address(each))}
    asked = (Right(namespace, "get", "services", where, subresource="proxy") for where in addresses.values())
    rights = reviewed(review(kubectl, asked)) or {}
    allowed = {name: rights.get(("get", where), True) for name, where in addresses.items()}
    paths = {
        name: f"/api/v1/namespaces/{namespace}/services/{where}/proxy{path}"
        for name, where in addresses.items()
        if allowed[name]
    }
    forbidden = frozenset(name for name, is_allowed in allowed.items() if not is_allowed)
    return replace(seen, probe=Probe(path, _answers(kubectl, paths) if paths else {}, forbidden))


def _answers(kubectl: Kubectl, paths: Mapping[str, str]) -> dict[str, Answer | str]:
    with _proxy(kubectl, paths.values()) as found:
        return {release: ask(found, path) for release, path in paths.items()}


@contextmanager
def _proxy(kubectl: Kubectl, paths: Iterable[str]) -> Iterator[Path]:
    """A socket that leads to these paths."""
    accepted = ",".join(f"^{re.escape(each)}$" for each in paths)
    with tempfile.TemporaryDirectory(prefix="agentrollouts-") as folder:  # mode 0700
        found = Path(folder) / "socket"
        flags = (f"--unix-socket={found}", f"--accept-paths={accepted}", f"--reject-methods={_OTHERS}")
        started = kubectl.start("proxy", *flags)
        try:
            _wait(started, found)
            yield found
        finally:
            started.end()


def _wait(started: Started, found: Path) -> None:
    """Until kubectl listens."""
    until = time.monotonic() + START_SECONDS
    while not found.exists():
        if started.process.poll() is not None:
            started.text()
            raise KubectlError("kubectl proxy ended and printed no reason")
        if time.monotonic() > until:
            raise KubectlError(f"kubectl proxy did not listen within {START_SECONDS:g} s")
        time.sleep(_LOOK_SECONDS)


def ask(found: Path, path: str) -> Answer | str:
    """The head of the answer, or why there is none."""
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAccept: */*\r\n\r\n"
    until = time.monotonic() + SECONDS
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.settimeout(SECONDS)
            connection.connect(str(found))
            connection.sendall(request.encode())
            return _answer(_heads(connection, until))
        except TimeoutError:
            return f"no answer within {SECONDS:g} s"
        except OSError as error:
            return error.strerror or type(error).__name__
        except (HTTPException, ValueError):
            return "what it sent is not HTTP"


def _heads(connection: socket.socket, until: float) -> Iterator[bytes]:
    """One head after the other, as long as there is time; what follows the last one is not read.

    Raises:
        OSError: it takes too long, or too much.
    """
    text, size = bytearray(), 0
    while True:
        while _END in text:
            head, _, rest = text.partition(_END)
            yield bytes(head + _END)
            text = bytearray(rest)
        connection.settimeout(max(until - time.monotonic(), _SHORTEST))
        chunk = connection.recv(_CHUNK)
        size += len(chunk)
        if not chunk or time.monotonic() > until:
            raise TimeoutError if chunk else OSError(0, "the connection ended before the head of the answer")
        if size > MOST_BYTES:
            raise OSError(0, f"the head of its answer has more than {MOST_BYTES} bytes")
        text += chunk


def _answer(heads: Iterable[bytes]) -> Answer:
    """The first head that announces no other one."""
    for head in heads:
        line, _, fields = head.partition(b"\r\n")
        status = _STATUS.fullmatch(line)
        if status is None:
            break
        headers = parse_headers(BytesIO(fields))
        if int(status[1]) >= _FINAL:
            return Answer(int(status[1]), _values(headers, RELEASE_HEADER), _values(headers, DIGEST_HEADER))
    raise ValueError


def _values(headers: HTTPMessage, name: str) -> tuple[str, ...]:
    return tuple(headers.get_all(name) or ())
