"""A disk that is full: said as such, nothing half done, and all well again once there is room."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.e2e.served import Served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None:
        pytest.skip("this system has no mount")
    command = [mount, "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("only root can mount a small file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Leave no room at all."""
    filling = folder / "filling"
    with filling.open("wb", buffering=0) as file:
        for size in (65536, 1024, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * size)
    return filling


def test_a_full_disk_loses_nothing(home: Path, small_disk: Path) -> None:
    data = small_disk / "data"
    hub = Served(home, data)
    client = hub.connect()
    client.admin("POST", "users", {"name": "alice"})
    client.admin("POST", "organizations", {"name": "acme"})
    value = client.admin("POST", "users/alice/tokens", {"name": "ci", "role": "write"})["token"]
    filling = fill(small_disk)
    refused = 0
    # The log of the database has some room of its own left; it ends as well.
    for _ in range(400):
        path = "/-/hubtoken/v1/users/alice/tokens/ci/refresh"
        status, answer, headers = client.ask("POST", path, hub.key)
        if status == 200:
            assert client.status(value) == 401
            value = answer["token"]
            continue
        assert (status, headers["Retry-After"]) == (507, "60"), answer
        assert "disk is full" in answer["error"]
        assert str(data) not in answer["error"]
        assert client.status(value) == 200
        refused += 1
        if refused == 3:
            break
    assert refused == 3
    path = "/-/hubtoken/v1/organizations/acme/policy"
    status, _, _ = client.ask("PUT", path, hub.key, {"policy": "fine-grained-only"})
    assert status == 507
    before = client.admin("GET", "audit?limit=1000")["entries"]
    assert client.admin("GET", "organizations/acme/policy") == {"policy": "allow-all"}
    # A crash on top of it.
    client.close()
    hub.kill()
    filling.unlink()
    hub = Served(home, data)
    client = hub.connect()
    assert client.status(value) == 200
    assert client.admin("GET", "audit?limit=1000")["entries"] == before
    assert before[0]["last4"] == value[-4:]
    fresh = client.admin("POST", "users/alice/tokens/ci/refresh")["token"]
    assert (client.status(value), client.status(fresh)) == (401, 200)
    client.close()
    hub.stop()
