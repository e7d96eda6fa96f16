"""An endpoint of webhooks as a team would write it: it verifies, remembers ids, and does each thing once.

It runs in threads of the test. What it responds can be changed, and it can be made to hang.
"""

import base64
import hashlib
import hmac
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

TOLERANCE_SECONDS: Final = 300
"""How old a request may be."""


@dataclass(frozen=True)
class Received:
    """A request that was verified."""

    id: str
    body: dict[str, Any]


@dataclass
class Endpoint:
    """A server on loopback, for as long as the context lasts."""

    key: bytes
    received: list[Received] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    """Ids of what was done, in this order."""
    forged: int = 0
    """Requests without a valid signature."""
    failing: int = 0
    """How many of the next requests get 500."""
    opened: threading.Event = field(default_factory=threading.Event)
    """While it is not set, no request gets a response."""

    def __enter__(self) -> Self:
        endpoint = self
        self.opened.set()

        class Handler(BaseHTTPRequestHandler):
            """One request."""

            def do_POST(self) -> None:
                """Verify it, and respond."""
                body = self.rfile.read(int(self.headers["content-length"]))
                status = endpoint.handle(dict(self.headers.items()), body)
                try:
                    self.send_response(status)
                    self.end_headers()
                    self.wfile.write(b"please try later" if status != 204 else b"")
                except OSError:  # the operator was killed meanwhile
                    pass

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.opened.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/hooks"

    def of(self, hook: str) -> list[str]:
        """The ids of all requests of a hook."""
        return [each.id for each in self.received if each.body["hook"] == hook]

    def handle(self, headers: dict[str, str], body: bytes) -> int:
        """What becomes of a request: its status code."""
        if not self._is_genuine({name.lower(): value for name, value in headers.items()}, body):
            self.forged += 1
            return 401
        request = Received(headers["webhook-id"], json.loads(body))
        self.received.append(request)
        self.opened.wait()
        if self.failing:
            self.failing -= 1
            return 500
        if request.id not in self.done:
            self.done.append(request.id)
        return 204

    def _is_genuine(self, headers: dict[str, str], body: bytes) -> bool:
        sent = headers["webhook-timestamp"]
        content = f"{headers['webhook-id']}.{sent}.".encode() + body
        digest = hmac.new(self.key, content, hashlib.sha256).digest()
        expected = f"v1,{base64.b64encode(digest).decode()}"
        is_signed = any(hmac.compare_digest(each, expected) for each in headers["webhook-signature"].split())
        return is_signed and abs(time.time() - int(sent)) < TOLERANCE_SECONDS
