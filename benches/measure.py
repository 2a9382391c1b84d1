"""Shared code of the benchmarks: rounds, medians, and one table.

A single figure means little, since it varies with the machine. Each script therefore measures the
floor (the least that any program would have to do), hubtoken and huggingface_hub in the same run,
in turns, and the ratios are what is quoted. Nothing here fails because of a time.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
import timeit
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

# One call is too short to be timed: a round is as many calls as fill this many seconds.
ROUND_SECONDS = 0.05
ROUNDS = 15


@dataclass(frozen=True)
class Row:
    """One measurement: three medians and the target; huggingface_hub may have no equivalent."""

    what: str
    unit: str
    floor: float
    ours: float
    peer: float | None
    target: str
    floor_is: str

    @property
    def over_floor(self) -> float:
        """How many times as long as the floor hubtoken takes."""
        return self.ours / self.floor

    @property
    def peer_over_ours(self) -> float | None:
        """How many times as long as hubtoken huggingface_hub takes."""
        return None if self.peer is None else self.peer / self.ours


def isolate(folder: Path) -> None:
    """Use `folder` as home, so that no token, cache or configuration of the user has an effect."""
    for name in [name for name in os.environ if name.startswith(("HF_", "HUGGING", "HUBTOKEN"))]:
        del os.environ[name]
    os.environ.update(
        {
            "DO_NOT_TRACK": "1",
            "HF_HOME": str(folder / "huggingface"),
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "XDG_CONFIG_HOME": str(folder / "config"),
        }
    )
    os.chdir(folder)


def nanoseconds(
    floor: Callable[[], object], ours: Callable[[], object], peer: Callable[[], object]
) -> tuple[float, float, float]:
    """The median time of one call of each function; they take turns, round by round."""
    functions = (floor, ours, peer)
    numbers = []
    for function in functions:
        function()  # the first call fills caches
        number, taken = timeit.Timer(function).autorange()
        numbers.append(max(1, round(number * ROUND_SECONDS / taken)))
    rounds: list[list[float]] = [[] for _ in functions]
    for _ in range(ROUNDS):
        for times, function, number in zip(rounds, functions, numbers, strict=True):
            taken = timeit.timeit(function, number=number)
            times.append(taken / number * 1e9)
    first, second, third = (statistics.median(times) for times in rounds)
    return first, second, third


def milliseconds(function: Callable[[], object]) -> float:
    """The time of one call."""
    start = time.perf_counter()
    function()
    return (time.perf_counter() - start) * 1e3


HEADINGS = ("", "unit", "floor", "hubtoken", "huggingface_hub", "x floor", "x faster", "target")


def cells(row: Row) -> tuple[str, ...]:
    """A row as text."""
    return (
        row.what,
        row.unit,
        f"{row.floor:,.1f}",
        f"{row.ours:,.1f}",
        "" if row.peer is None else f"{row.peer:,.1f}",
        f"{row.over_floor:.2f}",
        "" if row.peer_over_ours is None else f"{row.peer_over_ours:.1f}",
        row.target,
    )


def table(rows: Iterable[Row]) -> str:
    """Rows side by side, with a description of each floor below."""
    rows = list(rows)
    lines = [HEADINGS, *(cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    text = []
    for line in lines:
        first, unit, *numbers, target = line
        aligned = [first.ljust(widths[0]), unit.ljust(widths[1])]
        aligned += [cell.rjust(width) for cell, width in zip(numbers, widths[2:-1], strict=True)]
        text.append("  ".join([*aligned, target]).rstrip())
    text.append("")
    text += [f"floor of {row.what}: {row.floor_is}" for row in rows]
    return "\n".join(text)


def report(rows: list[Row]) -> None:
    """Print the table, or with `--json` the rows, which `run.py` reads."""
    if "--json" in sys.argv[1:]:
        print(json.dumps([asdict(row) for row in rows]))
    else:
        print(table(rows))
