"""A malicious site that attacks the Hub's pages, and names that are markup."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MARKUP = "<script>window.owned = 1</script><img src=x onerror='window.owned = 1'>"


class _Handler(BaseHTTPRequestHandler):
    server: _Site

    def do_GET(self) -> None:
        body = self.server.page.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Log nothing."""


class _Site(ThreadingHTTPServer):
    daemon_threads = True
    page = ""


@contextmanager
def another_site(page: str) -> Iterator[int]:
    """A malicious site with one page; its port."""
    with _Site(("127.0.0.1", 0), _Handler) as site:
        site.page = f"<!doctype html><title>elsewhere</title>{page}"
        threading.Thread(target=site.serve_forever, daemon=True).start()
        try:
            yield site.server_port
        finally:
            site.shutdown()


def foreign_form(action: str, **fields: str) -> str:
    """A form that looks harmless."""
    inputs = "".join(f'<input name="{name}" value="{value}">' for name, value in fields.items())
    return f'<form method="post" action="{action}">{inputs}<button>Win a prize</button></form>'
