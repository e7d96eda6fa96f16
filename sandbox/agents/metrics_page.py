"""A page for Prometheus to scrape, where an agent is only its counters: in benches and tests."""

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler


def metrics_page(text: Callable[[], str]) -> type[BaseHTTPRequestHandler]:
    """A handler for a server of `http.server`; it answers every GET with the text of that moment."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = text().encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Page
