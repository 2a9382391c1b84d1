"""Measures the check that a server makes for every request: whose token is this? From the cache.

A thousand callers take turns. For two concurrent threads or processes, the result is the time from
one answer to the next of either of them: 10,000 ns are 100,000 checks a second.
"""

from __future__ import annotations

import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import hubtoken
from measure import ROUNDS, Row, isolate, milliseconds, nanoseconds, report
from slow_hub import random_token, slow_hub

if TYPE_CHECKING:
    from collections.abc import Callable

CALLERS = 1_000
# By each of two concurrent threads or processes, per round.
CHECKS = 20_000
WORKERS = 2
PROCESS_ROUNDS = 3


def taking_turns(check: Callable[[str], object], tokens: list[str]) -> Callable[[], object]:
    """One check of the next caller."""
    following = itertools.cycle(tokens).__next__
    return lambda: check(following())


def many(check: Callable[[str], object], tokens: list[str]) -> None:
    """The checks that one of two makes per round."""
    for token in itertools.islice(itertools.cycle(tokens), CHECKS):
        check(token)


def in_threads(check: Callable[[str], object], tokens: list[str]) -> float:
    """Nanoseconds from one answer to the next, with two threads."""
    threads = [threading.Thread(target=many, args=(check, tokens)) for _ in range(WORKERS)]

    def run() -> None:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return milliseconds(run) * 1e6 / (WORKERS * CHECKS)


def in_processes(which: str) -> float:
    """Nanoseconds from one answer to the next, with two processes."""
    children = [
        subprocess.Popen(
            [sys.executable, __file__, which],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(WORKERS)
    ]
    pipes = [(child.stdin, child.stdout) for child in children]
    for _, answers in pipes:
        assert answers is not None
        assert answers.readline() == "ready\n"
    for go, _ in pipes:
        assert go is not None
        go.write("go\n")
        go.flush()
    taken = [float(child.communicate()[0]) for child in children]
    return max(taken) * 1e6 / (WORKERS * CHECKS)


def checks() -> dict[str, Callable[[str], object]]:
    """The checks of the two libraries."""
    from huggingface_hub import HfApi

    api = HfApi()
    return {
        "nothing": lambda token: token,
        "ours": hubtoken.identify,
        "peer": lambda token: api.whoami(token=token, cache=True),
    }


def worker(which: str) -> None:
    """One of two processes: fills its cache, waits for the start, and prints its milliseconds."""
    check = checks()[which]
    tokens = [random_token() for _ in range(CALLERS)]
    for token in tokens:
        check(token)
    print("ready", flush=True)
    sys.stdin.readline()
    print(milliseconds(lambda: many(check, tokens)))


def rows() -> list[Row]:
    """One thread, two threads, two processes."""
    functions = checks()
    tokens = [random_token() for _ in range(CALLERS)]
    for check in functions.values():
        for token in tokens:
            check(token)
    nothing, ours, peer = (taking_turns(check, tokens) for check in functions.values())
    single = nanoseconds(nothing, ours, peer)
    threads: list[list[float]] = [[], [], []]
    processes: list[list[float]] = [[], [], []]
    for number in range(ROUNDS):
        for index, (which, check) in enumerate(functions.items()):
            threads[index].append(in_threads(check, tokens))
            if number < PROCESS_ROUNDS:
                processes[index].append(in_processes(which))
    return [
        row("1 thread", *single),
        row("2 threads", *(statistics.median(times) for times in threads)),
        row("2 processes", *(statistics.median(times) for times in processes)),
    ]


def row(who: str, nothing: float, ours: float, peer: float) -> Row:
    """One line of the table."""
    return Row(
        f"cached bearer check, {who}",
        "ns",
        nothing,
        ours,
        peer,
        "at most 10,000 ns",
        "a Python call that does nothing",
    )


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1] in {"nothing", "ours", "peer"}:
        worker(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as folder, slow_hub(0) as hub:
            isolate(Path(folder))
            os.environ["HF_ENDPOINT"] = hub.endpoint
            report(rows())
