"""The real git with hubtoken as its helper, and `hubtoken run` replacing its process.

The helper is a standalone program, or a verb if that program is not installed. Both have the same
contract, so each test runs with both.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.e2e.support.guarded import REFERENCES, GuardedServer
from tests.e2e.support.runner import SCRIPTS
from tests.e2e.support.world import PRIVATE
from tests.environment import fake_token

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.support.runner import Runner
    from tests.e2e.support.world import World


@pytest.fixture
def variables(home: Path) -> dict[str, str]:
    """A git that reads only this test's configuration, and never prompts at a terminal."""
    return {
        "GIT_CONFIG_GLOBAL": str(home / "gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CEILING_DIRECTORIES": str(home.parent),
    }


@dataclass(frozen=True)
class Helper:
    """One of the two helpers."""

    # The command line of the helper itself; git appends its operation.
    command: tuple[str, ...]
    # The `hubtoken` that sets up this helper.
    hubtoken: str


@pytest.fixture(params=["program", "verb"])
def helper(request: pytest.FixtureRequest, tmp_path: Path) -> Helper:
    """Each of the two helpers in turn."""
    hubtoken = SCRIPTS / "hubtoken"
    if request.param == "program":
        program = SCRIPTS / "git-credential-hubtoken"
        assert program.exists(), "the build has left git's helper out"
        return Helper(command=(str(program),), hubtoken=str(hubtoken))
    # Alone in its folder, as after an installation without the standalone program.
    copy = tmp_path / "it's a folder" / "hubtoken"
    copy.parent.mkdir()
    shutil.copy(hubtoken, copy)
    return Helper(command=(str(copy), "git-credential"), hubtoken=str(copy))


def question(url: str, **more: str) -> str:
    """The input of git for a URL."""
    parts = urlsplit(url)
    lines = {"protocol": parts.scheme, "host": parts.netloc, **more}
    return "".join(f"{key}={value}\n" for key, value in lines.items()) + "\n"


def answers(text: str) -> dict[str, str]:
    """Git's own output, as a table."""
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def test_git_gets_the_token_for_the_hub_alone(
    world: World, runner: Runner, variables: dict[str, str], helper: Helper
) -> None:
    value = world.value("read")
    assert value is not None
    variables["HF_TOKEN"] = value
    set_up = runner.run(helper.hubtoken, "setup-git", variables=variables)
    assert set_up.returncode == 0, set_up.stderr
    assert value not in set_up.stdout + set_up.stderr
    assert value not in (runner.home / "gitconfig").read_text()

    filled = runner.run(
        "git", "credential", "fill", variables=variables, stdin=question(world.endpoint)
    )
    assert filled.returncode == 0, filled.stderr
    assert answers(filled.stdout)["username"] == "hf_user"
    assert answers(filled.stdout)["password"] == value

    named = question(world.endpoint, username="alice")
    filled = runner.run("git", "credential", "fill", variables=variables, stdin=named)
    assert answers(filled.stdout)["username"] == "alice"
    assert answers(filled.stdout)["password"] == value

    port = urlsplit(world.endpoint).port
    assert port is not None
    for other in (
        "https://github.com",
        "http://huggingface.co",
        f"https://127.0.0.1:{port}",
        f"http://127.0.0.1:{port + 1 if port < 65535 else port - 1}",
    ):
        refused = runner.run(
            "git", "credential", "fill", variables=variables, stdin=question(other)
        )
        assert refused.returncode != 0
        assert value not in refused.stdout + refused.stderr
        asked = runner.run(*helper.command, "get", variables=variables, stdin=question(other))
        assert (asked.returncode, asked.stdout, asked.stderr) == (0, "", "")


def test_a_path_and_store_and_erase_do_not_disturb(
    world: World, runner: Runner, variables: dict[str, str], helper: Helper
) -> None:
    value = world.value("read")
    assert value is not None
    variables["HF_TOKEN"] = value
    runner.run(helper.hubtoken, "setup-git", variables=variables)
    use_path = f"credential.{world.endpoint}.useHttpPath"
    runner.run("git", "config", "--global", use_path, "true", variables=variables)
    asked = question(world.endpoint, path=f"{PRIVATE}.git")
    filled = runner.run("git", "credential", "fill", variables=variables, stdin=asked)
    assert answers(filled.stdout)["password"] == value
    before = {path: path.read_bytes() for path in runner.home.rglob("*") if path.is_file()}
    for operation in ("approve", "reject"):
        told = runner.run(
            "git", "credential", operation, variables=variables, stdin=filled.stdout + "\n"
        )
        assert (told.returncode, told.stdout, told.stderr) == (0, "", "")
    after = {path: path.read_bytes() for path in runner.home.rglob("*") if path.is_file()}
    assert after == before


def test_other_helpers_are_left_aside_for_the_hub_alone_and_undo_restores(
    world: World, runner: Runner, variables: dict[str, str], helper: Helper
) -> None:
    value = world.value("read")
    assert value is not None
    variables["HF_TOKEN"] = value
    config = runner.home / "gitconfig"
    elsewhere = "!f() { echo username=other; echo password=elsewhere; }; f"
    runner.run("git", "config", "--global", "credential.helper", elsewhere, variables=variables)
    before = config.read_text()
    assert runner.run(helper.hubtoken, "setup-git", variables=variables).returncode == 0
    written = config.read_text()
    assert runner.run(helper.hubtoken, "setup-git", variables=variables).returncode == 0
    assert config.read_text() == written

    def password(url: str) -> str:
        done = runner.run("git", "credential", "fill", variables=variables, stdin=question(url))
        return answers(done.stdout)["password"]

    assert password(world.endpoint) == value
    assert password("https://github.com") == "elsewhere"
    assert runner.run(helper.hubtoken, "setup-git", "--undo", variables=variables).returncode == 0
    assert config.read_text() == before
    assert password(world.endpoint) == "elsewhere"


def test_the_folder_decides_which_token_git_gets(
    runner: Runner, variables: dict[str, str], helper: Helper
) -> None:
    tokens = {"one": fake_token(), "two": fake_token()}
    stored = runner.home / "huggingface" / "stored_tokens"
    stored.parent.mkdir(exist_ok=True)
    stored.write_text("".join(f"[{name}]\nhf_token = {value}\n" for name, value in tokens.items()))
    runner.run(helper.hubtoken, "setup-git", variables=variables)
    for name, value in tokens.items():
        folder = runner.home / name
        folder.mkdir()
        (folder / "hubtoken.toml").write_text(f'profile = "{name}"\n')
        filled = runner.run(
            "git",
            "-C",
            str(folder),
            "credential",
            "fill",
            variables=variables,
            stdin=question(runner.endpoint),
        )
        assert answers(filled.stdout)["password"] == value


def test_each_helper_takes_the_other_ones_place(
    runner: Runner, variables: dict[str, str], tmp_path: Path
) -> None:
    copy = tmp_path / "hubtoken"
    shutil.copy(SCRIPTS / "hubtoken", copy)
    config = runner.home / "gitconfig"
    config.write_text("[user]\n\tname = alice\n")
    before = config.read_text()
    for hubtoken in (str(copy), str(SCRIPTS / "hubtoken"), str(copy)):
        set_up = runner.run(hubtoken, "setup-git", "--json", variables=variables)
        assert set_up.returncode == 0, set_up.stderr
        written = json.loads(set_up.stdout)
        assert written["changed"] is True
        set_values = runner.run("git", "config", "--get-all", written["key"], variables=variables)
        assert set_values.stdout == f"\n{written['helper']}\n"
        is_program = written["helper"].endswith("/git-credential-hubtoken'")
        assert is_program == (hubtoken != str(copy))
    undone = runner.run("hubtoken", "setup-git", "--undo", variables=variables)
    assert undone.returncode == 0, undone.stderr
    assert config.read_text() == before


def test_a_module_sets_up_what_its_environment_has(
    runner: Runner, variables: dict[str, str]
) -> None:
    set_up = runner.run("python", "-m", "hubtoken", "setup-git", "--json", variables=variables)
    assert set_up.returncode == 0, set_up.stderr
    program = SCRIPTS / "git-credential-hubtoken"
    assert json.loads(set_up.stdout)["helper"] == f"!'{program}'"


def test_git_finds_the_program_by_its_name(runner: Runner, variables: dict[str, str]) -> None:
    value = fake_token()
    path = os.pathsep.join([str(SCRIPTS), os.environ["PATH"]])
    variables |= {"HF_TOKEN": value, "PATH": path}
    runner.run("git", "config", "--global", "credential.helper", "hubtoken", variables=variables)
    filled = runner.run(
        "git", "credential", "fill", variables=variables, stdin=question(runner.endpoint)
    )
    assert answers(filled.stdout)["password"] == value


@contextmanager
def guarded(challenge: str, key: str) -> Iterator[GuardedServer]:
    """A git server that runs as long as the context lasts."""
    server = GuardedServer(challenge, key)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def basic(value: str) -> str:
    """What git sends for a token as a password."""
    return "Basic " + base64.b64encode(f"hf_user:{value}".encode()).decode()


def can_send_bearer() -> bool:
    """Whether this machine's git lets a helper choose the scheme."""
    asked = subprocess.run(
        ["git", "credential", "capability"], capture_output=True, text=True, check=False
    )
    return "capability authtype" in asked.stdout


@pytest.mark.parametrize(
    "scheme",
    [
        "Basic",
        pytest.param(
            "Bearer", marks=pytest.mark.skipif(not can_send_bearer(), reason="git before 2.46")
        ),
    ],
)
def test_git_opens_a_server_with_the_token(
    runner: Runner, variables: dict[str, str], helper: Helper, scheme: str
) -> None:
    value = fake_token()
    key = basic(value) if scheme == "Basic" else f"Bearer {value}"
    with guarded(f'{scheme} realm="Authentication required", charset="UTF-8"', key) as server:
        variables |= {"HF_ENDPOINT": server.endpoint, "HF_TOKEN": value}
        assert runner.run(helper.hubtoken, "setup-git", variables=variables).returncode == 0
        url = f"{server.endpoint}/acme/model.git"
        listed = runner.run("git", "ls-remote", url, variables=variables)
    assert listed.returncode == 0, listed.stderr
    assert REFERENCES in listed.stdout
    assert server.presented[:2] == [None, key]


def test_a_token_that_the_server_refuses_is_neither_kept_nor_shown(
    runner: Runner, variables: dict[str, str], helper: Helper
) -> None:
    value = fake_token()
    with guarded("Basic realm=x", "Basic another") as server:
        variables |= {"HF_ENDPOINT": server.endpoint, "HF_TOKEN": value}
        runner.run(helper.hubtoken, "setup-git", variables=variables)
        url = f"{server.endpoint}/acme/model.git"
        listed = runner.run("git", "ls-remote", url, variables=variables)
    assert listed.returncode != 0
    assert basic(value) in server.presented
    assert value not in listed.stdout + listed.stderr
    kept = [path for path in runner.home.rglob("*") if path.is_file()]
    assert kept == [runner.home / "gitconfig"]


def test_what_git_may_say_besides_is_heard_and_answers_are_gits_alone(
    runner: Runner, variables: dict[str, str], helper: Helper
) -> None:
    value = fake_token()
    variables |= {"HF_TOKEN": value, "HF_ENDPOINT": "https://huggingface.co"}
    answer = f"username=hf_user\npassword={value}\n"
    asked = question(
        "https://huggingface.co",
        path="acme/model.git",
        password_expiry_utc="1",
        oauth_refresh_token="x",
        news="to come",
    )
    lists = "capability[]=authtype\ncapability[]=state\nwwwauth[]=Basic realm=x\nstate[]=x:y\n"
    for text, expected in [
        (asked, answer),
        (lists + asked, answer),
        (asked.rstrip("\n"), answer),
        ("url=https://huggingface.co/acme/model.git\n\n", answer),
        ("", ""),
        ("\n" + asked, ""),
        ("protocol=https\n\n", ""),
    ]:
        done = runner.run(*helper.command, "get", variables=variables, stdin=text)
        assert (done.returncode, done.stdout, done.stderr) == (0, expected, "")
    for operation in ("store", "erase", "capability", "later"):
        for text in (asked, "", "x" * 200_000):
            done = runner.run(*helper.command, operation, variables=variables, stdin=text)
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    long = runner.run(*helper.command, "get", variables=variables, stdin=f"path={'x' * 200_000}")
    assert (long.returncode, long.stdout) == (2, "")


@pytest.mark.parametrize(
    "text",
    [
        "protocol=https\r\nhost=huggingface.co\r\n\r\n",
        "url=https://evil.example%0ahost=huggingface.co/\n\n",
        "protocol=https\nhost=huggingface.co\0\n\n",
        "protocol=https\nhost=huggingface.co\npath=a\rb\n\n",
    ],
)
def test_line_breaks_inside_values_are_refused(runner: Runner, helper: Helper, text: str) -> None:
    value = fake_token()
    # As bytes: Python would treat other systems' line breaks as its own.
    done = subprocess.run(
        [*helper.command, "get"],
        env=runner.environment(HF_TOKEN=value, HF_ENDPOINT="https://huggingface.co"),
        cwd=runner.home,
        input=text.encode(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == b""
    assert value.encode() not in done.stderr


def test_run_passes_the_token_the_exit_code_and_signals(world: World, runner: Runner) -> None:
    value = world.value("write")
    assert value is not None
    variables = {"HF_TOKEN": value, "HF_HUB_DISABLE_IMPLICIT_TOKEN": "0"}
    shell = ("hubtoken", "run", "--role", "write", "--repo", PRIVATE, "--", "sh", "-c")

    shown = runner.run(
        *shell,
        'echo "$HF_TOKEN $HF_ENDPOINT ${HF_HUB_DISABLE_IMPLICIT_TOKEN-gone}"',
        variables=variables,
    )
    assert shown.stdout == f"{value} {world.endpoint} gone\n", shown.stderr
    assert runner.run(*shell, "exit 7", variables=variables).returncode == 7
    # Not SIGINT: a parent in the background ignores it, and `run` correctly passes that on.
    for number in (signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ):
        done = runner.run(*shell, f"kill -{int(number)} $$; exit 9", variables=variables)
        assert done.returncode == -number, done.stderr
    echoed = runner.run("hubtoken", "run", "--", "cat", variables=variables, stdin="for cat")
    assert echoed.stdout == "for cat"


def test_run_starts_nothing_without_a_yes(world: World, runner: Runner) -> None:
    value = world.value("read")
    assert value is not None
    variables = {"HF_TOKEN": value}
    command = ("--role", "write", "--repo", PRIVATE, "--", "touch", "started")
    assert runner.run("hubtoken", "run", *command, variables=variables).returncode == 1
    # A cached answer is valid offline too; nothing is cached about another token.
    unasked = world.value("write")
    assert unasked is not None
    offline = {"HF_TOKEN": unasked, "HF_HUB_OFFLINE": "1"}
    assert runner.run("hubtoken", "run", *command, variables=offline).returncode == 3
    assert not (runner.home / "started").exists()
    missing = runner.run("hubtoken", "run", "--", "no-such-program", variables=variables)
    assert missing.returncode == 127
    (runner.home / "plain").write_text("")
    plain = runner.run("hubtoken", "run", "--", "./plain", variables=variables)
    assert plain.returncode == 126
