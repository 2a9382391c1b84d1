"""A Hub in a separate process, which can be killed, and its administration over plain HTTP."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from tests.environment import HANG_LIMIT, child_environment

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self


class Served:
    """`hubtoken hub serve` on a data folder; ended with the block, even if a test fails.

    >>> with Served(home, data) as hub:
    ...     hub.connect().admin("GET", "users")
    """

    def __init__(self, home: Path, data: Path, *options: str, **variables: str) -> None:
        """Set what to serve, with which additional options and variables."""
        self._data = data
        self._log_path = home / "served.log"
        self._command = [
            *(sys.executable, "-m", "hubtoken", "hub", "serve"),
            *("--data", str(data), "--json", *options),
        ]
        self._environment = child_environment(home, **variables)
        self._connections: list[Connection] = []

    def __enter__(self) -> Self:
        """Start it, and wait until it prints its address."""
        with self._log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        try:
            assert self.process.stdout is not None
            line = self.process.stdout.readline()
            assert line, f"the Hub did not start; see {self._log_path}"
            announced = json.loads(line)
            assert announced["error"] is None, announced
            self.announced: dict[str, Any] = announced
            self.endpoint: str = announced["endpoint"]
            self.key = (self._data / "admin-key").read_text(encoding="utf-8").strip()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it in any case."""
        self.kill()
        for connection in self._connections:
            connection.close()

    def connect(self) -> Connection:
        """A new connection, one for each thread; closed with the Hub."""
        connection = Connection(self.announced["local_endpoint"], self.key)
        self._connections.append(connection)
        return connection

    def kill(self) -> None:
        """Kill it as in a crash, in the middle of whatever it is doing."""
        self.process.kill()
        self._ended()

    def stop(self) -> str:
        """Stop it as a service manager would; returns what it wrote to standard output."""
        self.process.terminate()
        said = self._ended()
        assert self.process.returncode == 0
        return said

    def _ended(self) -> str:
        self.process.wait(timeout=HANG_LIMIT)
        output = self.process.stdout
        if output is None or output.closed:
            return ""
        with output:
            return output.read()


class Connection:
    """Requests over one persistent connection."""

    def __init__(self, endpoint: str, key: str) -> None:
        address = urlsplit(endpoint)
        assert address.hostname is not None
        self._http = http.client.HTTPConnection(
            address.hostname, address.port or 80, timeout=HANG_LIMIT
        )
        self._key = key

    def ask(
        self, method: str, path: str, token: str, body: object = None
    ) -> tuple[int, Any, http.client.HTTPMessage]:
        """Send a request; raises `OSError` or `HTTPException` if there is no response."""
        return self.send(method, path, token, None if body is None else json.dumps(body))

    def send(
        self, method: str, path: str, token: str, body: str | None
    ) -> tuple[int, Any, http.client.HTTPMessage]:
        """Send a request with a raw body."""
        data = None if body is None else body.encode()
        headers = {"Authorization": f"Bearer {token}"}
        self._http.request(method, path, body=data, headers=headers)
        answer = self._http.getresponse()
        content = answer.read()
        try:
            parsed = json.loads(content) if content else None
        except ValueError:
            parsed = content.decode(errors="replace")
        return answer.status, parsed, answer.headers

    def admin(self, method: str, path: str, body: object = None) -> Any:
        """Send an administrative request, which must succeed."""
        status, answer, _ = self.ask(method, f"/-/hubtoken/v1/{path}", self._key, body)
        assert status < 300, (status, answer)
        return answer

    def form(self, path: str, **fields: str) -> tuple[int, Any]:
        """Post a form, as OAuth has it."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        self._http.request("POST", path, body=urlencode(fields), headers=headers)
        answer = self._http.getresponse()
        return answer.status, json.loads(answer.read())

    def status(self, token: str) -> int:
        """The whoami status of a token."""
        return self.ask("GET", "/api/whoami-v2", token)[0]

    def close(self) -> None:
        """Close it."""
        self._http.close()
