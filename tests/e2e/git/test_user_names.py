"""The real git, with the user in the URL: whose token it gets, and what it knows of its end."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from huggingface_hub import HfApi

import hubtoken
from tests.e2e.support.runner import SCRIPTS

if TYPE_CHECKING:
    from hubtoken import HubToken
    from tests.e2e.support.runner import Runner
    from tests.e2e.support.world import World

HOUR = 3600

# The one that the virtual environment was made of.
INTERPRETER = Path(
    sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}"
)


@pytest.fixture
def variables(home: Path) -> dict[str, str]:
    """A git that reads only this test's configuration, and never prompts at a terminal."""
    return {
        "GIT_CONFIG_GLOBAL": str(home / "gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CEILING_DIRECTORIES": str(home.parent),
    }


def log_in(runner: Runner, token: HubToken) -> None:
    """Store a token with the command, which records whose it is."""
    value = token.reveal()
    done = runner.run("hubtoken", "login", "--token-stdin", stdin=f"{value}\n")
    assert done.returncode == 0, done.stderr


def fill(runner: Runner, variables: dict[str, str], url: str) -> tuple[dict[str, str], str]:
    """What git gets for a URL, and what it says to the user."""
    done = runner.run("git", "credential", "fill", variables=variables, stdin=f"url={url}\n\n")
    lines = [line.split("=", 1) for line in done.stdout.splitlines() if "=" in line]
    return dict(lines), done.stderr


@pytest.fixture
def verb(tmp_path: Path) -> str:
    """A `hubtoken` alone in its folder, so that git runs the verb and not the standalone program.

    `test_credential_helper.py` compares the two.
    """
    copy = tmp_path / "alone" / "hubtoken"
    copy.parent.mkdir()
    shutil.copy(SCRIPTS / "hubtoken", copy)
    return str(copy)


@pytest.fixture
def both(world: World, runner: Runner, variables: dict[str, str], verb: str) -> dict[str, HubToken]:
    """Tokens of bob and alice, of which alice's is the active one; git is set up."""
    tokens = {user: world.new_token(user, "write") for user in ("bob", "alice")}
    for token in tokens.values():
        log_in(runner, token)
    done = runner.run(verb, "setup-git", variables=variables)
    assert (done.returncode, done.stderr) == (0, "")
    return tokens


def test_each_user_clones_what_is_theirs(
    world: World, runner: Runner, variables: dict[str, str], both: dict[str, HubToken]
) -> None:
    host = urlsplit(world.endpoint).netloc
    for user, token in both.items():
        repo = world.new_name(user)
        HfApi(endpoint=world.endpoint, token=token.reveal()).create_repo(repo, private=True)
        for name in (user, user.upper(), user.replace("b", "%62")):
            url = f"http://{name}@{host}/{repo}"
            listed = runner.run("git", "ls-remote", url, variables=variables)
            assert (listed.returncode, listed.stderr) == (0, "")
            assert "HEAD" in listed.stdout
        other = "alice" if user == "bob" else "bob"
        url = f"http://{other}@{host}/{repo}"
        assert runner.run("git", "ls-remote", url, variables=variables).returncode != 0


def test_other_names_get_the_folders_token(
    world: World, runner: Runner, variables: dict[str, str], both: dict[str, HubToken]
) -> None:
    host = urlsplit(world.endpoint).netloc
    for name in ("hf_user", "user", "token", "acme"):
        filled, said = fill(runner, variables, f"http://{name}@{host}/")
        assert filled["password"] == both["alice"].reveal()
        assert (filled["username"], said) == (name, "")
    filled, said = fill(runner, variables, f"http://nobody@{host}/")
    assert filled["password"] == both["alice"].reveal()
    assert said.count("\n") == 1
    assert "`nobody`" in said
    # A project's profile goes before the user.
    stored = hubtoken.stored_tokens()
    name = next(entry.name for entry in stored if entry.user == "alice")
    (runner.home / "hubtoken.toml").write_text(f'profile = "{name}"\n')
    filled, said = fill(runner, variables, f"http://bob@{host}/")
    assert (filled["password"], said) == (both["alice"].reveal(), "")


def test_the_end_of_a_token_is_answered(
    world: World, runner: Runner, variables: dict[str, str], verb: str
) -> None:
    before = int(time.time())
    log_in(runner, world.new_token("carol", "read", expires_in=HOUR))
    runner.run(verb, "setup-git", variables=variables)
    filled, said = fill(runner, variables, world.endpoint)
    end = int(filled["password_expiry_utc"])
    assert before + HOUR - 1 <= end <= time.time() + HOUR + 1
    assert said == ""


def module(
    runner: Runner, packages: Path, path: str, *arguments: str, variables: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run `python -m hubtoken` with an interpreter that has no `hubtoken` beside it."""
    more = {"PYTHONPATH": str(packages), "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [str(INTERPRETER), "-m", "hubtoken", *arguments],
        env=runner.environment(**variables, **more),
        cwd=runner.home,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_module_without_a_program_writes_none(
    runner: Runner, variables: dict[str, str], tmp_path: Path
) -> None:
    if not INTERPRETER.exists() or (INTERPRETER.parent / "hubtoken").exists():
        pytest.skip("there is no interpreter without hubtoken beside it")
    packages = tmp_path / "packages"
    packages.mkdir()
    (packages / "hubtoken").symlink_to(Path(hubtoken.__file__).parent)
    programs = tmp_path / "programs"
    programs.mkdir()
    for folder in os.environ["PATH"].split(os.pathsep):
        if (Path(folder) / "git").is_file():
            (programs / "git").symlink_to(Path(folder) / "git")
            break
    config = runner.home / "gitconfig"
    config.write_text("[credential]\n\thelper = store\n")
    before = config.read_text()
    refused = module(runner, packages, str(programs), "setup-git", variables=variables)
    assert refused.returncode == 1
    assert "no program for git to run" in refused.stderr
    assert config.read_text() == before

    # On PATH, or where `pip install --target` puts it, it is written by its absolute path.
    for place in (programs, packages / "bin"):
        place.mkdir(exist_ok=True)
        script = place / "hubtoken"
        script.write_text("#!/bin/sh\n")
        script.chmod(0o755)
        done = module(runner, packages, str(programs), "setup-git", variables=variables)
        assert done.returncode == 0, done.stderr
        assert f"'{script}' git-credential" in config.read_text()
        script.unlink()
        status = module(runner, packages, str(programs), "status", variables=variables)
        assert f"'{script}' git-credential" in status.stderr
        assert "is not there" in status.stderr
    undone = module(runner, packages, str(programs), "setup-git", "--undo", variables=variables)
    assert undone.returncode == 0, undone.stderr
    assert config.read_text() == before
