"""The example of administration in `docs/command-line.md`, pasted into a shell as it is."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.environment import HANG_LIMIT, child_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT = Path(__file__).parents[3] / "docs" / "command-line.md"
PORT = "8080"
# Stops at the first line that fails, and never leaves a Hub behind.
BEFORE = "set -e\ntrap 'kill $! && wait' EXIT\n"


def examples() -> list[str]:
    """The shell's blocks of the section on administration."""
    text = DOCUMENT.read_text(encoding="utf-8")
    section = text.split("\n## Administering a Hub\n")[1].split("\n## ")[0]
    return re.findall(r"^```bash\n(.*?)^```", section, re.MULTILINE | re.DOTALL)


@pytest.fixture
def free_port() -> Iterator[str]:
    """A port that nothing listens on: kept by a socket that does not, until the Hub does."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield str(held.getsockname()[1])


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_it_works_when_it_is_pasted_as_a_whole(shell: str, home: Path, free_port: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    programs = home / "bin"
    programs.mkdir()
    command = programs / "hubtoken"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m hubtoken "$@"\n')
    command.chmod(0o755)
    script = BEFORE + "".join(examples()).replace(PORT, free_port)
    environment = child_environment(home)
    environment["PATH"] = f"{programs}:{environment['PATH']}"
    done = subprocess.run(
        [shell],
        input=script,
        env=environment,
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG_LIMIT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "alice" in done.stdout
    assert "fine-grained" in done.stdout
    assert re.search(r"lab .*pending|pending.* lab", done.stdout), done.stdout
    assert "approval.revoke" in done.stdout
    # A value is only ever assigned to a variable.
    assert not re.search(r"hf_[A-Za-z0-9]{20}", done.stdout + done.stderr)
