"""`hubtoken hub` as a team runs it: made, served, watched, backed up, stopped and killed."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.environment import child_environment, fake_token

if TYPE_CHECKING:
    from collections.abc import Iterator

DEADLINE = 60.0
# How often a process is killed; a longer run is `HUBTOKEN_TEST_KILLS=1000`.
KILLS = int(os.environ.get("HUBTOKEN_TEST_KILLS", "12"))
PASSWORD = "correct horse battery"


def command(*arguments: str | Path) -> list[str]:
    """The `hubtoken hub` command line."""
    return [sys.executable, "-m", "hubtoken", "hub", *map(str, arguments)]


def run(home: Path, *arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a verb to its end."""
    return subprocess.run(
        command(*arguments),
        env=child_environment(home),
        cwd=home,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )


# A parent in the background ignores Ctrl-C and hands that down; this Hub is to hear it.
HEARING = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)


@contextlib.contextmanager
def serving(home: Path, data: Path, *arguments: str) -> Iterator[Served]:
    """A Hub in a process of its own; killed at the end if it still runs."""
    log = home / f"log-{len(list(home.glob('log-*')))}"
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                HEARING,
                *command("serve", "--json", "--data", data, *arguments),
            ],
            env=child_environment(home),
            cwd=home,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, log.read_text()
            yield Served(process, json.loads(line), log)
        finally:
            process.kill()


class Served:
    """A Hub that runs in another process."""

    def __init__(
        self, process: subprocess.Popen[str], announced: dict[str, Any], log: Path
    ) -> None:
        self.process = process
        self.announced = announced
        self.log = log

    @property
    def endpoint(self) -> str:
        """Where clients find it."""
        return str(self.announced["endpoint"])

    def connect(self) -> http.client.HTTPConnection:
        """A connection of one's own."""
        address = urlsplit(self.announced["local_endpoint"])
        assert address.hostname is not None
        return http.client.HTTPConnection(address.hostname, address.port, timeout=DEADLINE)

    def ask(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        body: object = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any]:
        """One request; status and JSON, or text."""
        connection = self.connect()
        try:
            all_headers = dict(headers or {})
            if token is not None:
                all_headers["Authorization"] = f"Bearer {token}"
            text = None if body is None else json.dumps(body)
            connection.request(method, path, body=text, headers=all_headers)
            answer = connection.getresponse()
            content = answer.read().decode()
        finally:
            connection.close()
        try:
            return answer.status, json.loads(content)
        except ValueError:
            return answer.status, content

    def admin(self, method: str, path: str, body: object = None) -> Any:
        """A request to the administration API, which must succeed."""
        key = Path(self.announced["admin_key_file"]).read_text().strip()
        status, answer = self.ask(method, f"/-/hubtoken/v1/{path}", token=key, body=body)
        assert status < 300, answer
        return answer

    def token(self, user: str) -> str:
        """A new write token of a user who may be new as well."""
        with contextlib.suppress(AssertionError):
            self.admin("POST", "users", {"name": user})
        made = self.admin("POST", f"users/{user}/tokens", {"name": "t", "role": "write"})
        return str(made["token"])

    def ended(self) -> int:
        """Its exit code."""
        return self.process.wait(timeout=DEADLINE)


def commit(name: str, content: str = "x") -> str:
    """The body of a commit with one file."""
    lines = [
        {"key": "header", "value": {"summary": "s"}},
        {
            "key": "file",
            "value": {
                "path": name,
                "content": base64.b64encode(content.encode()).decode(),
                "encoding": "base64",
            },
        },
    ]
    return "\n".join(map(json.dumps, lines)) + "\n"


# -- the first administrator ------------------------------------------------------------------


def test_init_makes_one_administrator_and_says_so_the_second_time(home: Path) -> None:
    data = home / "data"
    arguments = ("init", "--data", data, "--admin", "alice", "--password-stdin", "--json")
    made = run(home, *arguments, stdin=PASSWORD + "\n")
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["initialized"]["administrator"] == "alice"
    assert PASSWORD not in made.stdout + made.stderr
    again = run(home, *arguments, stdin=PASSWORD)
    assert again.returncode == 1
    assert "has an administrator, `alice`" in json.loads(again.stdout)["error"]["message"]
    bob = run(
        home, "init", "--data", data, "--admin", "bob", "--password-stdin", stdin=PASSWORD + "!"
    )
    assert bob.returncode == 1
    with contextlib.closing(sqlite3.connect(data / "hub.sqlite3")) as database:
        rows = database.execute("SELECT name, password_hash FROM namespaces").fetchall()
    assert [name for name, _ in rows] == ["alice"]
    assert rows[0][1].startswith("$argon2id$")
    with serving(home, data) as hub:
        assert [user["name"] for user in hub.admin("GET", "administrators")] == ["alice"]
        while_it_runs = run(home, *arguments, stdin=PASSWORD)
        assert while_it_runs.returncode == 1
        assert "in use by another Hub" in while_it_runs.stdout


