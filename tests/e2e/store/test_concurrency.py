"""Many processes at once, hubtoken's and `huggingface_hub`'s, in one store."""

from __future__ import annotations

import configparser
import json
import os
import tempfile
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import pytest

from tests.e2e.support.runner import Runner
from tests.environment import fake_token

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the processes are forked")

OURS, REFRESHING = 70, 30
BESIDE_ONE = 30


class _Handler(BaseHTTPRequestHandler):
    """A Hub's whoami, and its refresh with single-use refresh tokens."""

    server: _Hub
    protocol_version = "HTTP/1.1"

    def answer(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        value = (self.headers["Authorization"] or "").removeprefix("Bearer ")
        access = {"displayName": f"name-{value[-8:]}", "role": "read"}
        auth = {"type": "access_token", "accessToken": access}
        self.answer(200, {"type": "user", "name": "alice", "auth": auth, "orgs": []})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        asked = parse_qs(body)["refresh_token"][0]
        with self.server.lock:
            if asked != self.server.refresh:
                self.server.rejected += 1
                self.answer(400, {"error": "invalid_grant", "error_description": "used"})
                return
            self.server.renew()
            answer = {
                "access_token": self.server.token,
                "refresh_token": self.server.refresh,
                "expires_in": 60,
            }
        self.answer(200, answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


class _Hub(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lock = threading.Lock()
        self.renewals = -1
        self.rejected = 0
        self.renew()

    def renew(self) -> None:
        self.renewals += 1
        self.token = f"hf_oauth_{fake_token()[3:]}"
        self.refresh = f"hf_oauth__refresh_{fake_token()[3:]}"

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def refreshing_hub() -> Iterator[_Hub]:
    hub = _Hub()
    thread = threading.Thread(target=hub.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()


@pytest.fixture
def quick_home() -> Iterator[Path]:
    """A home in memory if possible: a slow disk would keep many processes waiting too long."""
    memory = Path("/dev/shm")  # noqa: S108 - a separate folder in it
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as home:
        yield Path(home)


def stored(home: Path) -> configparser.ConfigParser:
    """The file as `huggingface_hub` reads it; an error if it cannot."""
    parser = configparser.ConfigParser(interpolation=None)
    path = home / "huggingface" / "stored_tokens"
    parser.read_string(path.read_text(encoding="utf-8"))
    return parser


def name_of(value: str) -> str:
    return f"name-{value[-8:]}"


def test_a_hundred_processes_and_a_refresh_lose_nothing(quick_home: Path) -> None:
    home = quick_home
    with refreshing_hub() as hub:
        runner = Runner(home=home, endpoint=hub.endpoint)
        pairs = [(fake_token(), fake_token()) for _ in range(OURS)]
        oauth = {"token": hub.token, "refresh": hub.refresh}
        request = {"hubtoken": pairs, "refreshing": REFRESHING, "oauth": oauth}
        answer = runner.program("crowd", request)
        assert answer == {"processes": OURS + REFRESHING}
        parser = stored(home)
        expected = {name_of(lasting): lasting for _, lasting in pairs}
        assert set(parser.sections()) == {*expected, "oauth-alice"}
        assert all(parser[name]["hf_token"] == value for name, value in expected.items())
        # The Hub's next refresh token; none was used twice.
        assert hub.renewals > 0
        assert hub.rejected == 0
        assert parser["oauth-alice"]["refresh_token"] == hub.refresh
        assert parser["oauth-alice"]["hf_token"] == hub.token
        token = (home / "huggingface" / "token").read_text(encoding="utf-8")
        assert token == hub.token
    left = {path.name for path in (home / "huggingface").iterdir() if path.is_file()}
    known = {"token", "stored_tokens", "stored_tokens.lock", "hubtoken_endpoints.json"}
    assert left - {".agent_harnesses.json"} == known


def test_beside_a_writer_that_takes_no_lock_the_files_stay_valid(quick_home: Path) -> None:
    home = quick_home
    with refreshing_hub() as hub:
        runner = Runner(home=home, endpoint=hub.endpoint)
        pairs = [(fake_token(), fake_token()) for _ in range(BESIDE_ONE)]
        careless = [fake_token() for _ in range(5)]
        answer = runner.program("crowd", {"hubtoken": pairs, "careless": careless})
        assert answer == {"processes": BESIDE_ONE + 1}
    values = {*careless, *(value for pair in pairs for value in pair)}
    parser = stored(home)
    assert {parser[name]["hf_token"] for name in parser.sections()} <= values
    assert (home / "huggingface" / "token").read_text(encoding="utf-8") in values
    assert not list(home.rglob("*.broken-*"))
    assert not list(home.rglob("*.hubtoken-new"))
