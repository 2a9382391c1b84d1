"""A server that is not the Hub: another origin, which must never see a token."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from email.message import Message


class _Handler(BaseHTTPRequestHandler):
    """Records the request; responds with 200, or redirects to where its server says."""

    server: OtherServer

    def do_GET(self) -> None:
        self.server.seen.append(self.headers)
        self.send_response(302 if self.server.location else 200)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Log nothing."""


class OtherServer(ThreadingHTTPServer):
    """Records the headers of every request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen: list[Message] = []
        self.location = ""

    @property
    def endpoint(self) -> str:
        """The address that it listens on."""
        return f"http://127.0.0.1:{self.server_port}"