@pytest.mark.parametrize("weak", ["", "short", "elevenchars", "aaaaaaaaaaaaaaaa", "alice1234567"])
def test_a_weak_password_is_refused(weak: str, home: Path) -> None:
    done = run(
        home, "init", "--data", home / "data", "--admin", "alice", "--password-stdin", stdin=weak
    )
    assert done.returncode == 2
    assert "weak" in done.stderr
    assert not weak or weak not in done.stderr


def test_nobody_is_asked_without_a_terminal(home: Path) -> None:
    done = run(home, "init", "--data", home / "data", "--admin", "alice")
    assert done.returncode == 2
    assert "--password-stdin" in done.stderr
    assert not (home / "data").exists()


def test_a_password_is_changed_through_the_hub_that_runs(home: Path) -> None:
    data = home / "data"
    with serving(home, data) as hub:
        hub.token("alice")
        arguments = ("user", "password", "alice", "--data", data, "--password-stdin")
        assert run(home, *arguments, stdin=PASSWORD).returncode == 0
        with contextlib.closing(sqlite3.connect(data / "hub.sqlite3")) as database:
            (first,) = database.execute("SELECT password_hash FROM namespaces").fetchone()
        weak = run(home, *arguments, stdin="short")
        assert weak.returncode == 1
        assert "too weak" in weak.stderr
        two_lines = run(home, *arguments, stdin="one line\nand another")
        assert two_lines.returncode == 2
        assert run(home, *arguments, stdin=PASSWORD + "2").returncode == 0
        with contextlib.closing(sqlite3.connect(data / "hub.sqlite3")) as database:
            (second,) = database.execute("SELECT password_hash FROM namespaces").fetchone()
    assert first != second
    assert run(home, "user", "password", "bob", "--data", data).returncode == 3


# -- the log ----------------------------------------------------------------------------------


def test_the_log_says_who_did_what_and_holds_no_secret(home: Path) -> None:
    data = home / "data"
    with serving(home, data, "--log-format", "json", "--log-level", "info") as hub:
        token, wrong = hub.token("alice"), fake_token()
        key = Path(hub.announced["admin_key_file"]).read_text().strip()
        assert hub.ask("GET", "/api/whoami-v2", token=token)[0] == 200
        assert hub.ask("GET", f"/api/models?search={wrong}", token=token)[0] == 200
        assert hub.ask("GET", f"/{wrong}/{wrong}/nowhere", headers={"Cookie": wrong})[0] == 404
        assert hub.ask("GET", "/api/whoami-v2", token=wrong)[0] == 401
        hub.admin("PUT", "users/alice/password", {"password": PASSWORD})
        # What the Hub cannot do has its cause in the log.
        hub.ask("POST", "/api/repos/create", token=token, body={"name": "m"})
        shutil.rmtree(data / "repositories" / "models")
        assert hub.ask("GET", "/alice/m/resolve/main/a", token=token)[0] == 500
        hub.process.terminate()
        assert hub.ended() == 0
        text = hub.log.read_text()
    for secret in (token, wrong, key, PASSWORD):
        assert secret not in text
    lines = [json.loads(line) for line in text.splitlines()]
    assert [lines[0]["message"], lines[-1]["message"]] == ["started", "stopped"]
    requests = [line for line in lines if "route" in line]
    for line in requests:
        assert set(line) >= {
            "time", "level", "message", "method", "route", "status", "duration_ms",
            "request_id", "address",
        }  # fmt: skip
        assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}", line["request_id"])
    whoami = [line for line in requests if line["route"] == "/api/whoami-v2"]
    assert [(line["status"], line.get("user")) for line in whoami] == [(200, "alice"), (401, None)]
    assert re.fullmatch(r"[0-9a-f]{24}", whoami[0]["token"])
    assert any(line["route"] == "(none)" and line["status"] == 404 for line in requests)
    (failed,) = [line for line in requests if line["status"] == 500]
    assert failed["level"] == "error"
    assert "content of this repository is missing" in failed["cause"]


