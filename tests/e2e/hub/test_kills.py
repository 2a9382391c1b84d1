"""`kill -9` of backups, restores and upgrades, at random points.

A point is chosen within the operation itself: a process is killed some time after the first trace
of the operation appears, spread over a little more than the time that the operation takes; one in
ten is killed before.
`TEST_CRASHES` sets how often each kind is killed; the points of the kills are printed.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sqlite3
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.e2e.support.operating import DEADLINE, command, commit, run, serving
from tests.environment import child_environment
from tests.fixtures.data_folders import unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KILLS = int(os.environ.get("TEST_CRASHES", "5"))
# With this many kills, every part of an operation was hit.
LONG_RUN = 500
# How often an operation is checked, in seconds.
STEP = 0.0005
REPOSITORIES, FILES = 4, 4


@dataclass
class Deed:
    """An operation of a process, with traces of its start and its end."""

    home: Path
    begun: Callable[[], bool]
    done: Callable[[], bool]
    took: float = 0.0
    spread: Counter[str] = field(default_factory=Counter)

    @contextlib.contextmanager
    def process(self, arguments: list[str]) -> Iterator[subprocess.Popen[bytes]]:
        """A process that does it, killed at the end of the block."""
        with subprocess.Popen(
            arguments,
            env=child_environment(self.home),
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def wait(self, trace: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
        """Wait for a trace, or for the end of the process."""
        end = time.monotonic() + DEADLINE
        while not trace() and process.poll() is None:
            assert time.monotonic() < end
            time.sleep(STEP)

    def measure(self, arguments: list[str]) -> None:
        """Measure how long it takes without a kill."""
        with self.process(arguments) as process:
            self.wait(self.begun, process)
            begun = time.monotonic()
            self.wait(self.done, process)
            self.took = max(self.took, time.monotonic() - begun)
        assert self.done()

    def kill(self, arguments: list[str]) -> None:
        """Start it and kill it."""
        with self.process(arguments) as process:
            if random.random() < 0.1:  # noqa: S311 - a time, not a secret
                moment = random.uniform(0, 0.1)  # noqa: S311
            else:
                self.wait(self.begun, process)
                moment = random.uniform(0, self.took * 1.2)  # noqa: S311
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=moment)
        self.spread[self.where()] += 1

    def where(self) -> str:
        """The point of the kill."""
        if self.done():
            return "after"
        return "within" if self.begun() else "before"

    def told(self, what: str) -> None:
        """Print the points of the kills."""
        print(f"{what}: {self.took * 1000:.0f} ms, {dict(self.spread)}")  # noqa: T201
        assert sum(self.spread.values()) == KILLS
        assert KILLS < LONG_RUN or len(self.spread) == 3


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The data folder of a stopped Hub with some repositories, and a token."""
    home = tmp_path_factory.mktemp("filled")
    with serving(home, home / "data") as hub:
        token = hub.token("alice")
        for number in range(REPOSITORIES):
            hub.ask("POST", "/api/repos/create", token=token, body={"name": f"m{number}"})
            for file in range(FILES):
                connection = hub.connect()
                connection.request(
                    "POST",
                    f"/api/models/alice/m{number}/commit/main",
                    body=commit(f"{file}.txt", "x" * 20_000),
                    headers={"Authorization": f"Bearer {token}"},
                )
                assert connection.getresponse().status == 200
                connection.close()
        hub.process.terminate()
        assert hub.ended() == 0
    return home / "data", token


def assert_whole(home: Path, data: Path, token: str) -> None:
    """A Hub starts with a folder, and all data is present."""
    with serving(home, data) as hub:
        assert hub.ask("GET", "/readyz")[0] == 200
        for number in range(REPOSITORIES):
            status, content = hub.ask(
                "GET", f"/alice/m{number}/resolve/main/{FILES - 1}.txt", token=token
            )
            assert (status, content) == (200, "x" * 20_000)


def traced(folder: Path, pattern: str) -> Callable[[], bool]:
    """Whether a folder contains something that matches a pattern."""
    return lambda: next(folder.glob(pattern), None) is not None


