"""`kill -9` of a Hub while logins begin and are renewed: none is lost, and none is dead.

What the Hub has acknowledged is there; what it was about to acknowledge can be asked for again,
with the same result, since the client cannot know whether it happened. The clock stands still, so
that a repetition is never too late, however slow the machine is. `TEST_CRASHES` sets how often.
"""

from __future__ import annotations

import http.client
import os
import random
import secrets
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.e2e.support import logins
from tests.e2e.support.served import Served
from tests.environment import HANG_LIMIT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.support.served import Connection

CRASHES = int(os.environ.get("TEST_CRASHES", "8"))
START = 1_800_000_000
MOST = 20
LONGEST = 0.01


class Renewer:
    """A client that renews its login again and again."""

    def __init__(self, tokens: dict[str, Any]) -> None:
        """A new login."""
        self.access: str = tokens["access_token"]
        self.refresh: str = tokens["refresh_token"]
        self.done = 0

    def work(self, client: Connection) -> None:
        """One renewal. What is not answered can be repeated."""
        status, tokens = logins.renew(client, self.refresh)
        assert status == 200, tokens
        self.access, self.refresh = tokens["access_token"], tokens["refresh_token"]
        self.done += 1

    def look(self, client: Connection) -> str:
        """The last access token works, and so does the renewal that was under way."""
        assert client.status(self.access) == 200
        before = logins.acts(client, "oauth.refresh")
        self.work(client)
        assert client.status(self.access) == 200
        happened = logins.acts(client, "oauth.refresh") == before
        return f"renewal {'done' if happened else 'not done'}"


class Beginner:
    """A client that begins one login after the other."""

    def __init__(self) -> None:
        """None has begun."""
        self.code: dict[str, Any] | None = None
        self.is_approved = False
        self.values: list[str] = []
        self.done = 0

    def work(self, client: Connection) -> None:
        """One login, from wherever the last one was interrupted."""
        if self.code is None:
            self.is_approved = False
            self.code = logins.request(client)
        if not self.is_approved:
            logins.approve(client, self.code["user_code"], "bob")
            self.is_approved = True
        self.finish(client)

    def finish(self, client: Connection) -> None:
        """Exchange the code."""
        assert self.code is not None
        status, tokens = logins.exchange(client, self.code["device_code"])
        assert status == 200, tokens
        self.code = None
        self.values.append(tokens["access_token"])
        self.done += 1

    def look(self, client: Connection) -> str:
        """Acknowledged logins work, and the one that was under way can be finished."""
        assert {client.status(value) for value in self.values} <= {200}
        if self.code is None:
            return "no login under way"
        if not self.is_approved:
            status, answer = logins.exchange(client, self.code["device_code"])
            if status == 400:
                assert answer["error"] == "authorization_pending", answer
                logins.approve(client, self.code["user_code"], "bob")
                self.finish(client)
                return "approval not done"
            assert status == 200, answer
            self.code = None
            self.values.append(answer["access_token"])
            return "approval done"
        before = logins.acts(client, "oauth.issue")
        self.finish(client)
        happened = logins.acts(client, "oauth.issue") == before
        return f"exchange {'done' if happened else 'not done'}"


def crash(hub: Served, workers: list[Renewer | Beginner], chance: random.Random) -> None:
    """Let them work, and kill the Hub at some point."""
    failures: list[BaseException] = []

    def repeat(worker: Renewer | Beginner) -> None:
        client = hub.connect()
        try:
            while True:
                worker.work(client)
        except (OSError, http.client.HTTPException):
            client.close()
        except BaseException as failure:  # noqa: BLE001 - raised below
            failures.append(failure)

    start = sum(worker.done for worker in workers)
    wanted = start + chance.randint(0, MOST)
    threads = [threading.Thread(target=repeat, args=(each,), daemon=True) for each in workers]
    for thread in threads:
        thread.start()
    end = time.monotonic() + HANG_LIMIT
    while sum(worker.done for worker in workers) < wanted and not failures:
        assert time.monotonic() < end
        time.sleep(0.001)
    time.sleep(chance.uniform(0, LONGEST))
    hub.kill()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def test_no_crash_of_the_hub_ends_a_login(home: Path, tmp_path: Path) -> None:
    seed = int(os.environ.get("TEST_CRASH_SEED", secrets.randbelow(1 << 32)))
    print(f"TEST_CRASH_SEED={seed}")  # noqa: T201 - shown when it fails
    chance = random.Random(seed)  # noqa: S311 - a time, not a secret
    clock = tmp_path / "clock"
    clock.write_text(str(START * 1000))
    spread: Counter[str] = Counter()

    def serve() -> Served:
        return Served(home, tmp_path / "data", HUBTOKEN_TEST_CLOCK=str(clock))

    with serve() as hub:
        client = hub.connect()
        for user in ("alice", "bob"):
            client.admin("POST", "users", {"name": user})
        workers: list[Renewer | Beginner] = [Renewer(logins.log_in(client)), Beginner()]
        crash(hub, workers, chance)
    for number in range(CRASHES):
        with serve() as hub:
            client = hub.connect()
            spread.update(worker.look(client) for worker in workers)
            assert logins.acts(client, "oauth.replay") == 0
            assert len(client.admin("GET", "users/alice/logins")) == 1
            for each in client.admin("GET", "users/bob/logins"):
                client.admin("DELETE", f"users/bob/logins/{each['id']}")
            for worker in workers:
                if isinstance(worker, Beginner):
                    assert {client.status(value) for value in worker.values} <= {401}
                    worker.values.clear()
            # The next repetition is not within the time of the last one.
            clock.write_text(str((START + (number + 1) * 3600) * 1000))
            crash(hub, workers, chance)
    print(dict(sorted(spread.items())))  # noqa: T201 - shown when it fails
