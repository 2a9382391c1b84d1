"""A running, filled Hub for each process, and ways to run real programs against it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import chromium
from hubtoken.hub import Hub
from tests.e2e.support.browsing import Desk
from tests.e2e.support.models import serving_models
from tests.e2e.support.world import World, make_world
from tests.environment import child_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from email.message import Message

PROGRAMS = Path(__file__).parent / "support" / "programs"
SCRIPTS = Path(sys.executable).parent


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The Hub that the tests of this process share."""
    with serving_models() as models, Hub(upstreams={"*": models.url}) as hub:
        yield make_world(hub, tmp_path_factory.mktemp("world"), models)


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    """A Hub and a Chromium, for the tests of the pages in one file."""
    with Hub() as hub, chromium.chromium() as browser:
        yield Desk(hub, browser)


@dataclass(frozen=True)
class Runner:
    """Starts programs in a home of their own, pointed at the Hub."""

    home: Path
    endpoint: str

    def environment(self, **variables: str) -> dict[str, str]:
        """The child's whole environment."""
        return child_environment(self.home, **{"HF_ENDPOINT": self.endpoint, **variables})

    def run(
        self,
        *command: str,
        variables: Mapping[str, str] | None = None,
        stdin: str = "",
        folder: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the virtual environment, or of the system, to its end.

        It runs in the home, or in `folder`.
        """
        local = SCRIPTS / command[0]
        program = str(local) if local.exists() else command[0]
        return subprocess.run(
            [program, *command[1:]],
            env=self.environment(**(variables or {})),
            cwd=folder or self.home,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )

    def program(
        self, name: str, request: object, variables: Mapping[str, str] | None = None
    ) -> Any:
        """Run `programs/<name>.py`: JSON goes in through stdin, JSON comes out as its last line.

        Secrets go in that way too: an argument would be seen by every user of the machine.
        """
        script = str(PROGRAMS / f"{name}.py")
        done = self.run("python", script, variables=variables, stdin=json.dumps(request))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def runner(world: World, home: Path) -> Runner:
    """A runner whose home is this test's."""
    return Runner(home=home, endpoint=world.endpoint)


class _Handler(BaseHTTPRequestHandler):
    """Records what was asked; answers 200, or sends on to where its server says."""

    server: _Server

    def do_GET(self) -> None:
        self.server.seen.append(self.headers)
        self.send_response(302 if self.server.location else 200)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen: list[Message] = []
        self.location = ""

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def make_server() -> Iterator[Any]:
    """Makes servers that are not the Hub: another origin, which must never see a token."""
    servers: list[_Server] = []

    def make(location: str = "") -> _Server:
        server = _Server()
        server.location = location
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return server

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()