def test_the_log_has_the_cause_of_a_page_that_failed_under_the_id_that_is_shown(
    home: Path,
) -> None:
    data = home / "data"
    with serving(home, data, "--log-format", "json", "--log-level", "error") as hub:
        with contextlib.closing(sqlite3.connect(data / "hub.sqlite3")) as database:
            database.execute("DROP TABLE sessions")
        session = "0123456789abcdef" * 4
        address = urlsplit(hub.endpoint)
        cookie = f"hubtoken_session_{address.port}={session}"
        headers = {"Host": address.netloc, "Cookie": cookie}
        status, page = hub.ask("GET", "/settings/tokens", headers=headers)
        assert status == 500
        hub.process.terminate()
        assert hub.ended() == 0
        text = hub.log.read_text()
    (line,) = map(json.loads, text.splitlines())
    assert (line["level"], line["route"]) == ("error", "/settings/tokens")
    assert "no such table: sessions" in line["cause"]
    assert line["request_id"] in page
    assert "sessions" not in page
    assert session not in text


def test_a_quiet_hub_writes_nothing(home: Path) -> None:
    with serving(home, home / "data") as hub:
        assert hub.ask("GET", "/healthz")[0] == 200
        hub.process.send_signal(signal.SIGINT)
        assert hub.ended() == 0
        assert hub.log.read_text() == ""


# -- the end ----------------------------------------------------------------------------------


def begin_upload(hub: Served, token: str, body: str) -> http.client.HTTPConnection:
    """An upload of which all is sent but the end, and which the Hub has begun to read."""
    connection = hub.connect()
    connection.putrequest("POST", "/api/models/alice/m/commit/main")
    connection.putheader("Authorization", f"Bearer {token}")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[:-10].encode())
    end = time.monotonic() + DEADLINE
    while "hubtoken_uploads 1\n" not in hub.ask("GET", "/metrics")[1]:
        assert time.monotonic() < end
        time.sleep(0.02)
    return connection


def test_an_upload_is_finished_before_the_end(home: Path) -> None:
    with serving(home, home / "data") as hub:
        token = hub.token("alice")
        hub.ask("POST", "/api/repos/create", token=token, body={"name": "m"})
        body = commit("a.txt", "kept")
        upload = begin_upload(hub, token, body)
        hub.process.terminate()
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            try:
                with contextlib.closing(hub.connect()) as probe:
                    probe.connect()
            except OSError:
                break
            time.sleep(0.02)
        assert hub.process.poll() is None
        upload.send(body[-10:].encode())
        assert upload.getresponse().status == 200
        upload.close()
        assert hub.ended() == 0
    with serving(home, home / "data") as hub:
        status, content = hub.ask("GET", "/alice/m/resolve/main/a.txt", token=token)
        assert (status, content) == (200, "kept")


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_the_second_signal_ends_it_at_once(second: signal.Signals, home: Path) -> None:
    with serving(home, home / "data", "--grace", "3600") as hub:
        token = hub.token("alice")
        hub.ask("POST", "/api/repos/create", token=token, body={"name": "m"})
        upload = begin_upload(hub, token, commit("a.txt"))
        hub.process.terminate()
        with pytest.raises(subprocess.TimeoutExpired):
            hub.process.wait(timeout=0.5)
        # It may be between the two waits, so it is sent until it is heard.
        end = time.monotonic() + DEADLINE
        while hub.process.poll() is None and time.monotonic() < end:
            hub.process.send_signal(second)
            time.sleep(0.2)
        assert hub.ended() == 0
        upload.close()


# -- kill -9 ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The data folder of a stopped Hub with some repositories, and a token."""
    home = tmp_path_factory.mktemp("filled")
    with serving(home, home / "data") as hub:
        token = hub.token("alice")
        for number in range(6):
            hub.ask("POST", "/api/repos/create", token=token, body={"name": f"m{number}"})
            for file in range(6):
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


