"""A guarded git server: the minimum that `git ls-remote` needs, served for the right key.

It implements the older of git's protocols over HTTP, in which a file lists the references.
"""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REFERENCES = f"{'1' * 40}\trefs/heads/main\n"
FILES = {"info/refs": REFERENCES, "HEAD": "ref: refs/heads/main\n"}


class GuardedServer(ThreadingHTTPServer):
    """Serves requests that carry `key` as `Authorization`; all others get `challenge`."""

    daemon_threads = True

    def __init__(self, challenge: str, key: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.challenge = challenge
        self.key = key
        self.presented: list[str | None] = []

    @property
    def endpoint(self) -> str:
        """The address that it listens on."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: GuardedServer

    def do_GET(self) -> None:
        """Serve a file, or require the key."""
        presented = self.headers["Authorization"]
        self.server.presented.append(presented)
        path = self.path.partition("?")[0].partition(".git/")[2]
        if presented != self.server.key:
            self._answer(401, "", ("WWW-Authenticate", self.server.challenge))
        elif path in FILES:
            self._answer(200, FILES[path], ("Content-Type", "text/plain"))
        else:
            self._answer(404, "", ("Content-Type", "text/plain"))

    def _answer(self, status: int, text: str, header: tuple[str, str]) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header(*header)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Log nothing."""
