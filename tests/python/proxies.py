"""Proxies that speak SOCKS 4, 4a and 5, or CONNECT, and record their requests.

All connections end at one server on this machine, whatever host is requested: a client that reaches
it has used the proxy, since its endpoint's name is unknown everywhere else.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import socketserver
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

# Guards against a test that never ends; it measures nothing.
DEADLINE = 60.0


class Proxy(socketserver.ThreadingTCPServer):
    """Listens on a free port of this machine."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, target: int, **behavior: Any) -> None:
        """Listen; `target` is the port on this machine that all connections end at."""
        self.target = target
        # The requests: the protocol, the host as it was written, the port.
        self.asked: list[tuple[str, str, int]] = []
        self.connections = 0
        # The required user and password.
        self.credentials: tuple[str, str] | None = behavior.get("credentials")
        # A response in place of a connection.
        self.refusal: bytes | None = behavior.get("refusal")
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.server_address[1]}"

    def get_request(self) -> tuple[socket.socket, Any]:
        """Count the connection."""
        self.connections += 1
        return super().get_request()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log nothing: some tests are about clients that disconnect."""


class _Handler(socketserver.BaseRequestHandler):
    server: Proxy

    def handle(self) -> None:
        first = self.take(1)
        if first == b"\x05":
            self.socks5()
        elif first == b"\x04":
            self.socks4()
        else:
            self.connect(first)

    def take(self, count: int) -> bytes:
        taken = b""
        while len(taken) < count:
            more = self.request.recv(count - len(taken))
            if not more:
                raise ConnectionError
            taken += more
        return taken

    def until(self, end: bytes) -> bytes:
        taken = b""
        while not taken.endswith(end):
            taken += self.take(1)
        return taken.removesuffix(end)

    def socks5(self) -> None:
        methods = self.take(self.take(1)[0])
        if self.server.credentials is None:
            self.request.sendall(b"\x05\x00")
        elif 2 in methods:
            self.request.sendall(b"\x05\x02")
            self.take(1)
            given = tuple(self.take(self.take(1)[0]).decode() for _ in range(2))
            accepted = given == self.server.credentials
            self.request.sendall(b"\x01\x00" if accepted else b"\x01\x01")
            if not accepted:
                return
        else:
            self.request.sendall(b"\x05\xff")
            return
        self.take(3)
        kind = self.take(1)[0]
        if kind == 3:
            host = self.take(self.take(1)[0]).decode()
        else:
            host = str(ipaddress.ip_address(self.take(4 if kind == 1 else 16)))
        self.server.asked.append(("socks5", host, int.from_bytes(self.take(2), "big")))
        if self.server.refusal is not None:
            self.request.sendall(self.server.refusal)
            return
        self.request.sendall(b"\x05\x00\x00\x01" + bytes(6))
        self.relay()

    def socks4(self) -> None:
        self.take(1)
        port = int.from_bytes(self.take(2), "big")
        address = self.take(4)
        self.until(b"\x00")
        named = address[:3] == b"\x00\x00\x00" and address[3] != 0
        host = self.until(b"\x00").decode() if named else str(ipaddress.ip_address(address))
        self.server.asked.append(("socks4", host, port))
        if self.server.refusal is not None:
            self.request.sendall(self.server.refusal)
            return
        self.request.sendall(b"\x00\x5a" + bytes(6))
        self.relay()

    def connect(self, first: bytes) -> None:
        head = (first + self.until(b"\r\n\r\n")).decode("latin-1")
        host, _, port = head.split()[1].rpartition(":")
        self.server.asked.append(("http", host, int(port)))
        if self.server.refusal is not None:
            self.request.sendall(self.server.refusal)
            return
        self.request.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        self.relay()

    def relay(self) -> None:
        with socket.create_connection(("127.0.0.1", self.server.target)) as other:
            back = threading.Thread(target=_pour, args=(other, self.request), daemon=True)
            back.start()
            _pour(self.request, other)
            back.join(DEADLINE)


def _pour(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def proxying(target: int, **behavior: Any) -> Iterator[Proxy]:
    """A running proxy; see `Proxy`."""
    proxy = Proxy(target, **behavior)
    thread = threading.Thread(target=proxy.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join(DEADLINE)
