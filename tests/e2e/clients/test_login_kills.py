"""`kill -9` of a client at random points of a login and of a renewal: no login is lost.

Between the client and the Hub is a relay that kills the client at the request of a number: before
the Hub has it, once the Hub has answered, or a moment after the client has the answer, while it
writes its files. `TEST_CRASHES` sets how often.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.e2e.support import logins
from tests.e2e.support.served import Served
from tests.environment import HANG_LIMIT, child_environment
from tests.python.helpers import ROOT, leaks
from tests.python.servers import http as response
from tests.python.servers import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.support.served import Connection
    from tests.python.servers import Request, Server

KILLS = int(os.environ.get("TEST_CRASHES", "10"))
HOUR = 60 * 60
START = 1_800_000_000
POINTS = ("before the Hub", "after the Hub", "after the answer")
# The longest time between the answer and the kill, in seconds: the files are written by then.
LONGEST = 0.02

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")


class Site:
    """A Hub with a clock, a relay to it, and a home."""

    def __init__(self, home: Path, hub: Served, clock: Path, server: Server) -> None:
        """Nothing is killed yet."""
        self.home, self.hub, self.clock, self.server = home, hub, clock, server
        self.admin: Connection = hub.connect()
        self.chance = random.Random(15)  # noqa: S311 - a time, not a secret
        self.spread: Counter[str] = Counter()
        self.victim: subprocess.Popen[str] | None = None
        self.known = threading.Event()
        self.left, self.point = 0, POINTS[0]
        self.set_time(0)

    def set_time(self, hours: int) -> None:
        """The time of the Hub and of its clients."""
        self.now = START + hours * HOUR
        self.clock.write_text(str(self.now * 1000))

    def forward(self, request: Request) -> bytes:
        """The Hub's answer. A code is approved before the client sees it."""
        address = urlsplit(self.hub.endpoint)
        assert address.hostname is not None
        hub = http.client.HTTPConnection(address.hostname, address.port or 80, timeout=HANG_LIMIT)
        kept = ("authorization", "content-type")
        headers = {name: request.headers[name] for name in kept if name in request.headers}
        hub.request("POST" if request.body else "GET", request.path, request.body, headers)
        answer = hub.getresponse()
        body = answer.read()
        hub.close()
        if request.path == "/oauth/device":
            code = json.loads(body) | {"interval": 0}
            admin = self.hub.connect()
            logins.approve(admin, code["user_code"])
            admin.close()
            body = json.dumps(code).encode()
        return response(answer.status, body, Content_Type=answer.headers["Content-Type"])

    def relay(self, request: Request) -> bytes:
        """Answer, and kill the client at its point."""
        assert self.known.wait(HANG_LIMIT)
        self.left -= 1
        if self.left == 0 and self.point == "before the Hub":
            self.kill()
        answer = self.forward(request)
        if self.left == 0 and self.point == "after the Hub":
            self.kill()
        if self.left == 0 and self.point == "after the answer":
            threading.Timer(self.chance.uniform(0, LONGEST), self.kill).start()
        return answer

    def kill(self) -> None:
        """Kill the client."""
        assert self.victim is not None
        self.victim.send_signal(signal.SIGKILL)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """The command, without a terminal."""
        variables = {
            "BROWSER": "",
            "HF_ENDPOINT": self.server.endpoint,
            "HUBTOKEN_TEST_CLOCK": str(self.clock),
            "PYTHONPATH": str(ROOT),
        }
        return subprocess.Popen(
            [sys.executable, "-m", "hubtoken", *arguments],
            env=child_environment(self.home, **variables),
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run_killed(self, requests: int, *arguments: str) -> None:
        """Run it, and kill it at a random point of one of its first requests."""
        self.point = self.chance.choice(POINTS)
        self.left = self.chance.randint(1, requests)
        self.known.clear()
        self.victim = self.start(*arguments)
        self.known.set()
        self.victim.communicate(timeout=HANG_LIMIT)
        code = self.victim.returncode
        assert code in (0, -signal.SIGKILL), code
        self.spread[f"{self.point}: {'killed' if code else 'done'}"] += 1

    def run(self, *arguments: str) -> str:
        """Run it to its end."""
        self.left = 0
        self.known.set()
        done = self.start(*arguments)
        said, error = done.communicate(timeout=HANG_LIMIT)
        assert done.returncode == 0, error
        return said.strip()

    def stored(self) -> dict[str, str]:
        """What the home has of the login; empty without one."""
        path = self.home / "huggingface" / "stored_tokens"
        if not path.exists():
            return {}
        lines = [
            line.partition(" = ")[::2] for line in path.read_text().splitlines() if " = " in line
        ]
        return dict(lines)


@pytest.fixture(name="site")
def make_site(home: Path, tmp_path: Path) -> Iterator[Site]:
    clock = tmp_path / "clock"
    clock.write_text(str(START * 1000))
    lifetime = ("--access-token-lifetime", str(8 * HOUR))
    with (
        Served(home, tmp_path / "data", *lifetime, HUBTOKEN_TEST_CLOCK=str(clock)) as hub,
        serving(lambda request: site.relay(request)) as server,  # noqa: PLW0108 - not there yet
    ):
        site = Site(home, hub, clock, server)
        site.admin.admin("POST", "users", {"name": "alice"})
        yield site


def test_a_renewal_that_is_killed_loses_nothing(site: Site) -> None:
    logins.store(site.home, logins.log_in(site.admin), site.now)
    for number in range(KILLS):
        site.set_time(7 * (number + 1))
        site.run_killed(1, "token")
        before = site.stored()
        value = site.run("token")
        assert site.admin.status(value) == 200, (number, site.spread)
        after = site.stored()
        assert (value, after["hf_token"]) == (after["hf_token"], value)
        assert before.keys() == after.keys()
    print(dict(site.spread))  # noqa: T201 - shown when it fails
    assert logins.acts(site.admin, "oauth.replay") == 0
    assert len(site.admin.admin("GET", "users/alice/logins")) == 1


def test_a_login_that_is_killed_is_whole_or_leaves_nothing(site: Site) -> None:
    values: list[str] = []
    for number in range(KILLS):
        # The code, the tokens, and whoami.
        site.run_killed(3, "login")
        stored: dict[str, Any] = site.stored()
        if stored:
            values += [stored["hf_token"], stored["refresh_token"]]
            assert site.admin.status(stored["hf_token"]) == 200, number
            # It can be renewed as well.
            status, _ = logins.renew(site.admin, stored["refresh_token"])
            assert status == 200, number
        for name in ("stored_tokens", "token"):
            (site.home / "huggingface" / name).unlink(missing_ok=True)
        for login in site.admin.admin("GET", "users/alice/logins"):
            site.admin.admin("DELETE", f"users/alice/logins/{login['id']}")
    print(dict(site.spread))  # noqa: T201 - shown when it fails
    site.run("login")
    assert site.admin.status(site.stored()["hf_token"]) == 200
    for path in site.home.rglob("*"):
        if path.is_file() and path.name not in {"stored_tokens", "token"}:
            assert leaks(path.read_bytes(), *values) == [], path
