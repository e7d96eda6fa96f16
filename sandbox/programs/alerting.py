"""Alertmanager, and someone who is notified: a webhook that keeps what it gets.

No stack starts it by itself. A test that wants it adds it: `stack.add_process(NAME, command(...), ...)`.
"""

import functools
import json
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import yaml

from sandbox.isolation import namespace
from sandbox.programs import web

NAME: Final = "alertmanager"
URL: Final = f"http://{namespace.ADDRESSES[0]}:9093"
healthy: Final = functools.partial(web.answers, f"{URL}/-/ready")


def command(program: Path, folder: Path, receiver: str) -> Sequence[str | Path]:
    """Alertmanager with one receiver; each alert is a group of its own, and repeats come after hours.

    Args:
        program: the Alertmanager.
        folder: for its configuration and data.
        receiver: address of the webhook.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "alertmanager.yaml"
    route = {
        "receiver": "sink",
        "group_by": ["..."],
        "group_wait": "200ms",
        "group_interval": "1s",
        "repeat_interval": "4h",
    }
    hook = {"url": receiver, "send_resolved": True, "max_alerts": 0}
    receivers = [{"name": "sink", "webhook_configs": [hook]}]
    config.write_text(yaml.safe_dump({"route": route, "receivers": receivers}))
    return [
        program,
        f"--config.file={config}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address={URL.removeprefix('http://')}",
        "--cluster.listen-address=",
    ]


class Sink:
    """A webhook on loopback; `notifications` has all that it got, oldest first."""

    def __init__(self) -> None:
        self._got: list[dict[str, Any]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, self._got))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def notifications(self) -> list[dict[str, Any]]:
        """The alerts in all messages, each as Alertmanager sent it: status, labels, annotations."""
        return [alert for message in list(self._got) for alert in message["alerts"]]


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, got: list[dict[str, Any]], *args: Any) -> None:  # noqa: ANN401 of the base class
        self._got = got
        super().__init__(*args)

    def do_POST(self) -> None:
        """Keep a message."""
        self._got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""
