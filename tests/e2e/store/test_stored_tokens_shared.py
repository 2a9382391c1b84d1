"""Every verb of `huggingface_hub` and of hubtoken on the same files, in both directions."""

from __future__ import annotations

import configparser
import stat
import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e.support.actors import OURS, THEIRS, Actor, HfCommand, HubtokenCommand, HuggingfaceHub
from tests.environment import fake_token

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.support.runner import Runner
    from tests.e2e.support.world import World


def value_of(world: World, kind: str) -> str:
    value = world.value(kind)
    assert value is not None
    return value


@pytest.mark.parametrize("first", ["theirs", "ours"])
# Commands with commands, libraries with libraries: each call is a process, and these are enough.
@pytest.mark.parametrize(("theirs", "ours"), list(zip(THEIRS, OURS, strict=True)))
def test_what_one_stores_the_other_uses_and_removes(
    world: World, runner: Runner, theirs: str, ours: str, first: str
) -> None:
    our, their = OURS[ours](runner), THEIRS[theirs](runner)
    one, other = (their, our) if first == "theirs" else (our, their)
    actors: tuple[Actor, Actor] = (one, other)
    for actor in actors:
        assert actor.list() == {}
        assert actor.token() is None
    read, write = value_of(world, "read"), value_of(world, "write")
    one.login(read)
    one.login(write)
    assert other.list() == {"read": False, "write": True}
    assert (other.token(), other.whoami()) == (write, "alice")
    other.switch("read")
    assert one.list() == {"read": True, "write": False}
    assert (one.token(), one.whoami()) == (read, "alice")
    other.login(value_of(world, "fine-grained"))
    assert one.list() == {"fine-grained": True, "read": False, "write": False}
    one.switch("write")
    our.rename("write", "mine")
    for actor in actors:
        assert actor.list() == {"fine-grained": False, "mine": True, "read": False}
    other.logout("mine")
    for actor in actors:
        assert actor.list() == {"fine-grained": False, "read": False}
        assert actor.token() is None
    one.switch("fine-grained")
    other.logout()
    for actor in actors:
        assert actor.list() == {}
        assert actor.token() is None
    # Nothing is left that would break a login with the other.
    other.login(read)
    assert one.list() == {"read": True}


@pytest.mark.parametrize("first", ["theirs", "ours"])
@pytest.mark.parametrize("place", ["HF_HOME", "HF_TOKEN_PATH"])
def test_both_look_where_the_variables_say(
    world: World, runner: Runner, place: str, first: str
) -> None:
    home = runner.home
    variables, folder, token = {
        "HF_HOME": (
            {"HF_HOME": "~/${DEEPER}/hf", "DEEPER": "a b/c"},
            home / "a b/c/hf",
            home / "a b/c/hf/token",
        ),
        "HF_TOKEN_PATH": (
            {"HF_TOKEN_PATH": "~/secrets/active"},
            home / "secrets",
            home / "secrets/active",
        ),
    }[place]
    actors: list[Actor] = [HuggingfaceHub(runner, variables), HubtokenCommand(runner, variables)]
    one, other = actors if first == "theirs" else reversed(actors)
    read, write = value_of(world, "read"), value_of(world, "write")
    one.login(read)
    other.login(write)
    assert token.read_text(encoding="utf-8") == write
    assert one.list() == other.list() == {"read": False, "write": True}
    one.switch("read")
    assert (one.token(), other.token()) == (read, read)
    # Not in the default location without the variable.
    assert (folder / "stored_tokens").exists()
    assert not (home / "huggingface" / "token").exists()
    other.logout()
    assert not token.exists()
    assert not (folder / "stored_tokens").exists()


