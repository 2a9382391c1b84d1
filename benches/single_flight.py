"""Measures 64 threads that request the same identity, which is not cached.

The rows also show how many requests are sent. There are two Hubs: the embedded one, which responds
at once, and one that takes 50 ms, as over a real network, which is where callers without request
coalescing pile up. The second is a separate process, as every real Hub is: in this one it would
compete with the 64 threads.

The threads are started before the clock runs. They wait at a barrier, and the time runs from its
opening until the last of them has its answer. A second time includes the start and the end of the
threads. The floor is one plain request of the standard library, by one thread, to the same Hub. How
much the threads themselves take is shown by the same 64 threads when each of them only sleeps for
50 ms, and when all of them wait for one Python event that is set after 50 ms.
"""

from __future__ import annotations

import os
import secrets
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import hubtoken
from hubtoken.hub import Hub
from measure import Row, isolate, milliseconds, report
from slow_hub import distant_hub, random_token

if TYPE_CHECKING:
    from collections.abc import Callable

THREADS = 64
ROUNDS = 7
DELAY = 0.05


def all_at_once(ask: Callable[[], object]) -> tuple[float, float]:
    """The time from the release of `THREADS` threads until all have called, in milliseconds.

    And the time that includes the start and the end of the threads.
    """
    opened: list[float] = []
    ended: list[float] = []
    together = threading.Barrier(THREADS, lambda: opened.append(time.perf_counter()))

    def one() -> None:
        together.wait()
        ask()
        ended.append(time.perf_counter())

    threads = [threading.Thread(target=one) for _ in range(THREADS)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ended) == THREADS, "each has its answer"
    return (max(ended) - opened[0]) * 1e3, (time.perf_counter() - started) * 1e3


def waited_for_one_event() -> float:
    """The same time if all threads wait for one event, which is set after the Hub's delay."""
    answered = threading.Event()
    asked = threading.Event()

    def hub() -> None:
        asked.wait()
        time.sleep(DELAY)
        answered.set()

    def ask() -> None:
        asked.set()
        answered.wait()

    thread = threading.Thread(target=hub)
    thread.start()
    wall, _ = all_at_once(ask)
    thread.join()
    return wall


def cold_rounds(
    new_token: Callable[[], str], endpoint: str, count: Callable[[], int]
) -> tuple[tuple[float, float], tuple[float, float], tuple[float, float]]:
    """Median requests and both wall times, ours and the peer's; each round has new tokens."""
    from huggingface_hub import HfApi

    def ours(value: str) -> Callable[[], object]:
        return lambda: hubtoken.whoami(value, endpoint=endpoint)

    def peers(value: str) -> Callable[[], object]:
        api = HfApi(endpoint=endpoint, token=value)
        return lambda: api.whoami(cache=True)

    requests: list[list[float]] = [[], []]
    walls: list[list[tuple[float, float]]] = [[], []]
    for _ in range(ROUNDS):
        for index, make in enumerate((ours, peers)):
            ask = make(new_token())
            before = count()
            walls[index].append(all_at_once(ask))
            requests[index].append(count() - before)
    median = statistics.median
    return (
        (median(requests[0]), median(requests[1])),
        (median(wall for wall, _ in walls[0]), median(wall for wall, _ in walls[1])),
        (median(whole for _, whole in walls[0]), median(whole for _, whole in walls[1])),
    )


def rows(hub: Hub) -> list[Row]:
    """Both Hubs."""
    hub.create_user("alice")
    quick_requests, *_ = cold_rounds(
        lambda: hub.create_token("alice", name=secrets.token_hex(6), role="read").reveal(),
        hub.endpoint,
        lambda: hub.request_count("/api/whoami-v2"),
    )
    with distant_hub(DELAY) as slow:
        slow_requests, slow_walls, slow_wholes = cold_rounds(
            random_token, slow.endpoint, lambda: slow.count
        )
        plain = statistics.median(
            milliseconds(lambda: slow.request("/api/whoami-v2")) for _ in range(ROUNDS)
        )
    asleep = [all_at_once(lambda: time.sleep(DELAY)) for _ in range(ROUNDS)]
    sleeping = statistics.median(wall for wall, _ in asleep)
    whole_sleeping = statistics.median(whole for _, whole in asleep)
    waiting = statistics.median(waited_for_one_event() for _ in range(ROUNDS))
    one, what = "1 request", "64 cold threads, 50 ms Hub"
    request = "one plain request to the same Hub, by one thread"
    return [
        Row("64 cold threads, embedded Hub", "requests", 1, *quick_requests, one, one),
        Row(what, "requests", 1, *slow_requests, one, one),
        Row(what, "ms", plain, *slow_walls, "at most 1.15 x floor", request),
        Row("64 threads that sleep 50 ms", "ms", DELAY * 1e3, sleeping, None, "", "50 ms"),
        Row("64 threads and an event", "ms", DELAY * 1e3, waiting, None, "", "50 ms"),
        Row(f"{what}, with their start", "ms", plain, *slow_wholes, "", request),
        Row("sleeping, with their start", "ms", DELAY * 1e3, whole_sleeping, None, "", "50 ms"),
    ]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        isolate(Path(folder))
        with Hub() as hub:
            os.environ.update(hub.environ())
            report(rows(hub))
