"""Starts programs that log in by a code, and decides about the code as a user would."""

from __future__ import annotations

import re
import subprocess
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.environment import HANG_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.e2e.support.runner import Runner

USER_CODE = re.compile(r"\b[B-DF-HJ-NP-TV-XZ]{4}-[B-DF-HJ-NP-TV-XZ]{4}\b")


@dataclass(frozen=True)
class Ended:
    """How such a program ended, and what it wrote on both streams."""

    code: int
    shown: str
    user_code: str


def log_in(runner: Runner, command: Sequence[str], decide: Callable[[str], None]) -> Ended:
    """Run a program without a terminal; once it shows its code, hand that over."""
    with subprocess.Popen(
        command,
        env=runner.environment(BROWSER="", PYTHONUNBUFFERED="1"),
        cwd=runner.home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as child:
        assert child.stdout is not None
        timer = threading.Timer(HANG_LIMIT, child.kill)
        timer.start()
        shown = ""
        user_code = ""
        for line in child.stdout:
            shown += line
            found = USER_CODE.search(line)
            if found and not user_code:
                user_code = found[0]
                decide(user_code)
        code = child.wait()
        timer.cancel()
    assert user_code, shown
    return Ended(code, shown, user_code)
