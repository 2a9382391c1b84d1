"""What prevents an embedded Hub from starting is reported, and no data is lost."""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import hubtoken
from hubtoken.hub import Hub
from tests.python.helpers import DEADLINE, PROGRAMS

if TYPE_CHECKING:
    from pathlib import Path

DATABASE = "hub.sqlite3"


def test_a_path_below_a_file_is_no_data_folder(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("precious")
    for wrong in (path, path / "below"):
        with pytest.raises(hubtoken.HubError, match="data folder") as caught:
            Hub(wrong).start()
        assert str(path) in str(caught.value)
    assert path.read_text() == "precious"


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_is_read_only_is_said_to_be(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.mkdir(mode=0o555)
    with pytest.raises(hubtoken.HubError, match="cannot be written"):
        Hub(path).start()
    assert list(path.iterdir()) == []


def test_a_file_system_that_is_read_only_is_said_to_be() -> None:
    # No user, not even root, can create a file there.
    with pytest.raises(hubtoken.HubError, match="/proc/hubtoken"):
        Hub("/proc/hubtoken-test").start()


def test_a_database_that_is_locked_is_said_to_be(tmp_path: Path) -> None:
    path = tmp_path / "data"
    with Hub(path) as hub:
        hub.create_user("alice")
    command = [sys.executable, str(PROGRAMS / "locks.py"), str(path / DATABASE)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(hubtoken.HubError, match="locked by another program") as caught:
            Hub(path).start()
        assert str(path / DATABASE) in str(caught.value)
        other.communicate(timeout=DEADLINE)
    assert other.returncode == 0
    with Hub(path) as hub:
        assert hub.list_tokens("alice") == []


@pytest.mark.parametrize("damage", ["garbage", "text", "truncated", "header only"])
def test_a_damaged_database_is_said_to_be_and_left_alone(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "data"
    with Hub(path) as hub:
        hub.create_user("alice")
        key = str(hub.admin_key)
    file = path / DATABASE
    whole = file.read_bytes()
    broken = {
        "garbage": os.urandom(8192),
        "text": b"this is my shopping list\n" * 300,
        "truncated": whole[:5000],
        "header only": whole[:100] + b"\xff" * (len(whole) - 100),
    }[damage]
    file.write_bytes(broken)
    with pytest.raises(hubtoken.HubError, match=r"damaged.*Nothing was changed") as caught:
        Hub(path).start()
    assert str(file) in str(caught.value)
    assert file.read_bytes() == broken
    # Restoring the valid file repairs it.
    file.write_bytes(whole)
    with Hub(path) as hub:
        assert hub.list_tokens("alice") == []
        assert hub.admin_key == key


def test_a_database_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "data"
    Hub(path).start().stop()
    with contextlib.closing(sqlite3.connect(path / DATABASE)) as other:
        other.execute("PRAGMA user_version = 9999")
        other.commit()
    with pytest.raises(hubtoken.HubError, match="schema 9999"):
        Hub(path).start()


def test_a_file_that_is_no_admin_key_is_no_admin_key(tmp_path: Path) -> None:
    path = tmp_path / "data"
    Hub(path).start().stop()
    key = path / "admin-key"
    key.write_text("guess me")
    with pytest.raises(hubtoken.HubError, match="admin key") as caught:
        Hub(path).start()
    assert "guess me" not in str(caught.value)
    assert key.read_text() == "guess me"


def test_two_hubs_do_not_share_a_folder(tmp_path: Path) -> None:
    with Hub(tmp_path) as first:
        with pytest.raises(hubtoken.HubError, match="in use by another Hub") as caught:
            Hub(tmp_path).start()
        assert first.endpoint in str(caught.value)
        first.create_user("alice")
        assert first.list_tokens("alice") == []


def test_a_port_that_is_taken_is_said_to_be(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(hubtoken.HubError, match=f"port {port} is taken") as caught:
            Hub(tmp_path / "data", port=port).start()
        assert "port 0" in str(caught.value)
    # Nothing is left running or locked.
    with Hub(tmp_path / "data", port=port) as hub:
        assert hub.endpoint.endswith(f":{port}")


@pytest.mark.parametrize(
    "host",
    [
        "0.0.0.0",  # noqa: S104
        "::",
        "192.0.2.1",
        "hub.example",
        "",
        "127.0.0.1.evil.example",
    ],
)
def test_it_listens_on_this_machine_only(host: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not"):
        Hub(tmp_path / "data", host=host).start()
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("port", [-1, 65536, 1 << 40])
def test_a_port_has_sixteen_bits(port: int) -> None:
    with pytest.raises(ValueError, match="port must be"):
        Hub(port=port)
