"""The embedded Hub from Python: what it rejects, what it stores, what it leaves behind."""

from __future__ import annotations

import json
import stat
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import hubtoken
from hubtoken.hub import Hub
from tests.environment import HANG_LIMIT
from tests.python.helpers import leaks, run_program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DATABASE = "hub.sqlite3"


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as hub:
        hub.create_user("alice")
        yield hub


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def is_up(endpoint: str) -> bool:
    try:
        urllib.request.urlopen(f"{endpoint}/api/whoami-v2", timeout=HANG_LIMIT).close()  # noqa: S310
    except urllib.error.HTTPError as error:
        error.close()
    except OSError:
        return False
    return True


def test_started_by_many_at_once_it_is_one() -> None:
    hub = Hub()
    together = threading.Barrier(8)

    def start(_: int) -> str:
        together.wait(HANG_LIMIT)
        return str(hub.start().endpoint)

    with ThreadPoolExecutor(8) as threads:
        endpoints = set(threads.map(start, range(8)))
    assert len(endpoints) == 1
    hub.stop()


WRONG: dict[str, tuple[Callable[[Hub], Any], str]] = {
    "unknown user": (lambda hub: hub.create_token("bob", name="x", role="read"), "no user `bob`"),
    "tokens of nobody": (lambda hub: hub.list_tokens("bob"), "no user `bob`"),
    "unknown token": (lambda hub: hub.delete_token("alice", "x"), "no token `x`"),
    "refresh of nothing": (lambda hub: hub.refresh_token("alice", "x"), "no token `x`"),
    "name taken": (lambda hub: hub.create_user("ALICE"), "taken"),
    "unknown entity": (
        lambda hub: hub.create_token(
            "alice", name="x", role="fine-grained", scopes={"nobody/x": ["repo.write"]}
        ),
        "nobody",
    ),
    "unknown organization": (lambda hub: hub.set_member("acme", "alice", "read"), "`acme`"),
    "unknown namespace": (lambda hub: hub.create_repository("acme/x"), "`acme`"),
    "policy of nothing": (lambda hub: hub.set_token_policy("acme", "allow-all"), "`acme`"),
    "approval in nothing": (lambda hub: hub.approve_token("acme", "x"), "`acme`"),
    "change of nothing": (lambda hub: hub.change_token("alice", "x", role="read"), "no token `x`"),
    "unknown repository": (lambda hub: hub.set_gated("alice/x", "auto"), "alice/x"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_done_is_said_and_changes_nothing(name: str, hub: Hub) -> None:
    deed, says = WRONG[name]
    with pytest.raises(hubtoken.HubError) as caught:
        deed(hub)
    assert says in str(caught.value)
    assert hub.list_tokens("alice") == []


NEVER_RIGHT: dict[str, tuple[Callable[[Hub], Any], str]] = {
    "name of nothing": (lambda hub: hub.create_user(""), "not a valid name"),
    "path for a name": (lambda hub: hub.create_user("../x"), "not a valid name"),
    "no permission": (
        lambda hub: hub.create_token(
            "alice", name="x", role="fine-grained", scopes={"alice": ["fly away\x1b[31m"]}
        ),
        "is not a valid permission",
    ),
    "repository without a namespace": (lambda hub: hub.create_repository("x"), "`x`"),
    "repository above": (lambda hub: hub.create_repository("alice/../x"), "x"),
}


@pytest.mark.parametrize("name", NEVER_RIGHT)
def test_what_no_hub_could_do_is_a_value_error(name: str, hub: Hub) -> None:
    deed, says = NEVER_RIGHT[name]
    with pytest.raises(ValueError, match=r".") as caught:
        deed(hub)
    assert says in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert hub.list_tokens("alice") == []


@pytest.mark.parametrize(
    "deed",
    [
        lambda hub: hub.create_token("alice", name="x", role="admin"),
        lambda hub: hub.create_token("alice", name="x", role="read", scopes={"alice": []}),
        lambda hub: hub.create_token("alice", name="x", role="read", expires_in=0),
        lambda hub: hub.create_token("alice", name="x", role="read", expires_in=-1),
        lambda hub: hub.create_token("alice", name="x", role="read", expires_in=float("nan")),
        lambda hub: hub.create_token("alice", name="x", role="read", expires_in=1e300),
        lambda hub: hub.set_member("acme", "alice", "owner"),
        lambda hub: hub.set_token_policy("acme", "some"),
        lambda hub: hub.change_token("alice", "x", role="admin"),
        lambda hub: hub.change_token("alice", "x", role="read", scopes={"alice": []}),
        lambda hub: hub.create_repository("alice/x", type="bucket"),
        lambda hub: hub.create_repository("alice/x", gated="yes"),
    ],
)
def test_a_word_that_is_none_is_a_value_error(deed: Callable[[Hub], Any], hub: Hub) -> None:
    with pytest.raises(ValueError, match=r"."):
        deed(hub)
    assert hub.list_tokens("alice") == []


def test_a_restart_keeps_everything(tmp_path: Path) -> None:
    with Hub(tmp_path / "data") as hub:
        hub.create_user("alice", password="correct horse")
        hub.create_repository("alice/tiny", private=True)
        token = hub.create_token("alice", name="ci", role="write")
        port, key = int(hub.endpoint.rpartition(":")[2]), str(hub.admin_key)
        assert hubtoken.require_role("write", token, repo="alice/tiny") is token
    with pytest.raises(hubtoken.HubUnreachableError):
        hubtoken.whoami(token)
    with Hub(tmp_path / "data", port=port) as hub:
        assert hub.admin_key == key
        assert hubtoken.require_role("write", token, repo="alice/tiny", max_age=0) is token
        assert [(info.name, info.role) for info in hub.list_tokens("alice")] == [("ci", "write")]


def test_the_audit_log_is_chosen_from(hub: Hub) -> None:
    before = datetime.now(timezone.utc)
    token = hub.create_token("alice", name="ci", role="read")
    hub.change_token("alice", "ci", role="write")
    fresh = hub.refresh_token("alice", "ci")
    (refreshed, changed, created) = hub.audit(user="alice", act="token")
    assert [entry.act for entry in (created, changed, refreshed)] == [
        "token.create",
        "token.change",
        "token.refresh",
    ]
    assert (created.token_name, created.last4) == ("ci", token.reveal()[-4:])
    assert (changed.detail, refreshed.last4) == ("write", fresh.reveal()[-4:])
    assert (created.actor, created.actor_name, created.address) == ("program", None, None)
    assert created.token_id == hub.list_tokens("alice")[0].id
    assert [entry.id for entry in hub.audit(before=changed.id, act="token")] == [created.id]
    assert [entry.id for entry in hub.audit(limit=1)] == [refreshed.id]
    assert len(hub.audit(since=before)) <= 3
    assert hub.audit(since=datetime.now(timezone.utc) + timedelta(days=1)) == []
    assert "token.refresh" in repr(refreshed)
    assert leaks(repr(hub.audit()), token.reveal(), fresh.reveal()) == []
    with pytest.raises(ValueError, match="at least 1"):
        Hub(audit_days=0).start()


def test_the_same_object_starts_again() -> None:
    hub = Hub()
    for _ in range(2):
        assert hub.start() is hub
        assert hub.start() is hub
        folder, endpoint = Path(hub.data), hub.endpoint
        hub.create_user("alice")
        assert is_up(endpoint)
        hub.stop()
        hub.stop()
        assert not is_up(endpoint)
        assert not folder.exists()


def test_a_hub_that_does_not_run_says_so() -> None:
    hub = Hub()
    for _ in range(2):
        for ask in (
            lambda: hub.endpoint,
            lambda: hub.data,
            lambda: hub.admin_key,
            lambda: hub.create_user("alice"),
            lambda: hub.list_tokens("alice"),
            hub.environ,
            hub.request_count,
        ):
            with pytest.raises(hubtoken.HubError, match=r"not running.*start\(\)"):
                ask()
        assert "not running" in repr(hub)
        hub.start()
        hub.stop()


def test_a_dropped_hub_is_stopped_and_its_folder_removed() -> None:
    hub = Hub().start()
    folder, endpoint = Path(hub.data), hub.endpoint
    del hub
    assert not folder.exists()
    assert not is_up(endpoint)


def test_the_folder_holds_no_value_and_is_its_owners(tmp_path: Path) -> None:
    folder, password = tmp_path / "data", "correct horse battery staple"
    with Hub(folder) as hub:
        hub.create_user("alice", password=password)
        hub.create_repository("alice/tiny")
        scopes = {"alice/tiny": ["repo.write"]}
        tokens = [
            hub.create_token("alice", name="r", role="read"),
            hub.create_token("alice", name="f", role="fine-grained", scopes=scopes),
        ]
        tokens.append(hub.refresh_token("alice", "r"))
        for token in tokens[1:]:
            hubtoken.whoami(token)
        values = [str(token.reveal()) for token in tokens]
        running = contents(folder)
        key = str(hub.admin_key)
    for found in (running, contents(folder)):
        assert {DATABASE, "admin-key"} <= set(found)
        for name, data in found.items():
            assert leaks(data, *values, password) == [], name
            assert name == "admin-key" or leaks(data, key) == [], name
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for path in folder.iterdir():
        assert path.is_dir() or stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_the_admin_key_is_masked(hub: Hub) -> None:
    assert "hubtoken_admin_" not in repr(hub.admin_key)
    assert hub.admin_key == (Path(hub.data) / "admin-key").read_text().strip()
    assert str(hub.admin_key) not in repr(hub)


@pytest.mark.parametrize("how", ["end", "raise", "exit", "with", "fork"])
def test_a_temporary_folder_is_gone_with_the_program(how: str, home: Path, tmp_path: Path) -> None:
    folders = tmp_path / "temporary"
    folders.mkdir()
    done = run_program("hub_life", home, {"how": how}, TMPDIR=str(folders))
    assert done.returncode == (1 if how == "raise" else 0), done.stderr
    assert ("LookupError" in done.stderr) == (how == "raise")
    data = Path(json.loads(done.stdout.splitlines()[0])["data"])
    assert data.parent == folders
    assert list(folders.iterdir()) == []


@pytest.mark.parametrize("how", ["end", "raise", "fork"])
def test_a_folder_of_ones_own_stays(how: str, home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    done = run_program("hub_life", home, {"how": how, "data": str(folder)})
    assert done.returncode == (1 if how == "raise" else 0), done.stderr
    with Hub(folder) as hub:
        assert [info.name for info in hub.list_tokens("alice")] == ["ci"]
