"""A publisher of releases on 127.0.0.1 that can misbehave, and what it publishes."""

import hashlib
import io
import subprocess
import tarfile
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sandbox.parts import releases
from sandbox.parts.gomodule import Module
from sandbox.parts.releases import Release
from sandbox.parts.supply import Part

SCRIPT = b"#!/bin/sh\necho released\n"
PART = Part(Module("helm", ("any",), expected=1), releases=("helm",))


class Publisher(ThreadingHTTPServer):
    """Serves bytes by path and remembers what was requested; some paths misbehave."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.files: dict[str, bytes] = {}
        self.truncated: set[str] = set()
        self.hanging: set[str] = set()
        self.requests: list[str] = []
        self.end = threading.Event()

    def address(self, path: str) -> str:
        """The URL of a path."""
        return f"http://127.0.0.1:{self.server_port}{path}"


class Answers(BaseHTTPRequestHandler):
    """One request to a publisher."""

    server: Publisher

    def do_HEAD(self) -> None:
        """Answer without content."""
        self.respond(b"")

    def do_GET(self) -> None:
        """Answer with the file, half of it, or half of it and then nothing until the test is over."""
        content = self.server.files[self.path]
        faulty = self.path in self.server.truncated | self.server.hanging
        self.respond(content, content[: len(content) // 2] if faulty else content)
        if self.path in self.server.hanging:
            self.wfile.flush()
            self.server.end.wait(120)

    def respond(self, content: bytes, sent: bytes | None = None) -> None:
        """Announce the content and send it, or what is given instead."""
        self.server.requests.append(f"{self.command} {self.path}")
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content if sent is None else sent)

    def log_message(self, *_: Any) -> None:  # noqa: ANN401  # as in the base
        """Say nothing."""


def archive(*members: tuple[str, bytes]) -> bytes:
    """A gzipped tar."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def publish(
    publisher: Publisher,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes,
    name: str = "helm",
    programs: Mapping[str, str] | None = None,
) -> Release:
    """Serve a file, and pin it as a release of this machine beside those of earlier calls."""
    path = f"/{name}.tar.gz"
    publisher.files[path] = content
    digest = hashlib.sha256(content).hexdigest()
    members = programs or {name: f"linux/{name}"}
    release = Release(name, "1.0.0", publisher.address(path), digest, members)
    table = (releases.here() if publisher.files.keys() > {path} else {}) | {name: release}
    monkeypatch.setattr(releases, "here", lambda: table)
    return release


def spoken_by(program: Path) -> str:
    """What a program prints."""
    return subprocess.run([program], capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603
