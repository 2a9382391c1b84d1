"""Measures 64 processes that request the same identity, which is not cached, as when a job starts.

Each is a separate interpreter, started and with its library imported before the clock runs. All of
them wait at one pipe and are released when it is closed. The time runs until the last of them has
its answer; none exits before that, since an exiting interpreter occupies a processor for longer
than a request does, and a job's processes keep running.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from measure import Row, isolate, milliseconds, report
from slow_hub import random_token, slow_hub

if TYPE_CHECKING:
    from slow_hub import SlowHub

PROCESSES = 64
ROUNDS = 3
DELAY = 0.05

# The token comes through a pipe, as it should: a command line is visible to every user.
PROGRAM = """
import os, sys
{prepare}
value = sys.stdin.readline().strip()
print("ready", flush=True)
os.read({gate}, 1)
{ask}
print("done", flush=True)
sys.stdin.read()
"""
OURS = ("import hubtoken", "hubtoken.whoami(value, endpoint={endpoint!r})")
PEERS = (
    "from huggingface_hub import HfApi",
    "HfApi(endpoint={endpoint!r}, token=value).whoami(cache=True)",
)


def let_go(library: tuple[str, str], hub: SlowHub) -> tuple[float, float]:
    """How many requests reached the Hub, and how long it took until all had their answer."""
    prepare, ask = library
    gate, opener = os.pipe()
    program = PROGRAM.format(prepare=prepare, gate=gate, ask=ask.format(endpoint=hub.endpoint))
    value, before = random_token(), hub.count
    with ExitStack() as stack:
        children = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", program],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    pass_fds=[gate],
                )
            )
            for _ in range(PROCESSES)
        ]
        lines = [child.stdout for child in children if child.stdout is not None]
        for child in children:
            assert child.stdin is not None
            child.stdin.write(value + "\n")
            child.stdin.flush()
        assert [line.readline() for line in lines] == ["ready\n"] * PROCESSES

        def run() -> None:
            os.close(opener)
            assert [line.readline() for line in lines] == ["done\n"] * PROCESSES

        wall = milliseconds(run)
    os.close(gate)
    return hub.count - before, wall


def rows() -> list[Row]:
    """The libraries take turns, as in all benchmarks."""
    taken: list[list[tuple[float, float]]] = [[], []]
    with slow_hub(DELAY) as hub:
        for _ in range(ROUNDS):
            for index, library in enumerate((OURS, PEERS)):
                taken[index].append(let_go(library, hub))
    counts, walls = (
        [statistics.median(outcome[column] for outcome in rounds) for rounds in taken]
        for column in (0, 1)
    )
    what = f"{PROCESSES} cold processes, 50 ms Hub"
    return [
        Row(what, "requests", 1, counts[0], counts[1], "1 request", "1 request"),
        Row(what, "ms", DELAY * 1e3, walls[0], walls[1], "at most 2 x floor", "the Hub's 50 ms"),
    ]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        isolate(Path(folder))
        report(rows())
