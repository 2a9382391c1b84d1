"""64 threads ask who a token is, and nobody knows yet: how many requests reach the Hub?

Two Hubs answer: the embedded one, at once, and one that takes 50 ms, as over a real network,
which is where callers without a single flight pile up.
"""

from __future__ import annotations

import os
import secrets
import statistics
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import hubtoken
from hubtoken.hub import Hub
from measure import Row, isolate, milliseconds, report
from slow_hub import random_token, slow_hub

if TYPE_CHECKING:
    from collections.abc import Callable

THREADS = 64
ROUNDS = 7
DELAY = 0.05


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


def rows(hub: Hub) -> list[Row]:
    """Both Hubs."""
    hub.create_user("alice")
    quick_requests, _ = cold_rounds(
        lambda: hub.create_token("alice", name=secrets.token_hex(6), role="read").reveal(),
        hub.endpoint,
        lambda: hub.request_count("/api/whoami-v2"),
    )
    with slow_hub(DELAY) as slow:
        slow_requests, slow_walls = cold_rounds(random_token, slow.endpoint, lambda: slow.count)
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
