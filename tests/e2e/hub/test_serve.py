"""`hubtoken hub` as a team runs it: created, served, monitored, backed up, stopped and killed."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.support.operating import (
    DEADLINE,
    begin_upload,
    commit,
    run,
    serving,
    wait_for_upload,
    wait_until_closed,
)
from tests.e2e.support.relay import Relay
from tests.environment import fake_token

PASSWORD = "correct horse battery"

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
        # The cause of a Hub's failure is in the log.
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


def test_an_upload_is_finished_before_the_end(home: Path) -> None:
    with serving(home, home / "data") as hub:
        token = hub.token("alice")
        hub.ask("POST", "/api/repos/create", token=token, body={"name": "m"})
        body = commit("a.txt", "kept")
        upload = begin_upload(hub, token, body)
        hub.process.terminate()
        wait_until_closed(hub)
        assert hub.process.poll() is None
        upload.send(body[-10:].encode())
        assert upload.getresponse().status == 200
        upload.close()
        assert hub.ended() == 0
    with serving(home, home / "data") as hub:
        status, content = hub.ask("GET", "/alice/m/resolve/main/a.txt", token=token)
        assert (status, content) == (200, "kept")


def test_an_upload_of_the_real_client_is_finished_before_the_end(home: Path) -> None:
    from huggingface_hub import CommitInfo, HfApi

    content = os.urandom(1_500_000).hex().encode()
    done: list[CommitInfo] = []
    with serving(home, home / "data") as hub:
        token = hub.token("alice")
        hub.ask("POST", "/api/repos/create", token=token, body={"name": "m"})
        with Relay(hub.endpoint, after=1_000_000) as relay:
            api = HfApi(endpoint=relay.endpoint, token=token)

            def upload() -> None:
                done.append(
                    api.upload_file(
                        path_or_fileobj=content, path_in_repo="big.txt", repo_id="alice/m"
                    )
                )

            client = threading.Thread(target=upload, daemon=True)
            client.start()
            assert relay.stopped.wait(DEADLINE)
            wait_for_upload(hub)
            hub.process.terminate()
            wait_until_closed(hub)
            assert hub.process.poll() is None
            # It continues, and its client gets a success response.
            relay.go_on.set()
            client.join(DEADLINE)
            assert hub.ended() == 0
    (told,) = done
    with serving(home, home / "data") as hub:
        status, info = hub.ask("GET", "/api/models/alice/m/revision/main", token=token)
        assert (status, info["sha"]) == (200, told.oid)
        status, kept = hub.ask("GET", "/alice/m/resolve/main/big.txt", token=token)
        assert (status, kept) == (200, content.decode())


def test_the_deadline_ends_an_upload_that_does_not(home: Path) -> None:
    with serving(home, home / "data", "--grace", "1") as hub:
        token = hub.token("alice")
        hub.ask("POST", "/api/repos/create", token=token, body={"name": "m"})
        upload = begin_upload(hub, token, commit("a.txt"))
        hub.process.terminate()
        assert hub.ended() == 0
        # No success response was sent.
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            upload.getresponse()
        upload.close()
    with serving(home, home / "data") as hub:
        assert hub.ask("GET", "/alice/m/resolve/main/a.txt", token=token)[0] == 404


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_the_second_signal_ends_it_at_once(second: signal.Signals, home: Path) -> None:
    with serving(home, home / "data", "--grace", "3600") as hub:
        token = hub.token("alice")
        hub.ask("POST", "/api/repos/create", token=token, body={"name": "m"})
        upload = begin_upload(hub, token, commit("a.txt"))
        hub.process.terminate()
        with pytest.raises(subprocess.TimeoutExpired):
            hub.process.wait(timeout=0.5)
        # It may be between the two waits, so the signal is repeated until it has an effect.
        end = time.monotonic() + DEADLINE
        while hub.process.poll() is None and time.monotonic() < end:
            hub.process.send_signal(second)
            time.sleep(0.2)
        assert hub.ended() == 0
        upload.close()


# -- backup ---------------------------------------------------------------------------------


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
