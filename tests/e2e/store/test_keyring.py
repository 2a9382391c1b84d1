"""Tokens in the real gnome-keyring: put there, used, moved, removed; locked, absent, hanging."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.e2e.support.keyring_session import KeyringSession, missing_programs
from tests.python.helpers import leaks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.support.runner import Runner
    from tests.e2e.support.world import World

missing = missing_programs()
pytestmark = pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


@pytest.fixture
def session(home: Path) -> Iterator[KeyringSession]:
    with KeyringSession(home) as session:
        session.start()
        yield session


class Desk:
    """A home in such a session."""

    def __init__(self, runner: Runner, session: KeyringSession) -> None:
        """Nothing is stored yet."""
        self.runner, self.session = runner, session

    def run(self, *arguments: str, code: int = 0, stdin: str = "", **variables: str) -> str:
        """Run the command; what it wrote."""
        variables = self.session.variables | variables
        done = self.runner.run("hubtoken", *arguments, stdin=stdin, variables=variables)
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def json(self, *arguments: str, **variables: str) -> Any:
        """Run the command, and read its object."""
        return json.loads(self.run(*arguments, "--json", code=0, stdin="", **variables))

    def log_in(self, value: str, name: str = "ci") -> None:
        """Put a token into the keyring."""
        self.run("login", "--keyring", "--token-stdin", "--name", name, stdin=value)

    def files(self) -> bytes:
        """All that is in the folder of the tokens."""
        paths = sorted((self.runner.home / "huggingface").rglob("*"))
        return b"\n".join(path.read_bytes() for path in paths if path.is_file())


@pytest.fixture
def desk(runner: Runner, session: KeyringSession) -> Desk:
    return Desk(runner, session)


@pytest.fixture
def value(world: World) -> str:
    value = world.value("write")
    assert value is not None
    return value


def test_a_token_in_the_keyring_is_used_by_its_name_and_is_in_no_file(
    desk: Desk, value: str
) -> None:
    desk.log_in(value)
    assert leaks(desk.files(), value) == []
    (token,) = desk.json("list")["tokens"]
    assert (token["name"], token["keyring"], token["problem"]) == ("ci", True, None)
    assert "in the keyring" in desk.run("list")
    assert desk.run("token", "--profile", "ci").strip() == value
    status = desk.json("status", "--profile", "ci")
    assert status["identity"]["user"] == "alice"
    assert ", in the keyring" in desk.run("status", "--profile", "ci")
    assert desk.run("require", "write", "--profile", "ci", "--quiet") == ""
    # It is not the active token.
    assert "TokenNotFoundError" in desk.run("token", "--json", code=1)
    # Another process, after the keyring was started anew.
    desk.session.stop()
    desk.session.start()
    assert desk.run("token", "--profile", "ci").strip() == value


def test_a_token_moves_there_and_back(desk: Desk, value: str) -> None:
    desk.run("login", "--token-stdin", "--name", "ci", stdin=value)
    assert leaks(desk.files(), value) != []
    assert desk.json("move", "ci", "--keyring")["was_active"] is True
    assert leaks(desk.files(), value) == []
    assert desk.json("move", "ci", "--keyring")["changed"] is False
    assert desk.run("token", "--profile", "ci").strip() == value
    desk.run("move", "ci", "--file")
    assert leaks(desk.files(), value) != []
    desk.run("switch", "ci")
    assert desk.run("token").strip() == value
    # Nothing is left in the keyring.
    desk.session.stop()
    assert desk.run("token", "--profile", "ci").strip() == value


def test_what_is_renamed_and_removed_there(desk: Desk, value: str, world: World) -> None:
    desk.log_in(value)
    desk.run("rename", "ci", "laptop")
    assert desk.session.labels() == [f"hubtoken: laptop ({world.hub.endpoint})"]
    assert desk.run("token", "--profile", "laptop").strip() == value
    desk.run("logout", "laptop")
    assert desk.json("list")["tokens"] == []
    assert desk.session.labels() == []


def test_nothing_is_left_there_by_any_verb(desk: Desk, value: str, world: World) -> None:
    # Logged in once more, under the same name and under another one.
    desk.log_in(value)
    desk.log_in(value)
    desk.log_in(value, name="other")
    assert len(desk.session.labels()) == 2
    # It cannot be the active one, and stays where it is.
    said = desk.run("switch", "ci", code=2)
    assert "hubtoken move ci --file" in said
    assert len(desk.session.labels()) == 2
    # A name that is taken changes nothing.
    desk.run("rename", "ci", "other", code=1)
    assert desk.run("token", "--profile", "ci").strip() == value
    desk.run("move", "ci", "--file")
    assert desk.json("logout", "ci")["also_stored_as"] == ["other"]
    assert desk.run("token", "--profile", "other").strip() == value
    desk.log_in(value)
    assert sorted(desk.json("logout", "--all")["names"]) == ["ci", "other"]
    assert desk.session.labels() == []
    # Revoked by its name, and by its value.
    for arguments, stdin in ((["new"], ""), (["--stdin"], None)):
        fresh = world.new_token("alice", "read").reveal()
        desk.log_in(fresh, name="new")
        said = desk.run("revoke", *arguments, "--yes", stdin=fresh if stdin is None else stdin)
        assert leaks(said, fresh) == []
        assert desk.session.labels() == []
        assert desk.json("list")["tokens"] == []


def credential(desk: Desk, world: World, user: str, **variables: str) -> tuple[str, str]:
    """What git gets for a user, and what it is told."""
    address = urlsplit(world.hub.endpoint)
    question = f"protocol={address.scheme}\nhost={address.netloc}\nusername={user}\n\n"
    done = desk.runner.run(
        "git-credential-hubtoken",
        "get",
        stdin=question,
        variables=desk.session.variables | variables,
    )
    assert done.returncode == 0, done.stderr
    found = re.search("^password=(.*)$", done.stdout, re.MULTILINE)
    return (found[1] if found else ""), done.stderr


def test_git_gets_the_token_of_the_user_whom_it_names(desk: Desk, value: str, world: World) -> None:
    desk.log_in(value)
    password, said = credential(desk, world, "alice")
    assert (password, said) == (value, "")
    assert credential(desk, world, "nobody")[0] == ""
    # A locked keyring is a line, and git goes on.
    desk.session.stop()
    desk.session.start(unlocked=False)
    password, said = credential(desk, world, "alice")
    assert password == ""
    assert "git asks for the user `alice`" in said
    assert "is locked" in said


@pytest.mark.parametrize("state", ["locked", "absent", "hanging"])
def test_a_verb_that_the_keyring_does_not_do_leaves_nothing_half_done(
    desk: Desk, value: str, world: World, state: str
) -> None:
    dead = world.new_token("alice", "read").reveal()
    desk.log_in(value)
    desk.log_in(dead, name="dead")
    read = world.value("read")
    assert read is not None
    desk.run("login", "--token-stdin", "--name", "plain", stdin=read)
    words = {"locked": "is locked", "absent": "no keyring service", "hanging": "has not answered"}
    if state == "hanging":
        desk.session.hold()
    else:
        desk.session.stop()
        if state == "locked":
            desk.session.start(unlocked=False)

    def said(*arguments: str, code: int = 2, stdin: str = "") -> str:
        output = desk.run(*arguments, code=code, stdin=stdin, HUBTOKEN_SOURCE_TIMEOUT="0.2")
        assert leaks(output, value, dead, read) == []
        assert words[state] in output, output
        return output

    said("move", "ci", "--file")
    said("move", "plain", "--keyring")
    said("logout", "ci")
    said("revoke", "ci", "--yes")
    assert "`laptop`" in said("rename", "ci", "laptop", code=0)
    # What does not need the keyring does not mention it.
    assert words[state] not in desk.run("status")
    names = {token["name"]: token["keyring"] for token in desk.json("list")["tokens"]}
    assert names == {"laptop": True, "dead": True, "plain": False}
    assert desk.run("token").strip() == read
    # The Hub has revoked it, so it is forgotten, and what may be left is said.
    assert "may still be in the keyring" in said("revoke", "--stdin", "--yes", code=0, stdin=dead)
    assert "`laptop`" in said("logout", "--all", code=0)
    assert [token["name"] for token in desk.json("list")["tokens"]] == ["laptop"]
    desk.session.stop()
    desk.session.start()
    assert desk.run("token", "--profile", "laptop").strip() == value
    desk.run("rename", "laptop", "laptop")
    labels = [label.split()[1] for label in desk.session.labels()]
    assert labels == ["dead", "laptop"]


def test_huggingface_hub_works_beside_it(desk: Desk, value: str, world: World) -> None:
    desk.log_in(value)
    read = world.value("read")
    assert read is not None
    desk.run("login", "--token-stdin", "--name", "plain", stdin=read)
    for command in (
        ["auth", "list"],
        ["auth", "whoami"],
        ["auth", "switch", "--token-name", "plain"],
    ):
        done = desk.runner.run("hf", *command)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
    assert desk.run("token", "--profile", "ci").strip() == value


def test_from_python(desk: Desk, value: str) -> None:
    program = (
        "import sys, hubtoken\n"
        "stored = hubtoken.login(sys.stdin.read(), name='ci', keyring=True)\n"
        "token = hubtoken.resolve_token(profile='ci')\n"
        "assert token.reveal() not in repr(stored) + repr(token)\n"
        "print(stored.name, token.source, hubtoken.whoami(token).user)\n"
        "hubtoken.move_token('ci', keyring=False)\n"
        "print(hubtoken.resolve_token(profile='ci') == token)\n"
        "hubtoken.logout('ci')\n"
        "print(hubtoken.stored_tokens())\n"
    )
    done = desk.runner.run(
        sys.executable, "-c", program, stdin=value, variables=desk.session.variables
    )
    assert done.stdout.splitlines() == ["ci keyring:ci alice", "True", "[]"], done.stderr
    assert leaks(done.stdout + done.stderr, value) == []


def test_a_locked_keyring_says_so(desk: Desk, value: str) -> None:
    desk.log_in(value)
    desk.session.stop()
    desk.session.start(unlocked=False)
    said = desk.run("token", "--profile", "ci", code=2)
    assert "is locked" in said
    assert leaks(said, value) == []
    (token,) = desk.json("list")["tokens"]
    assert token["keyring"] is True
    desk.run("login", "--keyring", "--token-stdin", "--name", "x", stdin=value, code=2)
    assert [token["name"] for token in desk.json("list")["tokens"]] == ["ci"]


def test_a_keyring_that_is_not_there_says_so(desk: Desk, value: str) -> None:
    desk.log_in(value)
    desk.session.stop()
    for address in (desk.session.address, "unix:path=/nowhere/bus"):
        said = desk.run("token", "--profile", "ci", code=2, DBUS_SESSION_BUS_ADDRESS=address)
        assert "there is no keyring service here" in said
    said = desk.run("login", "--keyring", "--token-stdin", "--name", "x", stdin=value, code=2)
    assert "there is no keyring service here" in said
    assert leaks(desk.files(), value) == []
    desk.session.start()
    assert desk.run("token", "--profile", "ci").strip() == value


def test_a_keyring_that_hangs_is_given_up_on(desk: Desk, value: str) -> None:
    desk.log_in(value)
    desk.session.hold()
    said = desk.run("token", "--profile", "ci", code=2, HUBTOKEN_SOURCE_TIMEOUT="0.2")
    assert "has not answered for 0.2 seconds" in said
    # What does not need it does not wait for it.
    (token,) = desk.json("list")["tokens"]
    assert token["name"] == "ci"


def test_ci_does_not_ask_it(desk: Desk, value: str) -> None:
    desk.log_in(value)
    said = desk.run("token", "--profile", "ci", code=2, CI="true")
    assert "not asked in CI" in said
    said = desk.run("move", "ci", "--file", code=2, CI="1")
    assert "not asked in CI" in said
    assert desk.run("token", "--profile", "ci", CI="false").strip() == value
