"""An agent of few lines that keeps the contract, apart from one fault that a test plants."""

import json
import sys
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from agentrollouts_agent import Bundle, StartError, load
from agentrollouts_agent.identity import Identity


def start(folder: str, fault: str) -> Bundle:
    """Load the bundle, or do with a wrong one what the fault says."""
    try:
        return load(folder)
    except StartError:
        match fault:
            case "trusts":
                name = json.loads((Path(folder) / "release.json").read_text())["name"]
                return Bundle(Identity("support-agent", name, "4.2.0", "sha256:0"), {})
            case "hangs":
                time.sleep(600)
            case "quiet":
                sys.exit(0)
        raise


def serve(folder: str, port: int, calls: str, fault: str) -> None:
    """Answer until the process is ended."""
    identity = start(folder, fault).identity

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if fault == "rereads":
                try:
                    load(folder)
                except StartError:
                    return self.respond(500, "")
            if self.path == "/metrics":
                label = 'release="support-agent-9"' if fault == "labels" else 'outcome="completed"'
                return self.respond(200, f"agent_runs_total{{{label}}} 1\n")
            if self.path != "/healthz":
                return self.respond(404, "")
            call(calls, {} if fault == "untied" else identity.call_headers())
            fields = {} if fault == "mute" else identity.log_fields()
            sys.stdout.write(json.dumps({"message": "answered", **fields}) + "\n")
            sys.stdout.flush()
            return self.respond(200, "ok")

        def respond(self, status: int, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(text)))
            for name, value in identity.headers().items():
                if fault != "nameless" or status == 200:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Nothing."""

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


def call(url: str, headers: dict[str, str]) -> None:
    """A call to a model, which is refused; none without a URL."""
    if not url:
        return
    try:
        urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10).close()  # noqa: S310 ours
    except urllib.error.HTTPError as error:
        error.close()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4])
