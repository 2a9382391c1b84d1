"""Modules that are executed again: `importlib.reload`, `%autoreload`, an emptied `sys.modules`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.environment import child_environment
from tests.python.helpers import DEADLINE, ROOT

WAYS = ("reload", "cleared", "autoreload", "superreload", "emptied")


@pytest.mark.parametrize("way", WAYS)
def test_everything_works_after_a_reload(home: Path, way: str) -> None:
    program = Path(__file__).parent / "programs" / "reloaded.py"
    done = subprocess.run(
        [sys.executable, str(program), way],
        env=child_environment(home, PYTHONPATH=str(ROOT), IPYTHONDIR=str(home)),
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "done"
    assert "Error" not in done.stdout + done.stderr
