"""One token per project: two folders, two stored tokens; every program uses its folder's token."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from tests.e2e.support.runner import SCRIPTS
from tests.environment import fake_token

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.support.runner import Runner
    from tests.e2e.support.world import World

# By path: `run` searches PATH, which may contain others.
PYTHON, HF = sys.executable, str(SCRIPTS / "hf")
SENT = "import huggingface_hub; print(huggingface_hub.get_token())"
ACTIVATED = (
    "import hubtoken, huggingface_hub\n"
    "hubtoken.resolve_token().activate()\n"
    "print(huggingface_hub.get_token())"
)


@pytest.fixture
def projects(world: World, runner: Runner) -> dict[str, Path]:
    """A folder for each of two stored tokens, the second of which is the active one."""
    folders = {}
    for kind in ("read", "write"):
        value = world.value(kind)
        assert value is not None
        done = runner.run("hubtoken", "login", "--token-stdin", "--name", kind, stdin=value)
        assert done.returncode == 0, done.stderr
        folder = runner.home / f"{kind}-app"
        folder.mkdir()
        done = runner.run("hubtoken", "use", kind, folder=folder)
        assert done.returncode == 0, done.stderr
        folders[kind] = folder
    return folders


@pytest.mark.parametrize("kind", ["read", "write"])
def test_every_program_uses_its_folders_token(
    kind: str, projects: dict[str, Path], world: World, runner: Runner
) -> None:
    folder, value = projects[kind], world.value(kind)
    assert value is not None
    deeper = folder / "src" / "deeper"
    deeper.mkdir(parents=True)
    for place in (folder, deeper):
        ran = runner.run("hubtoken", "run", "--", PYTHON, "-c", SENT, folder=place)
        assert ran.stdout.strip() == value, ran.stderr
        assert runner.run("python", "-c", ACTIVATED, folder=place).stdout.strip() == value
        question = f"url={world.endpoint}\n\n"
        told = runner.run("hubtoken", "git-credential", "get", stdin=question, folder=place)
        assert f"password={value}\n" in told.stdout, told.stderr
    whoami = runner.run("hubtoken", "run", "--", HF, "auth", "whoami", folder=folder)
    assert "alice" in whoami.stdout, whoami.stderr
    # Nothing has changed elsewhere: `hf` and hubtoken use the active token.
    assert runner.run("hf", "auth", "token").stdout.split()[-1] == world.value("write")
    listed = json.loads(runner.run("hubtoken", "list", "--json").stdout)["tokens"]
    assert {token["name"]: token["active"] for token in listed} == {"read": False, "write": True}


def test_a_project_is_checked_before_its_command_runs(
    projects: dict[str, Path], world: World, runner: Runner
) -> None:
    name = world.new_name()
    for kind, code in (("read", 1), ("write", 0)):
        file = projects[kind] / "hubtoken.toml"
        file.write_text(f'{file.read_text()}role = "write"\nrepo = "{name}"\n')
        required = runner.run("hubtoken", "require", folder=projects[kind])
        assert required.returncode == code, required.stderr
        ran = runner.run("hubtoken", "run", "--", PYTHON, "-c", "print(1)", folder=projects[kind])
        assert (ran.returncode, ran.stdout) == (code, "" if code else "1\n"), ran.stderr
    unchecked = ("hubtoken", "run", "--no-check", "--", PYTHON, "-c", "print(1)")
    assert runner.run(*unchecked, folder=projects["read"]).stdout == "1\n"


def test_a_command_is_a_source_for_every_program(world: World, runner: Runner) -> None:
    """Like a password manager: the token is in no environment and in no file."""
    value = world.value("write")
    assert value is not None
    vault = runner.home / "vault"
    vault.write_text(value)
    configuration = runner.home / "config" / "hubtoken" / "config.toml"
    configuration.parent.mkdir(parents=True)
    configuration.write_text(f"token_command = ['cat', '{vault}']\n")
    status = runner.run("hubtoken", "status", "--json")
    assert status.returncode == 0, status.stderr
    assert json.loads(status.stdout)["token"]["source"] == "command:cat"
    ran = runner.run("hubtoken", "run", "--", PYTHON, "-c", SENT)
    assert ran.stdout.strip() == value, ran.stderr
    assert runner.run("python", "-c", ACTIVATED).stdout.strip() == value
    question = f"url={world.endpoint}\n\n"
    told = runner.run("hubtoken", "git-credential", "get", stdin=question)
    assert f"password={value}\n" in told.stdout, told.stderr
    # The token that it returns by now is used.
    vault.write_text(fake_token())
    assert runner.run("hubtoken", "whoami").returncode == 1
