"""A full disk: reported as such, nothing half-finished, and all well again once there is space."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.e2e.support.operating import commit, run
from tests.e2e.support.served import Served
from tests.fixtures.data_folders import unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.e2e.support.served import Connection


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Creates a file system of so many megabytes, if mounting is possible."""
    mount = shutil.which("mount")
    folder = tmp_path / "small"

    def make(megabytes: int) -> Path:
        if mount is None:
            pytest.skip("this system has no mount")
        folder.mkdir()
        options = f"size={megabytes}m,mode=700"
        done = subprocess.run(
            [mount, "-t", "tmpfs", "-o", options, "tmpfs", str(folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            folder.rmdir()
            pytest.skip("only root can mount a small file system")
        return folder

    yield make
    if folder.exists():
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Leave no space at all."""
    filling = folder / "filling"
    with filling.open("wb", buffering=0) as file:
        for size in (65536, 1024, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * size)
    return filling


def assert_full(answer: tuple[int, object, object], *hidden: object) -> None:
    """The response reports the full disk and when to retry, but not where the disk is."""
    status, body, headers = answer
    assert isinstance(body, dict)
    assert (status, headers["Retry-After"]) == (507, "60"), body  # type: ignore[index]
    assert "disk is full" in body["error"]
    for path in hidden:
        assert str(path) not in body["error"]


def use_up(client: Connection, key: str, value: str, data: Path) -> str:
    """Refresh until that is rejected three times; returns the value that is left."""
    refused = 0
    # The database's log has some space of its own left, which runs out as well.
    for _ in range(400):
        path = "/-/hubtoken/v1/users/alice/tokens/ci/refresh"
        status, answer, headers = client.ask("POST", path, key)
        if status == 200:
            assert client.status(value) == 401
            value = answer["token"]
            continue
        assert_full((status, answer, headers), data)
        assert client.status(value) == 200
        refused += 1
        if refused == 3:
            return value
    pytest.fail("two megabytes took four hundred changes")


@pytest.mark.parametrize("crash", [False, True])
def test_a_full_disk_loses_nothing(
    home: Path, small_disk: Callable[[int], Path], *, crash: bool
) -> None:
    disk = small_disk(2)
    data = disk / "data"
    with contextlib.ExitStack() as stack:
        hub = stack.enter_context(Served(home, data))
        client = hub.connect()
        client.admin("POST", "users", {"name": "alice"})
        client.admin("POST", "organizations", {"name": "acme"})
        value = client.admin("POST", "users/alice/tokens", {"name": "ci", "role": "write"})["token"]
        filling = fill(disk)
        value = use_up(client, hub.key, value, data)
        path = "/-/hubtoken/v1/organizations/acme/policy"
        assert_full(client.ask("PUT", path, hub.key, {"policy": "fine-grained-only"}), data)
        before = client.admin("GET", "audit?limit=1000")["entries"]
        assert client.admin("GET", "organizations/acme/policy") == {"policy": "allow-all"}
        if crash:
            client.close()
            hub.kill()
            filling.unlink()
            hub = stack.enter_context(Served(home, data))
            client = hub.connect()
        else:
            filling.unlink()
        assert client.status(value) == 200
        assert client.admin("GET", "audit?limit=1000")["entries"] == before
        assert before[0]["last4"] == value[-4:]
        fresh = client.admin("POST", "users/alice/tokens/ci/refresh")["token"]
        assert (client.status(value), client.status(fresh)) == (401, 200)
        client.admin("PUT", "organizations/acme/policy", {"policy": "fine-grained-only"})
        client.close()
        hub.stop()


def test_an_upload_for_which_there_is_no_room_leaves_nothing(
    home: Path, small_disk: Callable[[int], Path]
) -> None:
    disk = small_disk(12)
    data = disk / "data"
    with Served(home, data) as hub:
        client = hub.connect()
        client.admin("POST", "users", {"name": "alice"})
        token = client.admin("POST", "users/alice/tokens", {"name": "t", "role": "write"})["token"]
        assert client.ask("POST", "/api/repos/create", token, {"name": "m"})[0] == 200
        assert client.ask("GET", "/readyz", token)[:2] == (503, "the disk is almost full\n")

        def upload(name: str, content: str) -> tuple[int, object, object]:
            return client.send(
                "POST", "/api/models/alice/m/commit/main", token, commit(name, content)
            )

        kept: dict[str, str] = {}
        for number in range(40):
            # Random, since git compresses.
            content = base64.b64encode(os.urandom(900_000)).decode()
            answer = upload(f"{number}.txt", content)
            if answer[0] != 200:
                assert_full(answer, data)
                break
            kept[f"{number}.txt"] = content
        else:
            pytest.fail("twelve megabytes took forty commits")
        # With no space left at all, and again once there is some.
        filling = fill(disk)
        assert_full(upload("none.txt", base64.b64encode(os.urandom(90_000)).decode()), data)
        create = ("POST", "/api/repos/create", token, {"name": "other"})
        assert_full(client.ask(*create), data)
        assert client.ask("GET", "/api/models/alice/other", token)[0] == 404
        for name, content in kept.items():
            assert client.ask("GET", f"/alice/m/resolve/main/{name}", token)[1] == content
        listed = client.ask("GET", "/api/models/alice/m/tree/main", token)[1]
        assert {entry["path"] for entry in listed} == {".gitattributes", *kept}
        filling.unlink()
        # The space that the rejected uploads took has been released.
        assert upload("small.txt", base64.b64encode(os.urandom(90_000)).decode())[0] == 200
        (repository,) = (data / "repositories" / "models").iterdir()
        assert client.ask(*create)[0] == 200
        checked = subprocess.run(
            ["git", "--git-dir", str(repository), "fsck", "--full", "--strict"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert checked.returncode == 0, checked.stderr
        left = [str(path) for path in data.rglob("*") if "tmp" in path.name]
        assert left == []
        client.close()


def test_a_backup_for_which_there_is_no_room_leaves_nothing(
    home: Path, small_disk: Callable[[int], Path]
) -> None:
    disk, data = small_disk(2), home / "data"
    target = disk / "backup.tar"
    with Served(home, data) as hub:
        client = hub.connect()
        client.admin("POST", "users", {"name": "alice"})
        client.close()
        filling = fill(disk)
        for _ in range(2):
            failed = run(home, "backup", "--data", data, target, "--json")
            assert failed.returncode == 1
            message = json.loads(failed.stdout)["error"]["message"]
            assert "full" in message or "No space left" in message, message
            assert [path.name for path in disk.iterdir()] == ["filling"]
        filling.unlink()
        assert run(home, "backup", "--data", data, target).returncode == 0
        assert run(home, "restore", "--data", home / "restored", target).returncode == 0


@pytest.mark.parametrize("room", [0, 100_000])
def test_an_upgrade_for_which_there_is_no_room_is_not_begun(
    home: Path, small_disk: Callable[[int], Path], room: int
) -> None:
    disk = small_disk(4)
    data = disk / "data"
    content = unpack(1, data, crowd=1_000)
    database = data / "hub.sqlite3"
    # Enough space to start, but not to copy it.
    assert database.stat().st_size > room
    filling = fill(disk)
    os.truncate(filling, filling.stat().st_size - room)
    for _ in range(2):
        failed = run(home, "serve", "--data", data, "--json")
        assert failed.returncode == 1
        message = json.loads(failed.stdout.splitlines()[-1])["error"]["message"]
        assert "full" in message or "No space left" in message, message
        copies = [path for path in data.glob("hub.sqlite3.before-*") if ".new" not in path.name]
        assert copies == []
        # Inspected elsewhere: there is not even space to read it here.
        shutil.copytree(data, home / "looked-at", dirs_exist_ok=True)
        with contextlib.closing(sqlite3.connect(home / "looked-at" / "hub.sqlite3")) as opened:
            assert opened.execute("PRAGMA user_version").fetchone() == (1,)
    filling.unlink()
    with Served(home, data) as hub:
        assert hub.connect().status(content["values"]["live"]) == 200
    assert len(list(data.glob("hub.sqlite3.before-*"))) == 1
