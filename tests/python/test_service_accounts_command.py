"""`hubtoken service-accounts` as a process: where the value of a new token goes, and where not."""

from __future__ import annotations

import configparser
import contextlib
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import hubtoken
from hubtoken import errors
from hubtoken.hub import Hub
from tests.environment import HANG_LIMIT, child_environment, fake_token
from tests.python.helpers import leaks
from tests.python.servers import http, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.python.servers import Request

COMMAND = [sys.executable, "-m", "hubtoken", "service-accounts"]
CREATE = ("token", "create", "acme", "ci", "runner")
ACCOUNT = "64b0c0ffee0000000000c001"
TOKEN = "64b0c0ffee0000000000f001"
pytestmark = pytest.mark.skipif(os.name != "posix", reason="descriptors are POSIX's")


class Company:
    """A Hub with `acme`, its account `ci`, and the command of its administrator."""

    def __init__(self, home: Path, hub: Hub) -> None:
        hub.create_user("root")
        hub.create_organization("acme")
        hub.set_member("acme", "root", "admin")
        self.home = home
        self.root = hub.create_token("root", name="root", role="write")
        self.accounts = hubtoken.service_accounts("acme", self.root)
        self.accounts.create("ci")
        self.environment = child_environment(
            home, HF_ENDPOINT=hub.endpoint, HF_TOKEN=self.root.reveal()
        )

    def start(
        self, *arguments: str, fds: tuple[int, ...] = (), **more: Any
    ) -> subprocess.Popen[str]:
        """Start the command without a terminal."""
        return subprocess.Popen(
            [*COMMAND, *arguments],
            env=self.environment,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=fds,
            text=True,
            **more,
        )

    def run(self, *arguments: str, fds: tuple[int, ...] = ()) -> subprocess.CompletedProcess[str]:
        """Run the command to its end."""
        with self.start(*arguments, fds=fds) as process:
            out, err = process.communicate(timeout=HANG_LIMIT)
            assert leaks(out + err, self.root.reveal()) == []
            return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def tokens(self) -> list[hubtoken.ServiceAccountToken]:
        """What the Hub lists."""
        return self.accounts.get("ci").tokens or []

    def stored(self) -> dict[str, str]:
        """What the store has."""
        parser = configparser.RawConfigParser()
        parser.read(self.home / "huggingface" / "stored_tokens")
        return {name: parser[name]["hf_token"] for name in parser.sections()}

    def is_alive(self, value: str) -> bool:
        """Whether the Hub accepts a value."""
        token = hubtoken.HubToken(value, endpoint=self.accounts.endpoint)
        try:
            hubtoken.whoami(token, max_age=0)
        except errors.InvalidTokenError:
            return False
        return True


@pytest.fixture
def company(home: Path) -> Iterator[Company]:
    with Hub() as hub:
        yield Company(home, hub)


