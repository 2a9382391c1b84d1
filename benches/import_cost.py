"""Measures what `import hubtoken` adds to a process: complete processes, started in turns."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import ROUNDS, Row, isolate, milliseconds, report

STATEMENTS = ("pass", "import hubtoken", "from huggingface_hub import get_token")


def start(statement: str) -> None:
    """One interpreter, from start to end."""
    subprocess.run([sys.executable, "-c", statement], check=True, env=os.environ)


def rows() -> list[Row]:
    """The ratios are computed round by round, since the machine's speed drifts."""
    for statement in STATEMENTS:
        start(statement)  # into the page cache, byte code written
    rounds = [
        [milliseconds(lambda s=statement: start(s)) for statement in STATEMENTS]  # type: ignore[misc]
        for _ in range(ROUNDS * 2)
    ]
    bare = statistics.median(taken[0] for taken in rounds)
    return [
        Row(
            what="import, whole process",
            unit="ms",
            floor=bare,
            ours=bare * statistics.median(taken[1] / taken[0] for taken in rounds),
            peer=bare * statistics.median(taken[2] / taken[0] for taken in rounds),
            target="at most 1.15 x floor",
            floor_is="python -c pass",
        )
    ]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        isolate(Path(folder))
        report(rows())
