"""Named tokens: what one of `hf` and `hubtoken` stores, the other lists, uses and removes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import subprocess

    from tests.e2e.support.runner import Runner
    from tests.e2e.support.world import World


def value_of(world: World, kind: str) -> str:
    value = world.value(kind)
    assert value is not None
    return value


def listed(runner: Runner) -> dict[str, dict[str, object]]:
    done = runner.run("hubtoken", "list", "--json")
    assert done.returncode == 0, done.stderr
    return {token["name"]: token for token in json.loads(done.stdout)["tokens"]}


def python(runner: Runner, program: str, value: str) -> subprocess.CompletedProcess[str]:
    done = runner.run("python", "-c", program, variables={"TEST_VALUE": value})
    assert done.returncode == 0, done.stderr
    return done


def test_hf_logs_in_and_hubtoken_goes_on(world: World, runner: Runner) -> None:
    for kind in ("read", "write"):
        done = runner.run("hf", "auth", "login", "--token", value_of(world, kind))
        assert done.returncode == 0, done.stderr
    tokens = listed(runner)
    assert len(tokens) == 2
    inactive = next(name for name, token in tokens.items() if not token["active"])
    assert runner.run("hubtoken", "switch", inactive).returncode == 0
    assert listed(runner)[inactive]["active"]
    shown = runner.run("hf", "auth", "token")
    assert value_of(world, "read") in shown.stdout
    assert runner.run("hubtoken", "rename", inactive, "mine").returncode == 0
    assert "mine" in runner.run("hf", "auth", "list").stdout
    assert runner.run("hubtoken", "logout", "mine").returncode == 0
    assert "mine" not in runner.run("hf", "auth", "list").stdout
    assert runner.run("hf", "auth", "token").returncode == 1


LOGIN = """
import os, hubtoken
stored = hubtoken.login(os.environ["TEST_VALUE"], name=" odd ] [name; #=% ")
assert stored.active and stored.user == "alice", stored
assert os.environ["TEST_VALUE"] not in repr(stored)
import huggingface_hub
assert huggingface_hub.get_token() == stored.token.reveal()
assert [entry.name for entry in hubtoken.stored_tokens()] == [stored.name]
"""


def test_hubtoken_logs_in_and_hf_goes_on(world: World, runner: Runner) -> None:
    python(runner, LOGIN, value_of(world, "write"))
    whoami = runner.run("hf", "auth", "whoami")
    assert whoami.returncode == 0, whoami.stderr
    assert "alice" in whoami.stdout
    assert "odd ] [name; #=%" in runner.run("hf", "auth", "list").stdout
    done = runner.run("hf", "auth", "logout")
    assert done.returncode == 0, done.stderr
    assert listed(runner) == {}


CONFIGPARSER = """
import configparser, os, pathlib, huggingface_hub.constants, hubtoken
for name in ("DEFAULT", "", "a\\nb", "[x]", "a]", "#;", "%(x)s", "\\u2028", "ü", " b "):
    hubtoken.login(os.environ["TEST_VALUE"], name=name)
parser = configparser.ConfigParser(interpolation=None)
path = pathlib.Path(huggingface_hub.constants.HF_STORED_TOKENS_PATH)
with path.open(encoding="utf-8") as file:
    parser.read_file(file)
assert sorted(parser.sections()) == sorted(token.name for token in hubtoken.stored_tokens())
assert len(parser.sections()) == 10, parser.sections()
for name in parser.sections():
    assert parser[name]["hf_token"] == os.environ["TEST_VALUE"]
"""


@pytest.mark.parametrize("kind", ["read"])
def test_python_reads_every_name(world: World, runner: Runner, kind: str) -> None:
    python(runner, CONFIGPARSER, value_of(world, kind))


def test_logging_out_leaves_nothing_that_was_learned(world: World, runner: Runner) -> None:
    value = world.value("read")
    assert value is not None
    done = runner.run("hubtoken", "login", "--token-stdin", stdin=value)
    assert done.returncode == 0, done.stderr
    assert runner.run("hubtoken", "require", "read").returncode == 0
    known = sorted(runner.home.rglob("identities/*.json"))
    assert known
    assert value not in "".join(path.read_text(encoding="utf-8") for path in known)
    assert runner.run("hubtoken", "logout").returncode == 0
    assert not list(runner.home.rglob("identities/*.json"))
