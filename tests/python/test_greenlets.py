"""Under gevent, only the greenlet that asks the Hub waits for it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.environment import child_environment, fake_token
from tests.python.helpers import DEADLINE, PROGRAMS, ROOT, answer_of
from tests.python.servers import Request, Server, http, identity, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

GEVENT = importlib.util.find_spec("gevent")

pytestmark = pytest.mark.skipif(GEVENT is None, reason="gevent is not installed")


@pytest.fixture
def server() -> Iterator[Server]:
    """A Hub that answers once somebody has asked for `/release`."""
    released = threading.Event()

    def answer(request: Request) -> bytes:
        if request.path == "/release":
            released.set()
            return http(200)
        released.wait(DEADLINE)
        return identity()

    with serving(answer) as server:
        yield server
        released.set()


def run(server: Server, home: Path, call: str) -> object:
    assert GEVENT is not None
    assert GEVENT.origin is not None
    # It may be installed where only this process looks.
    path = os.pathsep.join([str(ROOT), str(Path(GEVENT.origin).parents[1])])
    request = {"call": call, "endpoint": server.endpoint, "token": fake_token()}
    return answer_of(
        subprocess.run(
            [sys.executable, str(PROGRAMS / "greenlets.py")],
            env=child_environment(home, PYTHONPATH=path),
            cwd=home,
            input=json.dumps(request),
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE,
        )
    )


@pytest.mark.parametrize("call", ["identify", "whoami", "login"])
def test_other_greenlets_run_while_one_asks_the_hub(server: Server, home: Path, call: str) -> None:
    assert run(server, home, call) == "alice"


@pytest.mark.parametrize("call", ["require_role", "require_permission"])
def test_other_greenlets_run_while_a_requirement_is_checked(
    server: Server, home: Path, call: str
) -> None:
    assert run(server, home, call) == "argument"


@pytest.mark.parametrize("call", ["resolve_token", "explain"])
def test_other_greenlets_run_while_a_command_prints_a_token(
    server: Server, home: Path, call: str
) -> None:
    folder = home / "config" / "hubtoken"
    folder.mkdir(parents=True)
    script = home / "broker.py"
    script.write_text(
        "import sys, urllib.request\n"
        "urllib.request.urlopen(sys.argv[1] + '/wait').close()\n"
        "print(open(sys.argv[2]).read())\n"
    )
    # Not in the file, where a token is an error.
    (home / "token.txt").write_text(fake_token())
    command = json.dumps([sys.executable, str(script), server.endpoint, str(home / "token.txt")])
    (folder / "config.toml").write_text(f"token_command = {command}\n")
    assert str(run(server, home, call)).startswith("command")


def test_a_timeout_of_gevent_ends_the_wait(server: Server, home: Path) -> None:
    assert run(server, home, "timeout") == "only this greenlet gave up"
