"""A Hub that accepts every token and responds after a delay, as over a real network.

It runs in this process, or in a separate one: if threads of this process are measured, the Hub's
threads would compete for the same interpreter.
"""

from __future__ import annotations

import json
import secrets
import string
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

IDENTITY = {
    "type": "user",
    "id": "0" * 24,
    "name": "alice",
    "fullname": "Alice",
    "isPro": False,
    "avatarUrl": "/avatars/0.svg",
    "orgs": [],
    "auth": {
        "type": "access_token",
        "accessToken": {
            "displayName": "bench",
            "role": "write",
            "createdAt": "2026-01-02T03:04:05.000Z",
        },
    },
}

# The path that returns how many requests it has received.
COUNT = "/count"


class SlowHub(ThreadingHTTPServer):
    """Answers whoami after some seconds, and counts the requests."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, delay: float) -> None:
        super().__init__(("127.0.0.1", 0), SlowHandler)
        self.delay = delay
        self.count = 0
        self.lock = threading.Lock()

    @property
    def endpoint(self) -> str:
        """The address that it listens on."""
        return f"http://127.0.0.1:{self.server_port}"


class SlowHandler(BaseHTTPRequestHandler):
    """Handles one whoami request."""

    server: SlowHub

    def do_GET(self) -> None:
        """Wait, then give every caller the same response."""
        if self.path == COUNT:
            body = str(self.server.count).encode()
        else:
            with self.server.lock:
                self.server.count += 1
            time.sleep(self.server.delay)
            body = json.dumps(IDENTITY).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Log nothing."""


@contextmanager
def slow_hub(delay: float) -> Iterator[SlowHub]:
    """A running one."""
    hub = SlowHub(delay)
    thread = threading.Thread(target=hub.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join()


class DistantHub:
    """A slow Hub in a separate process."""

    def __init__(self, port: int) -> None:
        self.port = port

    @property
    def endpoint(self) -> str:
        """The address that it listens on."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def count(self) -> int:
        """How many requests reached it."""
        return int(self.request(COUNT))

    def request(self, path: str) -> bytes:
        """Send a minimal request: one connection of the standard library, one request."""
        with closing(HTTPConnection("127.0.0.1", self.port)) as connection:
            connection.request("GET", path)
            return connection.getresponse().read()


@contextmanager
def distant_hub(delay: float) -> Iterator[DistantHub]:
    """A running one in a separate process."""
    with subprocess.Popen(
        [sys.executable, __file__, str(delay)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        yield DistantHub(int(child.stdout.readline()))
        child.stdin.close()


def random_token() -> str:
    """A token in the right format."""
    return "hf_" + "".join(secrets.choice(string.ascii_letters) for _ in range(34))


if __name__ == "__main__":
    with slow_hub(float(sys.argv[1])) as running:
        print(running.server_port, flush=True)
        sys.stdin.read()
