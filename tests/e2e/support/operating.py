"""`hubtoken hub` as an operator types it: its verbs, and a Hub in a separate process."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.environment import HANG_LIMIT, child_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

DEADLINE = HANG_LIMIT


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


# A parent in the background ignores Ctrl-C and passes that on; this Hub must receive it.
HEARING = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)


@contextlib.contextmanager
def serving(home: Path, data: Path, *arguments: str) -> Iterator[Served]:
    """A Hub in a separate process; killed at the end if it is still running."""
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
        """The address that clients use."""
        return str(self.announced["endpoint"])

    def connect(self) -> http.client.HTTPConnection:
        """A new connection."""
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
        """Send a request; returns status and JSON, or text."""
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
        """A new write token of a user, who is created if necessary."""
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


def begin_upload(hub: Served, token: str, body: str) -> http.client.HTTPConnection:
    """An upload of which everything is sent but the end, and which the Hub has begun to read."""
    connection = hub.connect()
    connection.putrequest("POST", "/api/models/alice/m/commit/main")
    connection.putheader("Authorization", f"Bearer {token}")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[:-10].encode())
    wait_for_upload(hub)
    return connection


def wait_for_upload(hub: Served) -> None:
    """Wait until the Hub has begun to read an upload."""
    end = time.monotonic() + DEADLINE
    while "hubtoken_uploads 1\n" not in hub.ask("GET", "/metrics")[1]:
        assert time.monotonic() < end
        time.sleep(0.02)


def wait_until_closed(hub: Served) -> None:
    """Wait until no new connection is accepted."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        try:
            with contextlib.closing(hub.connect()) as probe:
                probe.connect()
        except OSError:
            return
        time.sleep(0.02)
    raise AssertionError