def killed_at_random(arguments: list[str], home: Path, longest: float) -> bool:
    """Start a command and kill it somewhere on its way; whether it had ended by itself."""
    with subprocess.Popen(
        arguments,
        env=child_environment(home),
        cwd=home,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            process.wait(timeout=random.uniform(0, longest))  # noqa: S311 - a moment, no secret
        except subprocess.TimeoutExpired:
            process.kill()
            return False
        return True


def test_a_backup_that_is_killed_has_no_name(filled: tuple[Path, str], home: Path) -> None:
    data, token = filled
    begun = time.monotonic()
    assert run(home, "backup", "--data", data, home / "first.tar").returncode == 0
    longest = (time.monotonic() - begun) * 1.2
    whole = 0
    for number in range(KILLS):
        target = home / f"{number}.tar"
        killed_at_random(command("backup", "--data", data, target), home, longest)
        if target.exists():
            whole += 1
            restored = home / f"restored-{number}"
            done = run(home, "restore", "--data", restored, target)
            assert done.returncode == 0, done.stderr
            shutil.rmtree(restored)
            target.unlink()
    done = run(home, "restore", "--data", home / "restored", home / "first.tar", "--json")
    assert json.loads(done.stdout)["restored"]["repositories"] == 6
    with serving(home, home / "restored") as hub:
        status, content = hub.ask("GET", "/alice/m5/resolve/main/5.txt", token=token)
        assert (status, content) == (200, "x" * 20_000)


def test_a_restore_that_is_killed_leaves_no_half_folder(
    filled: tuple[Path, str], home: Path
) -> None:
    data, _ = filled
    archive = home / "backup.tar"
    assert run(home, "backup", "--data", data, archive).returncode == 0
    for number in range(KILLS // 2):
        target = home / f"restored-{number}"
        killed_at_random(command("restore", "--data", target, archive), home, 0.6)
        if target.exists():
            with serving(home, target) as hub:
                assert hub.ask("GET", "/readyz")[0] == 200


SCHEMA_1 = """
CREATE TABLE namespaces (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, name_key TEXT NOT NULL UNIQUE,
    fullname TEXT NOT NULL, email TEXT, password_hash TEXT, created_at INTEGER NOT NULL) STRICT;
CREATE TABLE members (
    organization_id TEXT NOT NULL REFERENCES namespaces (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES namespaces (id) ON DELETE CASCADE,
    role TEXT NOT NULL, PRIMARY KEY (organization_id, user_id)) STRICT, WITHOUT ROWID;
CREATE INDEX members_by_user ON members (user_id);
CREATE TABLE tokens (
    id TEXT PRIMARY KEY, user_id TEXT NOT NULL REFERENCES namespaces (id) ON DELETE CASCADE,
    name TEXT NOT NULL, role TEXT NOT NULL, fine_grained TEXT, digest BLOB NOT NULL UNIQUE,
    last4 TEXT NOT NULL, created_at INTEGER NOT NULL, last_used_at INTEGER,
    expires_at INTEGER) STRICT;
CREATE INDEX tokens_by_user ON tokens (user_id, name);
CREATE TABLE repositories (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL,
    namespace_id TEXT NOT NULL REFERENCES namespaces (id), name TEXT NOT NULL,
    name_key TEXT NOT NULL, creator_id TEXT NOT NULL, private INTEGER NOT NULL, gated TEXT,
    disabled INTEGER NOT NULL DEFAULT 0, created_at INTEGER NOT NULL,
    UNIQUE (kind, namespace_id, name_key)) STRICT;
CREATE TABLE access_grants (
    repository_id TEXT NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES namespaces (id) ON DELETE CASCADE,
    granted_at INTEGER NOT NULL, PRIMARY KEY (repository_id, user_id)) STRICT, WITHOUT ROWID;
"""


def old_folder(path: Path) -> None:
    """A data folder as the first schema had it, with enough in it to take a while to copy."""
    path.mkdir(mode=0o700)
    with contextlib.closing(sqlite3.connect(path / "hub.sqlite3")) as database:
        database.executescript(SCHEMA_1)
        database.execute(
            "INSERT INTO namespaces VALUES ('u', 'user', 'a', 'a', 'A', NULL, NULL, 1)"
        )
        database.executemany(
            "INSERT INTO tokens VALUES (?, 'u', ?, 'read', NULL, ?, 'abcd', 1, NULL, NULL)",
            ((f"{n:024x}", f"token {n}", n.to_bytes(32, "big")) for n in range(20_000)),
        )
        database.execute("PRAGMA user_version = 1")
        database.commit()


def test_an_upgrade_that_is_killed_is_done_or_not_begun(home: Path) -> None:
    template = home / "template"
    old_folder(template)
    seen = set()
    for number in range(KILLS):
        data = home / f"data-{number}"
        shutil.copytree(template, data)
        arguments = command("serve", "--data", data)
        killed_at_random(arguments, home, 0.8)
        with contextlib.closing(sqlite3.connect(data / "hub.sqlite3")) as database:
            (schema,) = database.execute("PRAGMA user_version").fetchone()
            (whole,) = database.execute("PRAGMA integrity_check").fetchone()
        assert whole == "ok"
        copies = [path for path in data.glob("hub.sqlite3.before-*") if ".new" not in path.name]
        # No change without a copy, and no copy that is not whole.
        assert schema == 1 or copies
        for copy in copies:
            with contextlib.closing(sqlite3.connect(copy)) as database:
                assert database.execute("PRAGMA user_version").fetchone() == (1,)
                assert database.execute("SELECT count(*) FROM tokens").fetchone() == (20_000,)
        seen.add(schema)
        with serving(home, data) as hub:
            assert len(hub.admin("GET", "users/a/tokens")) == 20_000
        shutil.rmtree(data)
    assert seen


def test_commits_go_on_while_it_is_backed_up(home: Path) -> None:
    data = home / "data"
    with serving(home, data) as hub:
        token = hub.token("alice")
        hub.ask("POST", "/api/repos/create", token=token, body={"name": "m"})
        done = threading.Event()
        acknowledged: list[str] = []

        def write() -> None:
            number = 0
            while not done.is_set():
                connection = hub.connect()
                connection.request(
                    "POST",
                    "/api/models/alice/m/commit/main",
                    body=commit(f"{number}.txt", "x" * 5_000),
                    headers={"Authorization": f"Bearer {token}"},
                )
                assert connection.getresponse().status == 200
                connection.close()
                acknowledged.append(f"{number}.txt")
                number += 1

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for number in range(3):
                before = list(acknowledged)
                target = home / f"{number}.tar"
                made = run(home, "backup", "--data", data, target)
                assert made.returncode == 0, made.stderr
                restored = home / f"restored-{number}"
                assert run(home, "restore", "--data", restored, target).returncode == 0
                with serving(home, restored) as again:
                    for name in before[-3:]:
                        assert again.ask("GET", f"/alice/m/resolve/main/{name}", token=token) == (
                            200,
                            "x" * 5_000,
                        )
        finally:
            done.set()
            writer.join()


# -- a full disk ------------------------------------------------------------------------------


@pytest.fixture
def small_disk(home: Path) -> Iterator[Path]:
    """A file system of a few megabytes, where one may be mounted."""
    path = home / "small"
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m,mode=700", "tmpfs", str(path)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip("no file system can be mounted here")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def test_a_full_disk_is_said_to_be_and_nothing_is_lost(small_disk: Path, home: Path) -> None:
    data = small_disk / "data"
    with serving(home, data) as hub:
        token = hub.token("alice")
        hub.ask("POST", "/api/repos/create", token=token, body={"name": "m"})
        assert hub.ask("GET", "/readyz") == (503, "the disk is almost full\n")
        kept: list[str] = []
        for number in range(40):
            # Random, since git compresses.
            content = os.urandom(600_000).hex()
            connection = hub.connect()
            connection.request(
                "POST",
                "/api/models/alice/m/commit/main",
                body=commit(f"{number}.txt", content),
                headers={"Authorization": f"Bearer {token}"},
            )
            answer = connection.getresponse()
            text = answer.read().decode()
            connection.close()
            if answer.status != 200:
                assert answer.status == 507, text
                assert "disk is full" in text
                assert int(answer.headers["Retry-After"]) > 0
                break
            kept.append(f"{number}.txt")
        else:
            pytest.fail("twelve megabytes took forty commits")
        for name in kept:
            assert hub.ask("HEAD", f"/alice/m/resolve/main/{name}", token=token)[0] == 200
        failed = run(home, "backup", "--data", data, small_disk / "backup.tar")
        assert failed.returncode == 1
        assert not (small_disk / "backup.tar").exists()
    with serving(home, data) as hub:
        assert hub.ask("GET", "/api/whoami-v2", token=token)[0] == 200