def test_a_backup_that_is_killed_is_whole_or_has_no_name(
    filled: tuple[Path, str], home: Path
) -> None:
    data, token = filled
    room = home / "backups"
    target = room / "hub.tar"
    deed = Deed(home, traced(room, ".hubtoken-backup-*"), target.exists)
    arguments = command("backup", "--data", data, target)

    def empty() -> None:
        shutil.rmtree(room, ignore_errors=True)
        room.mkdir()

    for _ in range(3):
        empty()
        deed.measure(arguments)
    for number in range(KILLS):
        empty()
        deed.kill(arguments)
        if not target.exists():
            if number % 10 == 0:
                # What a killed process left behind does not get in the way.
                assert run(home, *arguments[4:]).returncode == 0
            else:
                continue
        restored = home / "restored"
        done = run(home, "restore", "--data", restored, target)
        assert done.returncode == 0, done.stderr
        if number % 10 == 0:
            assert_whole(home, restored, token)
        shutil.rmtree(restored)
    # It only reads.
    assert_whole(home, data, token)
    deed.told("backup")


def test_a_restore_that_is_killed_leaves_no_half_folder(
    filled: tuple[Path, str], home: Path
) -> None:
    data, token = filled
    archive = home / "backup.tar"
    assert run(home, "backup", "--data", data, archive).returncode == 0
    room = home / "restored"
    target = room / "data"
    deed = Deed(home, traced(room, ".hubtoken-restore-*"), target.exists)
    arguments = command("restore", "--data", target, archive)

    def empty() -> None:
        shutil.rmtree(room, ignore_errors=True)
        room.mkdir()

    for _ in range(3):
        empty()
        deed.measure(arguments)
    for number in range(KILLS):
        empty()
        deed.kill(arguments)
        if not target.exists():
            if number % 10 != 0:
                continue
            # What a killed process left behind does not get in the way.
            assert run(home, *arguments[4:]).returncode == 0
        assert_whole(home, target, token)
    deed.told("restore")


TOKENS = 20_000


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A data folder of the first schema, large enough to take a while to copy; a token."""
    folder = tmp_path_factory.mktemp("old") / "data"
    content = unpack(1, folder, crowd=TOKENS)
    return folder, str(content["values"]["live"])


def asked(path: Path, question: str) -> object:
    """The result of a database query."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        return database.execute(question).fetchone()[0]


def test_an_upgrade_that_is_killed_is_done_or_not_begun(old: tuple[Path, str], home: Path) -> None:
    template, token = old
    tokens = asked(template / "hub.sqlite3", "SELECT count(*) FROM tokens")
    data = home / "data"
    database = data / "hub.sqlite3"
    deed = Deed(home, traced(data, "hub.sqlite3.before-*"), (data / "hub.json").exists)
    arguments = command("serve", "--data", data)

    def renew() -> None:
        shutil.rmtree(data, ignore_errors=True)
        shutil.copytree(template, data)

    for _ in range(3):
        renew()
        deed.measure(arguments)
    for _ in range(KILLS):
        renew()
        deed.kill(arguments)
        schema = asked(database, "PRAGMA user_version")
        assert asked(database, "PRAGMA integrity_check") == "ok"
        copies = [path for path in data.glob("hub.sqlite3.before-*") if ".new" not in path.name]
        # No change without a copy, and every copy is complete.
        assert schema == 1 or copies
        for copy in copies:
            assert asked(copy, "PRAGMA user_version") == 1
            assert asked(copy, "SELECT count(*) FROM tokens") == tokens
        with serving(home, data) as hub:
            assert hub.ask("GET", "/api/whoami-v2", token=token)[0] == 200
            assert hub.ask("GET", "/readyz")[0] == 200
        assert asked(database, "PRAGMA user_version") != 1
        assert asked(database, "SELECT count(*) FROM tokens") == tokens
        assert len(list(data.glob("hub.sqlite3.before-*"))) == 1
    deed.told("upgrade")
