"""A login at the embedded Hub that processes hold for a week, and that many renew at once."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.support import logins
from tests.e2e.support.served import Served
from tests.environment import child_environment
from tests.python.helpers import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAMS = Path(__file__).parents[1] / "support" / "programs"
HOUR = 60 * 60
START = 1_800_000_000
PROCESSES = 50


class Clock:
    """The time of the Hub and of the clients, which passes only as the test says."""

    def __init__(self, path: Path) -> None:
        """Begin."""
        self.path = path
        self.set(0)

    def set(self, hours: float) -> None:
        """Set the time since the beginning."""
        self.now = START + hours * HOUR
        waiting = self.path.with_suffix(".new")
        waiting.write_text(str(int(self.now * 1000)))
        waiting.replace(self.path)


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path / "clock")


@pytest.fixture
def hub(home: Path, tmp_path: Path, clock: Clock) -> Iterator[Served]:
    """A Hub whose logins have an access token for eight hours."""
    with Served(
        home,
        tmp_path / "data",
        *("--access-token-lifetime", str(8 * HOUR)),
        HUBTOKEN_TEST_CLOCK=str(clock.path),
    ) as served:
        client = served.connect()
        client.admin("POST", "users", {"name": "alice"})
        client.close()
        yield served


def environment(home: Path, hub: Served, clock: Clock) -> dict[str, str]:
    return child_environment(
        home, PYTHONPATH=str(ROOT), HF_ENDPOINT=hub.endpoint, HUBTOKEN_TEST_CLOCK=str(clock.path)
    )


@pytest.mark.parametrize("other", ["hubtoken", "huggingface_hub"])
def test_two_processes_hold_an_eight_hour_login_for_a_week(
    home: Path, hub: Served, clock: Clock, other: str
) -> None:
    """Each has a token that works at any hour, and no refresh token is used twice."""
    client = hub.connect()
    logins.store(home, logins.log_in(client), clock.now)
    with ExitStack() as stack:
        holders = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, str(PROGRAMS / "holding.py"), library],
                    env=environment(home, hub, clock),
                    cwd=home,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for library in ("hubtoken", other)
        ]
        for hour in range(0, 7 * 24 + 1, 2):
            clock.set(hour)
            for holder in holders:
                assert holder.stdin is not None
                holder.stdin.write("\n")
                holder.stdin.flush()
            for holder in holders:
                assert holder.stdout is not None
                assert client.status(holder.stdout.readline().strip()) == 200, hour
        for holder in holders:
            assert holder.stdin is not None
            holder.stdin.close()
    renewals = logins.acts(client, "oauth.refresh")
    if other == "hubtoken":
        # Every six hours.
        assert 27 <= renewals <= 29
    else:
        # By the rule of `huggingface_hub`, an eight-hour token is always in its last day.
        assert renewals >= 84
    assert logins.acts(client, "oauth.replay") == 0
    # It is the same login all the time.
    assert len(client.admin("GET", "users/alice/logins")) == 1


def test_fifty_processes_use_a_refresh_token_once(home: Path, tmp_path: Path) -> None:
    """Half of them with `huggingface_hub`; the Hub has one renewal, and every token works."""
    with Served(home, tmp_path / "data") as hub:
        client = hub.connect()
        client.admin("POST", "users", {"name": "alice"})
        # For both libraries, it is about to end.
        logins.store(home, logins.log_in(client) | {"expires_in": HOUR}, time.time())
        done = subprocess.run(
            [sys.executable, str(PROGRAMS / "renewing_together.py"), str(PROCESSES)],
            env=child_environment(home, PYTHONPATH=str(ROOT), HF_ENDPOINT=hub.endpoint),
            cwd=home,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found = done.stdout.split()
        assert len(found) == PROCESSES
        assert {client.status(value) for value in found} == {200}
        assert logins.acts(client, "oauth.refresh") == 1
        assert logins.acts(client, "oauth.replay") == 0