def write_stored(folder: Path, text: str) -> Path:
    """The file as a user has left it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "stored_tokens"
    path.write_text(text, encoding="utf-8")
    return path


def test_staging_has_a_token_of_its_own_and_shares_the_names(runner: Runner) -> None:
    values = {"a": fake_token(), "b": fake_token()}
    text = "".join(f"[{name}]\nhf_token = {value}\n\n" for name, value in values.items())
    write_stored(runner.home / "huggingface", text)
    variables = {"HUGGINGFACE_CO_STAGING": "1"}
    their, our = HfCommand(runner, variables), HubtokenCommand(runner, variables)
    path = runner.home / ".cache" / "huggingface_staging" / "token"
    our.switch("a")
    assert path.read_text(encoding="utf-8") == values["a"]
    assert their.token() == values["a"]
    assert their.list() == our.list() == {"a": True, "b": False}
    their.switch("b")
    assert (our.token(), our.list()) == (values["b"], {"a": False, "b": True})
    assert not (runner.home / "huggingface" / "token").exists()
    our.logout("b")
    assert (their.token(), their.list()) == (None, {"a": False})


@pytest.mark.parametrize("variable", ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"])
def test_logging_out_while_a_variable_is_set(world: World, runner: Runner, variable: str) -> None:
    folder = runner.home / "huggingface"
    value = fake_token()
    our = HubtokenCommand(runner)
    set_for = HubtokenCommand(runner, {variable: value})
    HfCommand(runner).login(value_of(world, "read"))
    done = set_for.run("hubtoken", "logout", "--all", "--json")
    assert f"{variable} is set and is still used" in done.stdout
    assert not (folder / "token").exists()
    our.login(value_of(world, "read"))
    # `hf` removes the files, and then reports a failure.
    done = HfCommand(runner, {variable: value}).run("hf", "auth", "logout", code=1)
    assert value not in done.stderr + done.stdout
    assert (our.list(), our.token()) == ({}, None)
    assert set_for.token() == value


def test_what_an_oauth_login_has_stored_stays(world: World, runner: Runner) -> None:
    expires_at = int(time.time()) + 40 * 86_400
    oauth, refresh = f"hf_oauth_{fake_token()[3:]}", f"hf_oauth__refresh_{fake_token()[3:]}"
    folder = runner.home / "huggingface"
    path = write_stored(
        folder,
        f"[oauth-alice]\nhf_token = {oauth}\nrefresh_token = {refresh}\n"
        f"expires_at = {expires_at}\n\n",
    )
    (folder / "token").write_text(oauth, encoding="utf-8")
    our, their = HubtokenCommand(runner), HfCommand(runner)
    our.login(value_of(world, "read"))
    our.switch("oauth-alice")
    our.rename("oauth-alice", "browser")
    our.logout("read")
    assert their.token() == oauth
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(path.read_text(encoding="utf-8"))
    assert dict(parser["browser"]) == {
        "hf_token": oauth,
        "refresh_token": refresh,
        "expires_at": str(expires_at),
    }
    day = time.strftime("%Y-%m-%d", time.gmtime(expires_at))
    assert day in our.run("hubtoken", "list").stdout
    assert day in their.run("hf", "auth", "list").stdout
    assert refresh not in our.run("hubtoken", "list", "--json").stdout


def test_what_we_do_not_know_survives_us(world: World, runner: Runner) -> None:
    theirs = (
        "# by hand\n[ci]\nhf_token = {value}\nteam : ours\n  and theirs\n\n[empty]\n\n"
        "; about the next\n[not a token]\nurl = https://hub.example\n\n"
    )
    text = theirs.format(value=fake_token())
    path = write_stored(runner.home / "huggingface", text)
    our = HubtokenCommand(runner)
    our.login(value_of(world, "read"))
    our.rename("read", "zz")
    our.switch("ci")
    our.switch("zz")
    our.logout("zz")
    assert path.read_text(encoding="utf-8") == text


ODD = ("a b", "[x]", "a]", "] = [", "#;%(x)s", "ü\u3042\U0001f917", "-rf", "--all")


def test_names_of_every_kind_go_both_ways(world: World, runner: Runner) -> None:
    our, their = HubtokenCommand(runner), HuggingfaceHub(runner)
    values = {}
    for number, name in enumerate(ODD):
        token = world.hub.create_token("alice", name=f"{name}", role="read")
        values[name] = token.reveal()
        (our if number % 2 else their).login(values[name])
    last = ODD[-1]
    expected = {name: name == last for name in ODD}
    assert our.list() == their.list() == expected
    for number, name in enumerate(ODD[:-1]):
        one, other = (our, their) if number % 2 else (their, our)
        one.switch(name)
        assert other.token() == values[name]
        other.logout(name)
        expected.pop(name)
        assert set(one.list()) == set(expected)


def test_the_folders_mode_is_left_as_the_other_left_it(world: World, runner: Runner) -> None:
    folder = runner.home / "huggingface"
    folder.mkdir()
    folder.chmod(0o750)
    our, their = HubtokenCommand(runner), HuggingfaceHub(runner)
    our.login(value_of(world, "read"))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o750
    their.login(value_of(world, "write"))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    our.switch("read")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for name in ("token", "stored_tokens"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
