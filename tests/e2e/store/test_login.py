"""Interactive logins: at a terminal, from a pipe, in a notebook; and beside a broken file."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.support.runner import Runner
from tests.environment import HANG_LIMIT, fake_token
from tests.python.servers import http, serving

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from tests.e2e.support.world import World

SCRIPT = str(Path(sys.executable).parent / "hubtoken")
PROMPTS = {
    "command": ([SCRIPT, "login"], "Token: "),
    "library": (
        [sys.executable, "-c", "import hubtoken; print(hubtoken.login())"],
        "Token (it is not shown): ",
    ),
}

at_terminal = pytest.mark.skipif(os.name != "posix", reason="a terminal of one's own is POSIX's")


def type_in(runner: Runner, way: str, typed: str) -> Any:
    """The output of a command when something is typed at its prompt."""
    command, prompt = PROMPTS[way]
    return runner.program("terminal", {"command": command, "prompt": prompt, "typed": typed})


def names(runner: Runner) -> list[str]:
    done = runner.run("hubtoken", "list", "--json")
    return [token["name"] for token in json.loads(done.stdout)["tokens"]]


@at_terminal
@pytest.mark.parametrize("way", PROMPTS)
def test_what_is_typed_is_not_shown(world: World, runner: Runner, way: str) -> None:
    value = world.value("read")
    assert value is not None
    ran = type_in(runner, way, f"{value}\n")
    assert (ran["code"], ran["echo"]) == (0, False), ran
    assert value not in ran["shown"]
    assert names(runner) == ["read"]


@at_terminal
@pytest.mark.parametrize(("typed", "code"), [("\x03", 130), ("\x04", 1)])
def test_nothing_typed_is_nothing_stored(runner: Runner, typed: str, code: int) -> None:
    ran = type_in(runner, "command", typed)
    assert ran["code"] == code, ran
    assert "Traceback" not in ran["shown"]
    assert not (runner.home / "huggingface" / "stored_tokens").exists()


@at_terminal
def test_nothing_typed_at_the_prompt_of_a_program_is_an_error(runner: Runner) -> None:
    ran = type_in(runner, "library", "\x04")
    assert ran["code"] == 1, ran
    assert "TokenFormatError" in ran["shown"]
    assert "no token was given" in ran["shown"]
    assert not (runner.home / "huggingface" / "stored_tokens").exists()


def login(runner: Runner, stdin: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return runner.run("hubtoken", "login", *arguments, "--json", stdin=stdin)


def test_a_pipe_may_have_what_files_have(world: World, runner: Runner) -> None:
    value = world.value("read")
    for before, after in (("", "\n"), ("", "\r\n"), ("\ufeff", "\n\n"), (' "', '" \n')):
        done = login(runner, f"{before}{value}{after}", "--token-stdin")
        assert done.returncode == 0, done.stdout
        assert (runner.home / "huggingface" / "token").read_text(encoding="utf-8") == value


def test_a_pipe_that_has_no_token_or_two(world: World, runner: Runner) -> None:
    value = world.value("read")
    assert value is not None
    for stdin in ("", "\n", f"{value}\n{value}\n", f"token {value}", "x" * 100_000):
        done = login(runner, stdin, "--token-stdin")
        assert done.returncode == 1, (stdin[:10], done.stdout)
        assert json.loads(done.stdout)["error"]["kind"] == "TokenFormatError"
        assert value not in done.stdout + done.stderr
    # There is no prompt on a pipe, and nothing is read from it without --token-stdin.
    done = login(runner, f"{value}\n")
    assert done.returncode == 2
    assert "--token-stdin" in json.loads(done.stdout)["error"]["message"]
    assert names(runner) == []


REFUSED = {
    "rejected": ({}, 1, "InvalidTokenError"),
    "away": ({"HF_ENDPOINT": "http://127.0.0.1:9"}, 3, "HubUnreachableError"),
    "offline": ({"HF_HUB_OFFLINE": "1"}, 3, "OfflineError"),
    "plain http": ({"HF_ENDPOINT": "http://hub.example"}, 2, "UntrustedEndpointError"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_the_hub_does_not_confirm_is_not_stored(runner: Runner, why: str) -> None:
    variables, code, kind = REFUSED[why]
    value = fake_token()
    done = runner.run(
        "hubtoken", "login", "--token-stdin", "--json", variables=variables, stdin=value
    )
    assert (done.returncode, json.loads(done.stdout)["error"]["kind"]) == (code, kind)
    assert value not in done.stdout + done.stderr
    assert not (runner.home / "huggingface" / "stored_tokens").exists()
    assert not (runner.home / "huggingface" / "token").exists()


@pytest.fixture
def without_browser_login(home: Path) -> Iterator[Runner]:
    """A runner for a Hub that has no login by browser."""
    with serving(lambda _: http(404, "{}")) as server:
        yield Runner(home=home, endpoint=server.endpoint)


def test_a_notebook_that_runs_without_anybody_says_what_to_do(
    without_browser_login: Runner,
) -> None:
    runner = without_browser_login
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    code = (
        "import hubtoken\n"
        "try:\n    hubtoken.login()\n"
        "except hubtoken.TokenNotFoundError as error:\n    print(error)\n"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    client = nbclient.NotebookClient(notebook, kernel_name="python3", timeout=int(HANG_LIMIT))
    client.execute(env=runner.environment(), cwd=str(runner.home))
    said = notebook.cells[0].outputs[0]["text"]
    assert "HF_TOKEN" in said
    assert "hubtoken.login(" not in said


def test_a_program_without_a_terminal_says_what_to_do(without_browser_login: Runner) -> None:
    runner = without_browser_login
    # A separate session: no terminal behind the pipes either.
    program = "import os; os.setsid() if os.getpid() != os.getsid(0) else None\n"
    program += "import hubtoken; hubtoken.login()"
    done = runner.run(sys.executable, "-c", program, stdin="something")
    assert done.returncode == 1
    assert "TokenNotFoundError" in done.stderr
    assert "Set HF_TOKEN" in done.stderr
    assert "--token-stdin" in done.stderr
    assert "hubtoken.login(token)" not in done.stderr


BROKEN = "[ci]\nhf_FakeSecretInTheFile\n"


def test_a_broken_file_is_set_aside_by_login_and_logout_and_by_nothing_else(
    world: World, runner: Runner
) -> None:
    folder = runner.home / "huggingface"
    folder.mkdir()
    path = folder / "stored_tokens"
    shown = ""
    for number, verb in enumerate((["login", "--token-stdin"], ["logout", "--all"]), 1):
        path.write_text(BROKEN, encoding="utf-8")
        for other in (["list"], ["switch", "ci"], ["logout", "ci"], ["rename", "ci", "x"]):
            done = runner.run("hubtoken", *other, "--json")
            assert done.returncode == 2, other
            assert json.loads(done.stdout)["error"]["kind"] == "StoreError"
            shown += done.stdout + done.stderr
        assert path.read_text(encoding="utf-8") == BROKEN
        done = runner.run("hubtoken", *verb, "--json", stdin=world.value("read") or "")
        assert done.returncode == 0, done.stdout
        (warning,) = json.loads(done.stdout)["warnings"]
        aside = folder / f"stored_tokens.broken-{number}"
        assert str(aside) in warning
        assert aside.read_text(encoding="utf-8") == BROKEN
        shown += done.stdout + done.stderr
    assert "hf_FakeSecret" not in shown


def test_a_name_steers_no_terminal(runner: Runner) -> None:
    folder = runner.home / "huggingface"
    folder.mkdir()
    evil = "a\x1b]0;title\x07\x1b[31m\u202eb"
    text = f"[{evil}]\nhf_token = {fake_token()}\n\n[c]\nhf_token = {fake_token()}\n\n"
    (folder / "stored_tokens").write_text(text, encoding="utf-8")
    shown = ""
    for arguments in (["list"], ["switch", evil], ["switch", "gone"], ["list", "--json"]):
        done = runner.run("hubtoken", *arguments)
        shown += done.stdout + done.stderr
    assert "title" in shown
    assert not {"\x1b", "\x07", "\u202e"} & set(shown)
