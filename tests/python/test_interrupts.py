"""Ctrl-C reaches the thread in which Python runs signal handlers, whichever that is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from tests.environment import child_environment, fake_token
from tests.python.helpers import DEADLINE, PROGRAMS, ROOT
from tests.python.servers import identity, serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.python.servers import Request


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("case", ["imported", "forked"])
def test_the_main_thread_is_interrupted_whoever_imported_or_forked(
    tmp_path: Path, case: str
) -> None:
    gate = threading.Event()

    def slow(_request: Request) -> bytes:
        gate.wait(DEADLINE)
        return identity()

    with serving(slow) as server:
        child = subprocess.Popen(
            [sys.executable, str(PROGRAMS / "interrupted_elsewhere.py")],
            env=child_environment(tmp_path, PYTHONPATH=str(ROOT)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with child:
            assert child.stdin is not None
            assert child.stdout is not None
            request = {"value": fake_token(), "endpoint": server.endpoint, "case": case}
            child.stdin.write(json.dumps(request) + "\n")
            child.stdin.flush()
            ready, process = child.stdout.readline().split()
            assert ready == "ready"
            assert server.asked.wait(DEADLINE)
            os.kill(int(process), signal.SIGINT)
            # While the Hub still hangs: the interrupt came first.
            assert child.stdout.readline() == "KeyboardInterrupt\n"
            gate.set()
            assert child.wait(DEADLINE) == 0
