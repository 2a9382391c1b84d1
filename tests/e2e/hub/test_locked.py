"""A database or a folder locked by another process: what waits, what is reported, what is kept."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.support.operating import run
from tests.e2e.support.served import Served
from tests.environment import HANG_LIMIT, child_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Another program with the same file: it takes the lock, says so, and releases it at end of input.
HOLDER = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN " + sys.argv[2])
print("held", flush=True)
sys.stdin.read()
database.execute("ROLLBACK")
database.close()
"""


@contextlib.contextmanager
def held(home: Path, data: Path, how: str) -> Iterator[None]:
    """The database, locked by another process."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(data / "hub.sqlite3"), how],
        env=child_environment(home),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield
            process.communicate("", timeout=HANG_LIMIT)
        finally:
            process.kill()


@pytest.mark.parametrize("how", ["IMMEDIATE", "EXCLUSIVE"])
def test_a_locked_database_is_told_as_such_and_nothing_is_lost(
    home: Path, tmp_path: Path, how: str
) -> None:
    data = tmp_path / "data"
    with Served(home, data) as hub:
        client = hub.connect()
        client.admin("POST", "users", {"name": "alice"})
        client.admin("POST", "organizations", {"name": "acme"})
        value = client.admin("POST", "users/alice/tokens", {"name": "ci", "role": "write"})["token"]
        assert client.status(value) == 200
        before = client.admin("GET", "audit?limit=1000")["entries"]
        with held(home, data, how):
            # All at once: they wait in one queue, not one after the other forever.
            answers: list[tuple[int, Any, str | None]] = []

            def write(method: str, path: str, body: object) -> None:
                status, answer, headers = hub.connect().ask(method, path, hub.key, body)
                answers.append((status, answer, headers["Retry-After"]))

            deeds = [
                ("POST", "users/alice/tokens/ci/refresh", None),
                ("DELETE", "users/alice/tokens/ci", None),
                ("PUT", "organizations/acme/policy", {"policy": "fine-grained-only"}),
                ("POST", "users", {"name": "bob"}),
            ]
            threads = [
                threading.Thread(target=write, args=(method, f"/-/hubtoken/v1/{path}", body))
                for method, path, body in deeds
            ]
            for thread in threads:
                thread.start()
            # Readers are not blocked, not even by waiting writers.
            assert client.status(value) == 200
            assert client.admin("GET", "audit?limit=1000")["entries"] == before
            for thread in threads:
                thread.join()
            assert len(answers) == len(deeds)
            for status, answer, again in answers:
                assert (status, again) == (503, "1"), answer
                assert "busy" in answer["error"]
                assert str(data) not in answer["error"]
        assert client.status(value) == 200
        assert client.admin("GET", "audit?limit=1000")["entries"] == before
        fresh = client.admin("POST", "users/alice/tokens/ci/refresh")["token"]
        assert (client.status(value), client.status(fresh)) == (401, 200)
        client.admin("PUT", "organizations/acme/policy", {"policy": "fine-grained-only"})


def test_a_write_that_waits_is_done_when_the_lock_is_given_back(home: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Served(home, data) as hub:
        client = hub.connect()
        client.admin("POST", "users", {"name": "alice"})
        answers: list[int] = []

        def write() -> None:
            path = "/-/hubtoken/v1/users"
            answers.append(hub.connect().ask("POST", path, hub.key, {"name": "bob"})[0])

        # If the machine is so busy that the Hub's time-out expires first, the Hub reports it, and
        # nothing has happened.
        while answers[-1:] in ([], [503]):
            answers.clear()
            thread = threading.Thread(target=write)
            with held(home, data, "IMMEDIATE"):
                thread.start()
                # Locked for another half second: only that one answer arrives.
                thread.join(timeout=0.5)
                assert answers in ([], [503])
            thread.join()
        assert answers == [201]
        assert [user["name"] for user in client.admin("GET", "users")] == ["alice", "bob"]


def test_a_folder_has_one_hub(home: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Served(home, data) as hub:
        client = hub.connect()
        client.admin("POST", "users", {"name": "alice"})
        second = run(home, "serve", "--data", data, "--json")
        assert second.returncode == 1
        message = json.loads(second.stdout.splitlines()[-1])["error"]["message"]
        assert "in use by another Hub" in message
        assert hub.endpoint in message
        told = run(home, "serve", "--data", data)
        assert told.returncode == 1
        assert hub.endpoint in told.stderr
        assert "Traceback" not in told.stderr
        # The first one continues, and is still the one that is announced.
        client.admin("POST", "users", {"name": "bob"})
        announced = json.loads((data / "hub.json").read_text("utf-8"))
        assert announced["endpoint"] == hub.endpoint
    # A Hub that was killed leaves no lock.
    with Served(home, data) as again:
        assert len(again.connect().admin("GET", "users")) == 2


def test_a_hub_under_test_ends_also_when_its_test_fails(home: Path, tmp_path: Path) -> None:
    class FailedTestError(Exception):
        """A test that fails in the middle."""

    hub = Served(home, tmp_path / "data")

    def fail() -> None:
        with hub:
            hub.connect().admin("POST", "users", {"name": "alice"})
            raise FailedTestError

    with pytest.raises(FailedTestError):
        fail()
    assert hub.process.poll() is not None
    with pytest.raises(ConnectionRefusedError):
        hub.connect().admin("GET", "users")
    # And if it does not even start.
    refused = Served(home, tmp_path / "data", "--host", "no host")
    with pytest.raises(AssertionError), refused:
        pass
    assert refused.process.poll() is not None
