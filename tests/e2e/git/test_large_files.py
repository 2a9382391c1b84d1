"""`benches/large_files.py` runs, with smaller files than it measures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.environment import child_environment

PROGRAM = Path(__file__).parents[3] / "benches" / "large_files.py"


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="it asks Linux for memory")
def test_every_part_is_measured(home: Path) -> None:
    little = ("--megabytes=3", "--clients=2", "--files=20")
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *little],
        env=child_environment(home),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    parts = [line[:44].strip() for line in done.stdout.splitlines()]
    assert parts == [
        "LFS upload of 3 MB",
        "LFS download of 3 MB",
        "git push of 3 MB",
        "download of it, out of a pack",
        "the last megabyte of it",
        "git clone of it",
        "2 downloads of 20 MB at once",
        "commit of 20 files",
        "snapshot of 20 files",
    ]
