"""`kill -9` during pushes, commits and uploads of large files, at a new random point each time.

Invariants after each crash: acknowledged data is present and complete; unacknowledged data is
complete or absent; git reports no problem with the repository; nothing half-finished is left; and
the next attempt works.

`TEST_GIT_CRASHES` sets the number of crashes.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import itertools
import json
import os
import random
import secrets
import subprocess
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.e2e.support.served import Served
from tests.e2e.support.working_copy import Git
from tests.environment import HANG_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CRASHES = int(os.environ.get("TEST_GIT_CRASHES", "3"))
# The longest time that the Hub may work before it is killed, in seconds.
LONGEST = 1.5
REPO = "alice/m"


@dataclass
class Ledger:
    """What one worker did, in the order in which it was acknowledged."""

    done: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class Client:
    """Requests with alice's token, each over a separate connection."""

    endpoint: str
    token: str = field(repr=False)

    def ask(self, method: str, path: str, body: bytes = b"", *, bare: bool = False) -> Any:
        """The body of a successful response; `bare` is without the token."""
        address = urlsplit(self.endpoint)
        assert address.hostname is not None
        headers = {} if bare else {"Authorization": f"Bearer {self.token}"}
        connection = http.client.HTTPConnection(
            address.hostname, address.port or 80, timeout=HANG_LIMIT
        )
        with closing(connection):
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            content = answer.read()
        assert answer.status < 300, (answer.status, content[:500])
        return content

    def batch(self, operation: str, content: bytes) -> Any:
        """The LFS response for one object."""
        oid = hashlib.sha256(content).hexdigest()
        body = {"operation": operation, "objects": [{"oid": oid, "size": len(content)}]}
        path = f"/{REPO}.git/info/lfs/objects/batch"
        return json.loads(self.ask("POST", path, json.dumps(body).encode()))["objects"][0]

    def link(self, operation: str, content: bytes) -> str:
        """The URL that one object is uploaded to or downloaded from."""
        href = urlsplit(self.batch(operation, content)["actions"][operation]["href"])
        return f"{href.path}?{href.query}"


class Life:
    """A Hub that is killed again and again."""

    def __init__(self, home: Path, data: Path, seed: int) -> None:
        self.home, self.data = home, data
        self.random = random.Random(seed)  # noqa: S311 - a time, not a secret
        self.clone = home / "clone"
        self.numbers = itertools.count()
        with Served(home, data) as hub:
            admin = hub.connect()
            admin.admin("POST", "users", {"name": "alice"})
            made = admin.admin("POST", "users/alice/tokens", {"name": "w", "role": "write"})
            self.token: str = made["token"]
            client = Client(hub.endpoint, self.token)
            client.ask("POST", "/api/repos/create", b'{"name": "m", "private": true}')
            url = f"{hub.endpoint}/{REPO}"
            self.git(hub).good("clone", "--quiet", url, str(self.clone))
            hub.stop()
        (self.bare,) = (data / "repositories" / "models").glob("*.git")

    def git(self, hub: Served) -> Git:
        """Alice's git."""
        return Git(self.home, hub.endpoint, self.token)

    # The work of the workers, repeated until the Hub is gone.

    def push(self, hub: Served, ledger: Ledger) -> bool:
        """Push a commit with a file that git cannot compress."""
        git = self.git(hub)
        size = self.random.choice([100, 2_000_000])
        name = f"push-{next(self.numbers)}"
        commit = git.commit(self.clone, **{name: os.urandom(size)})
        url = f"{hub.endpoint}/{REPO}"
        done = git.run("push", "--quiet", url, "main:pushes", folder=self.clone)
        if done.returncode == 0:
            ledger.done.append(commit)
        return done.returncode == 0

    def commit(self, hub: Served, ledger: Ledger) -> bool:
        """Commit a file by API."""
        name = f"api-{next(self.numbers)}"
        content = base64.b64encode(os.urandom(self.random.choice([10, 500_000]))).decode()
        lines = [
            {"key": "header", "value": {"summary": name}},
            {"key": "file", "value": {"path": name, "content": content, "encoding": "base64"}},
        ]
        body = "\n".join(map(json.dumps, lines)).encode()
        Client(hub.endpoint, self.token).ask("POST", f"/api/models/{REPO}/commit/main", body)
        ledger.done.append(name)
        return True

    def upload(self, hub: Served, ledger: Ledger) -> bool:
        """Upload a large file."""
        client = Client(hub.endpoint, self.token)
        content = os.urandom(self.random.choice([10, 3_000_000]))
        client.ask("PUT", client.link("upload", content), content, bare=True)
        ledger.done.append(content)
        return True

    def crash(self) -> int:
        """Let it work, kill it, and check what is left; returns how much was done."""
        deeds = (self.push, self.commit, self.upload)
        ledgers = [Ledger() for _ in deeds]

        def work(deed: Callable[[Served, Ledger], bool], hub: Served, ledger: Ledger) -> None:
            try:
                while deed(hub, ledger):
                    pass
            except (OSError, http.client.HTTPException):
                pass

        with Served(self.home, self.data) as hub:
            threads = [
                threading.Thread(target=work, args=(deed, hub, ledger))
                for deed, ledger in zip(deeds, ledgers, strict=True)
            ]
            for thread in threads:
                thread.start()
            time.sleep(self.random.uniform(0.1, LONGEST))
            hub.kill()
            for thread in threads:
                thread.join()
        with Served(self.home, self.data) as hub:
            self.check(hub, *ledgers)
            hub.stop()
        return sum(len(ledger.done) for ledger in ledgers)

    def check(self, hub: Served, pushed: Ledger, committed: Ledger, uploaded: Ledger) -> None:
        """Check that acknowledged data is present, and that the next attempt works."""
        client = Client(hub.endpoint, self.token)
        tree = json.loads(client.ask("GET", f"/api/models/{REPO}/tree/main?recursive=true"))
        assert set(committed.done) <= {entry["path"] for entry in tree}
        for content in uploaded.done:
            assert client.ask("GET", client.link("download", content), bare=True) == content
        if pushed.done:
            history = self.inspect("rev-list", "pushes").split()
            assert set(pushed.done) <= set(history)
        self.inspect("fsck", "--strict", "--no-dangling", "--connectivity-only")
        assert not list((self.data / "git" / "pushes").glob("*"))
        assert not list((self.data / "lfs" / "incoming").glob("*"))
        assert not [path for path in self.bare.rglob("*") if "tmp_" in path.name]
        assert not list(self.bare.rglob("*.lock"))
        again = Ledger()
        assert self.push(hub, again)
        assert self.commit(hub, again)
        assert self.upload(hub, again)
        # The clone continues from the Hub's state.
        self.inspect("fsck", "--strict", "--no-dangling")

    def inspect(self, *arguments: str) -> str:
        """Run git in the Hub's own repository."""
        done = subprocess.run(
            ["git", "-c", "safe.directory=*", "-C", str(self.bare), *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout


def test_no_crash_loses_what_was_acknowledged(home: Path, tmp_path: Path) -> None:
    seed = int(os.environ.get("TEST_CRASH_SEED", secrets.randbelow(1 << 32)))
    print(f"TEST_CRASH_SEED={seed}")  # noqa: T201 - shown when it fails
    life = Life(home, tmp_path / "data", seed)
    done = sum(life.crash() for _ in range(CRASHES))
    print(f"{CRASHES} crashes, {done} actions acknowledged")  # noqa: T201
