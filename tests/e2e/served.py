"""A Hub in a process of its own, which can be killed, and its administration over plain HTTP."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.environment import child_environment

if TYPE_CHECKING:
    from pathlib import Path


class Served:
    """`hubtoken hub serve` on a data folder, with any options beside."""

    def __init__(self, home: Path, data: Path, *options: str) -> None:
        self._log = (home / "served.log").open("ab")
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "hubtoken", "hub", "serve"),
                *("--data", str(data), "--json", *options),
            ],
            env=child_environment(home),
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the Hub did not start; see served.log"
        announced = json.loads(line)
        assert announced["error"] is None, announced
        self.endpoint: str = announced["endpoint"]
        self.key = (data / "admin-key").read_text(encoding="utf-8").strip()

    def connect(self) -> Connection:
        """A connection of one's own: one for each thread."""
        return Connection(self.endpoint, self.key)

    def kill(self) -> None:
        """End it as a crash would, in the middle of whatever it does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it as a service manager would."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        self.process.send_signal(how)
        self.process.wait(timeout=60)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self._log.close()


class Connection:
    """Requests over one connection that is kept open."""

    def __init__(self, endpoint: str, key: str) -> None:
        address = urlsplit(endpoint)
        assert address.hostname is not None
        self._http = http.client.HTTPConnection(address.hostname, address.port or 80, timeout=30)
        self._key = key

    def ask(
        self, method: str, path: str, token: str, body: object = None
    ) -> tuple[int, Any, http.client.HTTPMessage]:
        """Ask; raise `OSError` or `HTTPException` when there is no answer."""
        data = None if body is None else json.dumps(body).encode()
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
        """Administer; the answer must be a good one."""
        status, answer, _ = self.ask(method, f"/-/hubtoken/v1/{path}", self._key, body)
        assert status < 300, (status, answer)
        return answer

    def status(self, token: str) -> int:
        """What whoami says of a token."""
        return self.ask("GET", "/api/whoami-v2", token)[0]

    def close(self) -> None:
        """Close it."""
        self._http.close()
