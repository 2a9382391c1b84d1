"""`hubtoken login` in the browser: without a terminal, at one, and killed at any point."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.environment import HANG_LIMIT, child_environment
from tests.python.helpers import leaks
from tests.python.oauth_hub import CODE, oauth_hub_running, stored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.python.oauth_hub import OAuthHub
    from tests.python.servers import Request

KILLS = int(os.environ.get("TEST_CRASHES", "10"))
COMMAND = [sys.executable, "-m", "hubtoken", "login"]
posix = pytest.mark.skipif(os.name != "posix", reason="signals and terminals are POSIX's")


@pytest.fixture
def oauth_hub() -> Iterator[OAuthHub]:
    with oauth_hub_running() as hub:
        yield hub


def environment(home: Path, hub: OAuthHub, **variables: str) -> dict[str, str]:
    return child_environment(home, HF_ENDPOINT=hub.server.endpoint, BROWSER="", **variables)


def login(home: Path, hub: OAuthHub, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command without a terminal."""
    return subprocess.run(
        [*COMMAND, *arguments],
        check=False,
        env=environment(home, hub),
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=HANG_LIMIT,
    )


def test_without_a_terminal_the_address_and_the_code_are_written(
    home: Path, oauth_hub: OAuthHub
) -> None:
    oauth_hub.answers = ["authorization_pending"]
    done = login(home, oauth_hub)
    assert done.returncode == 0, done.stderr
    assert f"{oauth_hub.server.endpoint}/oauth/device" in done.stderr
    assert CODE in done.stderr
    # What is piped into another program is the outcome alone.
    assert done.stdout.startswith("alice (no role, oauth) is stored as `oauth-alice` in ")
    assert leaks(done.stdout + done.stderr, *oauth_hub.secrets()) == []
    assert stored(home)["oauth-alice"]["refresh_token"] == oauth_hub.refresh


@pytest.mark.parametrize("code", ["access_denied", "expired_token"])
def test_a_login_that_is_not_approved_fails(home: Path, oauth_hub: OAuthHub, code: str) -> None:
    oauth_hub.answers = [code]
    done = login(home, oauth_hub)
    assert done.returncode == 1
    assert "Start the login again" in done.stderr
    assert not (home / "huggingface" / "stored_tokens").exists()


def test_a_program_that_reads_json_is_not_kept_waiting(home: Path, oauth_hub: OAuthHub) -> None:
    done = login(home, oauth_hub, "--json")
    assert done.returncode == 2
    assert "--token-stdin" in json.loads(done.stdout)["error"]["message"]
    assert oauth_hub.server.requests == []


def at_terminal(home: Path, hub: OAuthHub, typed: str, *arguments: str) -> Any:
    """The command at a terminal, where something is typed at its prompt."""
    request = {"command": [*COMMAND, *arguments], "prompt": "Token: ", "typed": typed}
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e.support.programs.terminal"],
        check=True,
        env=environment(home, hub, PYTHONPATH=str(Path.cwd())),
        input=json.dumps(request),
        stdout=subprocess.PIPE,
        text=True,
        timeout=HANG_LIMIT,
    )
    return json.loads(done.stdout)


@posix
def test_enter_at_the_prompt_is_the_browser(
    home: Path, oauth_hub: OAuthHub, monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config
) -> None:
    monkeypatch.chdir(pytestconfig.rootpath)
    oauth_hub.answers = ["authorization_pending"]
    ran = at_terminal(home, oauth_hub, "\n")
    assert ran["code"] == 0, ran
    assert "Press Enter to log in with the browser" in ran["shown"]
    assert CODE in ran["shown"]
    assert leaks(ran["shown"], *oauth_hub.secrets()) == []
    assert list(stored(home)) == ["oauth-alice"]


class Killer:
    """Kills a process at the request of a number, before its answer."""

    def __init__(self, hub: OAuthHub, number: int) -> None:
        """Nothing is killed before the process is known."""
        self.answer = hub.answer
        self.left = number
        self.known = threading.Event()
        self.child: subprocess.Popen[bytes]

    def start(self, home: Path, hub: OAuthHub) -> None:
        """Start a login, and let the requests come."""
        self.child = subprocess.Popen(
            COMMAND,
            env=environment(home, hub),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.known.set()

    def behavior(self, request: Request) -> bytes:
        """Answer, or kill."""
        assert self.known.wait(HANG_LIMIT)
        self.left -= 1
        if self.left == 0:
            self.child.send_signal(signal.SIGKILL)
        return self.answer(request)


@posix
def test_a_kill_at_any_point_leaves_all_or_nothing(home: Path, oauth_hub: OAuthHub) -> None:
    chance = random.Random(15)  # noqa: S311 - not a secret
    for number in range(KILLS):
        oauth_hub.answers = ["authorization_pending"] * chance.randint(0, 1)
        killer = Killer(oauth_hub, chance.randint(1, 4))
        oauth_hub.server.behavior = killer.behavior
        killer.start(home, oauth_hub)
        code = killer.child.wait(HANG_LIMIT)
        sections = stored(home)
        if code == 0:
            assert sections["oauth-alice"]["refresh_token"] == oauth_hub.refresh
        for section in sections.values():
            assert section["hf_token"] == oauth_hub.access, number
            assert section["refresh_token"] == oauth_hub.refresh, number
    oauth_hub.server.behavior = oauth_hub.answer
    oauth_hub.answers = []
    assert login(home, oauth_hub).returncode == 0
    assert list(stored(home)) == ["oauth-alice"]
