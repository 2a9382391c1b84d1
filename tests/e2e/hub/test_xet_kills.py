"""`kill -9` of a Hub, and of its client, while a large file is uploaded by Xet.

What was acknowledged is there afterwards, nothing is half visible, and the same upload succeeds
when it is tried again, from what the client remembers of the first attempt. `TEST_CRASHES` sets how
often; the points of the kills are printed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import secrets
import signal
import subprocess
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.e2e.support.runner import PROGRAMS
from tests.e2e.support.served import Served
from tests.environment import HANG_LIMIT, child_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CRASHES = int(os.environ.get("TEST_CRASHES", "6"))
REPOSITORY = "alice/m"
SIZE = 3_000_000

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


class Uploads:
    """A program that uploads, one file at a time, in processes that can be killed."""

    def __init__(self, home: Path) -> None:
        """Start it."""
        self._program = subprocess.Popen(
            [sys.executable, str(PROGRAMS / "forking_uploads.py")],
            env=child_environment(home),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def begin(self, **request: str) -> int:
        """Begin an upload; returns its process."""
        assert self._program.stdin is not None
        self._program.stdin.write(json.dumps(request) + "\n")
        self._program.stdin.flush()
        return int(self._answer())

    def end(self) -> int:
        """Wait for its end; returns its exit code."""
        return int(self._answer())

    def _answer(self) -> Any:
        assert self._program.stdout is not None
        return json.loads(self._program.stdout.readline())

    def close(self) -> None:
        """End the program."""
        with self._program:
            assert self._program.stdin is not None
            self._program.stdin.close()


@pytest.fixture
def uploads(home: Path) -> Iterator[Uploads]:
    uploads = Uploads(home)
    yield uploads
    uploads.close()


def content(hub: Served, token: str, path: str) -> bytes | None:
    """A file as a plain client reads it, or that it is not there."""
    url = f"{hub.endpoint}/{REPOSITORY}/resolve/main/{path}"
    headers = {"Authorization": f"Bearer {token}"}
    answer = httpx.get(url, headers=headers, timeout=HANG_LIMIT)
    if answer.status_code == 404:
        return None
    assert answer.status_code == 200, answer.text
    return answer.content


def prepared(hub: Served) -> str:
    """A user and a repository; returns the user's token."""
    client = hub.connect()
    client.admin("POST", "users", {"name": "alice"})
    made = client.admin("POST", "users/alice/tokens", {"name": "w", "role": "write"})
    client.ask("POST", "/api/repos/create", made["token"], {"name": "m"})
    return str(made["token"])


def test_no_kill_loses_or_halves_a_file(home: Path, tmp_path: Path, uploads: Uploads) -> None:
    seed = int(os.environ.get("TEST_CRASH_SEED", secrets.randbelow(1 << 32)))
    print(f"TEST_CRASH_SEED={seed}")  # noqa: T201 - shown when it fails
    chance = random.Random(seed)  # noqa: S311 - a time, not a secret
    data, spread = tmp_path / "data", Counter[str]()
    digests: dict[str, str] = {}
    took, port = 0.0, "0"
    token = ""
    for number in range(CRASHES + 1):
        path, file = f"{number % 20}.bin", tmp_path / "file"
        file.write_bytes(chance.randbytes(SIZE))
        expected = file.read_bytes()
        with Served(home, data, "--port", port) as hub:
            port = hub.endpoint.rpartition(":")[2]
            if not token:
                token = prepared(hub)
            request = {"endpoint": hub.endpoint, "token": token, "repo": REPOSITORY}
            request |= {"file": str(file), "path": path}
            began = time.monotonic()
            process = uploads.begin(**request)
            if number == 0:
                assert uploads.end() == 0
                took = time.monotonic() - began
                digests[path] = hashlib.sha256(expected).hexdigest()
                continue
            time.sleep(chance.uniform(0, took * 1.1))
            kills_hub = chance.random() < 0.5
            if kills_hub:
                hub.kill()
            # Without its Hub it would try again for minutes.
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            is_acknowledged = uploads.end() == 0
        with Served(home, data, "--port", port) as hub:
            found = content(hub, token, path)
            digest = None if found is None else hashlib.sha256(found).hexdigest()
            new = hashlib.sha256(expected).hexdigest()
            assert digest in ({new} if is_acknowledged else {new, digests.get(path)})
            spread[
                f"{'Hub' if kills_hub else 'client'} {'after' if digest == new else 'before'}"
            ] += 1
            uploads.begin(**request)
            assert uploads.end() == 0
            digests[path] = new
            assert content(hub, token, path) == expected
            other = chance.choice(list(digests))
            kept = content(hub, token, other)
            assert kept is not None
            assert hashlib.sha256(kept).hexdigest() == digests[other]
            assert list((data / "xet" / "incoming").iterdir()) == []
    print(f"{took * 1000:.0f} ms, {dict(spread)}")  # noqa: T201
    assert sum(spread.values()) == CRASHES
