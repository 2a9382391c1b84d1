"""Servers that are not a Hub: they respond as the test says, usually badly, and record requests.

A server's behavior is a function from a request to the bytes that are sent back, so that a test
can send what no HTTP library would: half a response, none at all, junk for headers.
"""

from __future__ import annotations

import json
import socketserver
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.environment import HANG_LIMIT

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

DEADLINE = HANG_LIMIT


@dataclass(frozen=True)
class Request:
    """A request that was received."""

    path: str
    headers: dict[str, str]
    body: bytes = b""

    @property
    def authorization(self) -> str | None:
        """The `Authorization` header."""
        return self.headers.get("authorization")


def http(
    status: int, body: bytes | str = b"", *, length: int | None = None, **headers: str
) -> bytes:
    """A complete response; `length` is what it claims, `_` in a header's name stands for `-`."""
    content = body.encode() if isinstance(body, str) else body
    lines = [
        f"HTTP/1.1 {status} Whatever",
        f"Content-Length: {len(content) if length is None else length}",
    ]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines += ["Connection: close", "", ""]
    return "\r\n".join(lines).encode("utf-8") + content


def identity(user: str = "alice", role: str = "write", **more: object) -> bytes:
    """The response of a Hub that accepts the token."""
    body: dict[str, Any] = {
        "type": "user",
        "name": user,
        "auth": {"type": "access_token", "accessToken": {"displayName": "ci", "role": role}},
    }
    return http(200, json.dumps(body | more), Content_Type="application/json")


class Server(socketserver.ThreadingTCPServer):
    """Listens on a free port of this machine. `behavior` may be replaced at any time."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, behavior: Callable[[Request], bytes]) -> None:
        """Listen; `serve_forever` answers."""
        self.behavior = behavior
        self.requests: list[Request] = []
        self.connections = 0
        # Whether the connection stays open and silent after a response.
        self.lingers = False
        self.asked = threading.Event()
        self.closing = threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def endpoint(self) -> str:
        """The address that it listens on."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def hang(self, _request: Request) -> bytes:
        """A behavior: no response until the server is closed."""
        self.closing.wait(DEADLINE)
        return b""

    def get_request(self) -> tuple[socket.socket, Any]:
        """Count the connection, even if no request is sent on it."""
        self.connections += 1
        return super().get_request()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log nothing: some tests are about clients that disconnect."""


class _Handler(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        line = self.rfile.readline().decode("latin-1").split()
        headers = {}
        while text := self.rfile.readline().decode("latin-1").strip():
            name, _, value = text.partition(":")
            headers[name.lower()] = value.strip()
        body = self.rfile.read(int(headers.get("content-length", 0)))
        request = Request(line[1] if len(line) > 1 else "", headers, body)
        self.server.requests.append(request)
        self.server.asked.set()
        self.wfile.write(self.server.behavior(request))
        if self.server.lingers:
            self.server.closing.wait(DEADLINE)


@contextmanager
def serving(behavior: Callable[[Request], bytes] | bytes) -> Iterator[Server]:
    """A running server; if `behavior` is bytes, they are the response to every request."""
    answer = behavior
    server = Server((lambda _: answer) if isinstance(answer, bytes) else answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join(DEADLINE)


@contextmanager
def hanging() -> Iterator[Server]:
    """A server that accepts requests and never responds."""
    with serving(b"") as server:
        server.behavior = server.hang
        yield server
