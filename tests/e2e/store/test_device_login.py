"""Logins by a code (RFC 8628) at the embedded Hub: with hubtoken, and with `huggingface_hub`."""

from __future__ import annotations

import json
import os
import sys
from configparser import ConfigParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hubtoken.hub import Hub
from tests.e2e.support.approving import USER_CODE, log_in
from tests.e2e.support.runner import Runner
from tests.python.helpers import leaks

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPTS = Path(sys.executable).parent
WAYS = {
    "hubtoken login": [str(SCRIPTS / "hubtoken"), "login"],
    "hubtoken.login()": [sys.executable, "-c", "import hubtoken; hubtoken.login()"],
    "hf auth login": [str(SCRIPTS / "hf"), "auth", "login"],
    "huggingface_hub.login()": [
        sys.executable,
        "-c",
        "import huggingface_hub; huggingface_hub.login()",
    ],
}


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    """A Hub that may be asked every second."""
    with Hub(device_code_interval=1) as hub:
        hub.create_user("alice", email="alice@example.invalid")
        yield hub


@pytest.fixture
def at_home(hub: Hub, home: Path) -> Runner:
    return Runner(home=home, endpoint=hub.endpoint)


def stored(home: Path) -> dict[str, dict[str, str]]:
    parser = ConfigParser(interpolation=None)
    parser.read(home / "huggingface" / "stored_tokens", encoding="utf-8")
    return {name: dict(parser[name]) for name in parser.sections()}


@pytest.mark.parametrize("way", WAYS)
def test_a_login_counts_for_both_libraries(hub: Hub, at_home: Runner, way: str) -> None:
    ended = log_in(at_home, WAYS[way], lambda code: hub.approve_login(code, "alice"))
    assert ended.code == 0, ended.shown
    sections = stored(at_home.home)
    assert list(sections) == ["oauth-alice"]
    section = sections["oauth-alice"]
    assert section["hf_token"].startswith("hf_oauth_")
    assert section["refresh_token"].startswith("hf_oauth__refresh_")
    assert int(section["expires_at"]) > 0
    assert leaks(ended.shown, section["hf_token"], section["refresh_token"]) == []

    for command in (["hubtoken", "whoami", "--json"], ["hf", "auth", "whoami"]):
        done = at_home.run(*command)
        assert done.returncode == 0, done.stderr
        assert "alice" in done.stdout
    done = at_home.run("hf", "auth", "list")
    assert "oauth-alice" in done.stdout, done.stderr
    done = at_home.run("hubtoken", "list", "--json")
    (token,) = json.loads(done.stdout)["tokens"]
    assert (token["name"], token["active"]) == ("oauth-alice", True)

    # Ended at the Hub, the login is dead for both at once.
    for login in hub.list_logins("alice"):
        hub.end_login("alice", login.id)
    done = at_home.run("hubtoken", "whoami", "--json")
    assert json.loads(done.stdout)["error"]["kind"] == "InvalidTokenError"
    assert at_home.run("hf", "auth", "whoami").returncode != 0


@pytest.mark.parametrize("way", WAYS)
def test_a_denied_login_leaves_nothing_behind(hub: Hub, at_home: Runner, way: str) -> None:
    ended = log_in(at_home, WAYS[way], hub.deny_login)
    assert ended.code != 0
    assert "denied" in ended.shown
    assert not (at_home.home / "huggingface" / "stored_tokens").exists()
    assert not (at_home.home / "huggingface" / "token").exists()
    assert hub.list_logins("alice") == []


@pytest.mark.parametrize("way", ["hubtoken login", "hubtoken.login()"])
def test_a_code_that_nobody_approves_expires(home: Path, way: str) -> None:
    with Hub(device_code_interval=1, device_code_lifetime=1) as hub:
        runner = Runner(home=home, endpoint=hub.endpoint)
        ended = log_in(runner, WAYS[way], lambda _: None)
    assert ended.code == 1
    assert "expired" in ended.shown
    assert "Traceback" not in ended.shown or way == "hubtoken.login()"
    assert not (home / "huggingface" / "stored_tokens").exists()


@pytest.mark.skipif(os.name != "posix", reason="a terminal of one's own is POSIX's")
def test_enter_at_the_prompt_is_the_browser(at_home: Runner) -> None:
    request = {
        "command": WAYS["hubtoken login"],
        "prompt": "Token: ",
        "typed": "\n",
        # Ctrl-C, once the code is shown.
        "then": [[USER_CODE.pattern, "\x03"]],
    }
    ran = at_home.program("terminal", request, variables={"BROWSER": ""})
    assert ran["code"] == 130, ran
    assert f"{at_home.endpoint}/oauth/device" in ran["shown"]
    assert "Traceback" not in ran["shown"]
    assert not (at_home.home / "huggingface" / "stored_tokens").exists()


def test_a_notebook_that_runs_without_anybody_logs_in_by_code(hub: Hub, at_home: Runner) -> None:
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("nbclient")
    code = "import hubtoken\nhubtoken.login()\nprint(hubtoken.whoami().user)\n"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    path = at_home.home / "login.ipynb"
    nbformat.write(notebook, path)
    # Its displays go to standard output as they are made.
    program = (
        "import nbclient, nbformat\n"
        "class Client(nbclient.NotebookClient):\n"
        "    def process_message(self, msg, cell, cell_index):\n"
        "        data = msg['content'].get('data', {})\n"
        "        print(data.get('text/plain', ''), flush=True)\n"
        "        return super().process_message(msg, cell, cell_index)\n"
        "book = nbformat.read('login.ipynb', 4)\n"
        "Client(book, kernel_name='python3').execute()\n"
        "print(book.cells[0].outputs[-1]['text'])\n"
    )
    ended = log_in(
        at_home, [sys.executable, "-c", program], lambda code: hub.approve_login(code, "alice")
    )
    assert ended.code == 0, ended.shown
    assert ended.shown.rstrip().endswith("alice")
    assert list(stored(at_home.home)) == ["oauth-alice"]