@contextlib.contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe whose ends are closed at the end, if they are still open."""
    ends = os.pipe()
    try:
        yield ends
    finally:
        for end in ends:
            with contextlib.suppress(OSError):
                os.close(end)


def test_a_value_goes_where_it_was_sent_and_nowhere_else(company: Company) -> None:
    with pipe() as (reading, writing):
        done = company.run(*CREATE, "--fd", str(writing), fds=(writing,))
        assert done.returncode == 0, done.stderr
        os.close(writing)
        with os.fdopen(os.dup(reading)) as stream:
            value = stream.read()
    assert value.endswith("\n")
    assert company.is_alive(value.strip())
    assert leaks(done.stdout + done.stderr, value.strip()) == []
    assert company.stored() == {}
    stored = company.run(*CREATE, "--store", "runner", "--json")
    assert stored.returncode == 0, stored.stderr
    second = company.stored()["runner"]
    assert company.is_alive(second)
    assert leaks(stored.stdout + stored.stderr, second) == []
    assert json.loads(stored.stdout)["stored_as"] == ["runner"]
    # `--fd 1` makes standard output the value alone.
    alone = company.run(*CREATE, "--fd", "1")
    assert company.is_alive(alone.stdout.removesuffix("\n"))
    assert leaks(alone.stderr, alone.stdout.strip()) == []
    # The files of the store have it, and no other one.
    found = [
        path.name
        for path in company.home.rglob("*")
        if path.is_file() and leaks(path.read_bytes(), value.strip(), second, alone.stdout.strip())
    ]
    assert found == ["stored_tokens"]


def test_a_file_is_continued_and_its_readers_are_told(company: Company, tmp_path: Path) -> None:
    path = tmp_path / "token.txt"
    path.write_text("first\n")
    for mode, warned in ((0o600, False), (0o644, True)):
        path.chmod(mode)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
        done = company.run(*CREATE, "--fd", str(descriptor), fds=(descriptor,))
        os.close(descriptor)
        assert done.returncode == 0, done.stderr
        assert ("can read the file of descriptor" in done.stderr) == warned
    first, *values = path.read_text().splitlines()
    assert first == "first"
    assert [company.is_alive(value) for value in values] == [True, True]


def test_a_descriptor_that_cannot_take_it_is_found_first(company: Company) -> None:
    with pipe() as (reading, writing):
        for number, words in ((reading, "Bad file descriptor"), (987, "Bad file descriptor")):
            fds = (reading,) if number == reading else ()
            done = company.run(*CREATE, "--fd", str(number), fds=fds)
            assert done.returncode == 2, done.stderr
            assert words in done.stderr
        os.close(reading)
        done = company.run(*CREATE, "--fd", str(writing), fds=(writing,))
        assert done.returncode == 2, done.stderr
        assert "nobody reads from it" in done.stderr
    done = company.run(*CREATE, "--reveal")
    assert done.returncode == 2
    assert "--fd 1" in done.stderr
    assert company.tokens() == []


def test_a_terminal_is_no_descriptor_for_a_value(company: Company) -> None:
    controller, terminal = os.openpty()
    try:
        done = company.run(*CREATE, "--fd", str(terminal), fds=(terminal,))
        assert done.returncode == 2
        assert "--reveal" in done.stderr
    finally:
        os.close(controller)
        os.close(terminal)
    assert company.tokens() == []


def test_a_terminal_shows_it_if_it_is_asked_to(company: Company) -> None:
    controller, terminal = os.openpty()
    with os.fdopen(controller, "rb", buffering=0) as screen:
        with subprocess.Popen(
            [*COMMAND, *CREATE, "--reveal"],
            env=company.environment,
            cwd=company.home,
            stdin=subprocess.DEVNULL,
            stdout=terminal,
            stderr=subprocess.PIPE,
        ) as process:
            os.close(terminal)
            shown = b""
            while b"\n" not in shown:
                shown += screen.read(65536)
            _, err = process.communicate(timeout=HANG_LIMIT)
        assert process.returncode == 0, err
    value = shown.decode().splitlines()[0]
    assert company.is_alive(value)
    assert leaks(err, value) == []
    assert company.stored() == {}


def test_a_question_is_answered_at_the_terminal(company: Company) -> None:
    for answer, code, left in (("n", 2, 1), ("y", 0, 0)):
        controller, terminal = os.openpty()
        os.write(controller, f"{answer}\n".encode())
        with subprocess.Popen(
            [*COMMAND, "delete", "acme", "ci"],
            env=company.environment,
            cwd=company.home,
            stdin=terminal,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            _, err = process.communicate(timeout=HANG_LIMIT)
        os.close(controller)
        os.close(terminal)
        assert process.returncode == code, err
        assert "Delete the service account `ci`" in err
        assert len(company.accounts.list()) == left


@pytest.mark.parametrize("blocking", [True, False])
def test_a_full_pipe_is_waited_for(company: Company, blocking: bool) -> None:
    with pipe() as (reading, writing):
        os.set_blocking(writing, False)
        filler = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                filler += os.write(writing, b".")
        os.set_blocking(writing, blocking)
        with company.start(*CREATE, "--fd", str(writing), fds=(writing,)) as process:
            while not company.tokens():
                assert process.poll() is None
            taken = b""
            os.close(writing)
            while chunk := os.read(reading, 65536):
                taken += chunk
            assert process.wait(HANG_LIMIT) == 0
        value = taken[filler:].decode().removesuffix("\n")
        assert company.is_alive(value)


def test_ctrl_c_at_a_full_pipe_says_what_is_left_to_do(company: Company) -> None:
    with pipe() as (reading, writing):
        os.set_blocking(writing, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writing, b".")
        os.set_blocking(writing, True)
        with company.start(*CREATE, "--fd", str(writing), fds=(writing,)) as process:
            while not company.tokens():
                assert process.poll() is None
            # However early it comes, the answer of the Hub is waited for.
            while process.poll() is None:
                process.send_signal(signal.SIGINT)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.2)
            assert process.stderr is not None
            said = process.stderr.read()
        assert process.returncode == 130, said
        [token] = company.tokens()
        assert "a value now that nobody has" in said
        assert token.id in said
        del reading


def test_no_value_takes_the_place_of_another(company: Company) -> None:
    """Also in processes that choose a name at the same time."""
    started = [company.start(*CREATE, "--json") for _ in range(4)]
    names = []
    for process in started:
        with process:
            out, err = process.communicate(timeout=HANG_LIMIT)
            assert process.returncode == 0, out + err
            names += json.loads(out)["stored_as"]
    stored = company.stored()
    assert sorted(stored) == sorted(names)
    assert len(set(stored.values())) == 4
    assert all(company.is_alive(value) for value in stored.values())
    assert {value[-4:] for value in stored.values()} == {token.last4 for token in company.tokens()}


def account() -> dict[str, object]:
    """An account with a token, as a Hub describes it."""
    token = {"_id": TOKEN, "displayName": "runner", "last4": "abcd", "permissions": ["repo.write"]}
    return {"_id": ACCOUNT, "user": "acme--ci", "name": "ci", "accessTokens": [token]}


@pytest.mark.parametrize(
    ("answer", "code", "kind"),
    [
        (http(401, '{"error":"no"}'), 1, "InvalidTokenError"),
        (http(403, '{"error":"no"}'), 1, "InsufficientRoleError"),
        (http(404, '{"error":"no"}'), 1, "HubError"),
        (http(409, '{"error":"no"}'), 1, "HubError"),
        (http(429, '{"error":"no"}', Retry_After="7"), 3, "RateLimitedError"),
        (http(500, "x"), 3, "HubUnreachableError"),
        (http(201, "{}"), 3, "VerdictUnknownError"),
        (b"", 3, "HubUnreachableError"),
    ],
    ids=lambda value: str(value)[:14] if isinstance(value, bytes) else "",
)
def test_each_answer_has_its_code(home: Path, answer: bytes, code: int, kind: str) -> None:
    def answered(request: Request) -> bytes:
        reads = request.path.endswith(f"/{ACCOUNT}")
        return http(200, json.dumps(account())) if reads else answer

    value = fake_token()
    with serving(answered) as server:
        for verb in (("create", "acme", ACCOUNT), ("rotate", "acme", ACCOUNT, TOKEN)):
            done = subprocess.run(
                [*COMMAND, "token", *verb, "--json"],
                check=False,
                env=child_environment(home, HF_ENDPOINT=server.endpoint, HF_TOKEN=value),
                cwd=home,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=HANG_LIMIT,
            )
            assert done.returncode == code, done.stdout + done.stderr
            error = json.loads(done.stdout)["error"]
            assert error["kind"] == kind
            assert ("may have" in error["message"]) == (code == 3 and kind != "RateLimitedError")
            assert leaks(done.stdout + done.stderr, value) == []
    assert not (home / "huggingface" / "stored_tokens").exists()
