"""64 threads ask who a token is, and nobody knows yet: how many requests reach the Hub?

Two Hubs answer: the embedded one, at once, and one that takes 50 ms, as over a real network,
which is where callers without a single flight pile up.
"""

from __future__ import annotations

import json
import os
import secrets
import statistics
import string
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import hubtoken
from hubtoken.hub import Hub
from measure import Row, isolate, milliseconds, report

if TYPE_CHECKING:
    from collections.abc import Callable

THREADS = 64
ROUNDS = 7
DELAY = 0.05
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


class SlowHub(ThreadingHTTPServer):
    """Answers whoami after a delay, and counts."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), SlowHandler)
        self.count = 0
        self.lock = threading.Lock()

    @property
    def endpoint(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"


class SlowHandler(BaseHTTPRequestHandler):
    """One whoami."""

    server: SlowHub

    def do_GET(self) -> None:
        """Wait, then answer the same to everyone."""
        with self.server.lock:
            self.server.count += 1
        time.sleep(DELAY)
        body = json.dumps(IDENTITY).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


def all_at_once(ask: Callable[[], object]) -> float:
    """Wall time of `THREADS` calls that start together, in milliseconds."""
    together = threading.Barrier(THREADS)

    def one() -> None:
        together.wait()
        ask()

    threads = [threading.Thread(target=one) for _ in range(THREADS)]

    def run() -> None:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return milliseconds(run)


def cold_rounds(
    new_token: Callable[[], str], endpoint: str, count: Callable[[], int]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Median requests and wall time, ours and the peer's; each round has tokens never seen."""
    from huggingface_hub import HfApi

    def ours(value: str) -> Callable[[], object]:
        return lambda: hubtoken.whoami(value, endpoint=endpoint)

    def peers(value: str) -> Callable[[], object]:
        api = HfApi(endpoint=endpoint, token=value)
        return lambda: api.whoami(cache=True)

    requests: list[list[float]] = [[], []]
    walls: list[list[float]] = [[], []]
    for _ in range(ROUNDS):
        for index, make in enumerate((ours, peers)):
            ask = make(new_token())
            before = count()
            walls[index].append(all_at_once(ask))
            requests[index].append(count() - before)
    median = statistics.median
    return (
        (median(requests[0]), median(requests[1])),
        (median(walls[0]), median(walls[1])),
    )


def random_token() -> str:
    """A token in the right form; the slow Hub believes every one."""
    return "hf_" + "".join(secrets.choice(string.ascii_letters) for _ in range(34))


def rows(hub: Hub) -> list[Row]:
    """Both Hubs."""
    hub.create_user("alice")
    quick_requests, _ = cold_rounds(
        lambda: hub.create_token("alice", name=secrets.token_hex(6), role="read").reveal(),
        hub.endpoint,
        lambda: hub.request_count("/api/whoami-v2"),
    )
    slow = SlowHub()
    threading.Thread(target=slow.serve_forever, daemon=True).start()
    slow_requests, slow_walls = cold_rounds(random_token, slow.endpoint, lambda: slow.count)
    slow.shutdown()
    slow.server_close()
    one = "1 request"
    return [
        Row("64 cold threads, embedded Hub", "requests", 1, *quick_requests, one, one),
        Row("64 cold threads, 50 ms Hub", "requests", 1, *slow_requests, one, one),
        Row("64 cold threads, 50 ms Hub", "ms", DELAY * 1e3, *slow_walls, "", "the Hub's answer"),
    ]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        isolate(Path(folder))
        with Hub() as hub:
            os.environ.update(hub.environ())
            report(rows(hub))
