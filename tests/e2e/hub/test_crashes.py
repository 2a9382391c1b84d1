"""`kill -9` while tokens are refreshed and policies change, at a new random point each time.

Invariants after each crash: acknowledged changes are present; unacknowledged ones are complete or
absent; no value of a token is both valid and invalid; and the audit log has an entry for each
change that is present, and no other.

`TEST_CRASHES` sets the number of crashes; a thousand take some minutes. `test_kills.py` kills
processes that do not serve: backups, restores and upgrades.
"""

from __future__ import annotations

import http.client
import itertools
import os
import random
import secrets
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.e2e.support.served import Connection, Served
from tests.environment import HANG_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CRASHES = int(os.environ.get("TEST_CRASHES", "8"))
POLICIES = ("allow-all", "fine-grained-only", "require-approval")
# At most this many actions are acknowledged before the Hub is killed, and at most this many seconds
# later: a random point of whatever it is doing then, however long that takes.
MOST = 40
LONGEST = 0.01
# With this many crashes, each kind of action was interrupted both before and after its commit.
LONG_RUN = 500


@dataclass
class Ledger:
    """The actions of one worker: those acknowledged, and one that may have happened as well."""

    # In the order in which they were acknowledged.
    done: list[Any] = field(default_factory=list)
    # The action in progress when the Hub died: it may or may not have happened.
    open: Any = None
    # A failure that a dead Hub does not explain.
    failure: BaseException | None = None


class Life:
    """A Hub that is killed again and again, and what its clients know about it."""

    def __init__(self, hub: Served, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a time, not a secret
        self.ledgers = [Ledger() for _ in range(4)]
        self.acknowledged = 0
        # The outcomes of the actions in progress.
        self.spread: Counter[str] = Counter()
        client = hub.connect()
        for user in ("alice", "bob"):
            client.admin("POST", "users", {"name": user})
        client.admin("POST", "organizations", {"name": "acme"})
        client.admin("PUT", "organizations/acme/members/bob", {"role": "write"})
        made = client.admin("POST", "users/alice/tokens", {"name": "ci", "role": "write"})
        self.ci, self.ci_id = made["token"], made["info"]["id"]
        self.dead: list[str] = []
        scopes = [{"entity": "acme", "permissions": ["repo.write"]}]
        body = {"name": "f", "role": "fineGrained", "scopes": scopes}
        self.scoped_id = client.admin("POST", "users/bob/tokens", body)["info"]["id"]
        self.policy = "allow-all"
        client.admin("PUT", "organizations/acme/policy", {"policy": "require-approval"})
        client.admin("PUT", "organizations/acme/policy", {"policy": "allow-all"})
        self.approval = "pending"
        self.alive: dict[str, str] = {}
        self.names = itertools.count()
        self.seen = client.admin("GET", "audit?limit=1")["entries"][0]["id"]
        client.close()

    # The work of the workers, repeated.

    def refresh(self, client: Connection, ledger: Ledger) -> None:
        """Give alice's token a new value."""
        ledger.open = "refresh"
        answer = client.admin("POST", f"users/alice/tokens/{self.ci_id}/refresh")
        ledger.done.append(answer["token"])
        ledger.open = None

    def set_policy(self, client: Connection, ledger: Ledger) -> None:
        """Set the next policy."""
        last = ledger.done[-1] if ledger.done else self.policy
        wanted = POLICIES[(POLICIES.index(last) + 1) % len(POLICIES)]
        ledger.open = wanted
        client.admin("PUT", "organizations/acme/policy", {"policy": wanted})
        ledger.done.append(wanted)
        ledger.open = None

    def decide(self, client: Connection, ledger: Ledger) -> None:
        """Approve bob's token, or revoke it."""
        last = ledger.done[-1] if ledger.done else self.approval
        deed, wanted = ("revoke", "revoked") if last == "approved" else ("approve", "approved")
        ledger.open = wanted
        client.admin("POST", f"organizations/acme/approvals/{self.scoped_id}/{deed}")
        ledger.done.append(wanted)
        ledger.open = None

    def make_and_delete(self, client: Connection, ledger: Ledger) -> None:
        """Create a token, and delete every other one."""
        name = f"t{next(self.names)}"
        ledger.open = ("create", name)
        made = client.admin("POST", "users/bob/tokens", {"name": name, "role": "read"})
        ledger.done.append(("create", name, made["token"]))
        if int(name[1:]) % 2:
            ledger.open = ("delete", name)
            client.admin("DELETE", f"users/bob/tokens/{made['info']['id']}")
            ledger.done.append(("delete", name, made["token"]))
        ledger.open = None

    def crash(self, hub: Served) -> None:
        """Let it work, and kill it at some point."""
        workers = (self.refresh, self.set_policy, self.decide, self.make_and_delete)
        self.ledgers = [Ledger() for _ in workers]
        ready = threading.Barrier(len(workers) + 1, timeout=HANG_LIMIT)

        def work(deed: Callable[[Connection, Ledger], None], ledger: Ledger) -> None:
            client = hub.connect()
            try:
                client.status(self.ci)
                ready.wait()
                while True:
                    deed(client, ledger)
            except (OSError, http.client.HTTPException):
                client.close()
            except BaseException as failure:  # noqa: BLE001 - raised by the check
                ledger.failure = failure

        threads = [
            threading.Thread(target=work, args=pair, daemon=True)
            for pair in zip(workers, self.ledgers, strict=True)
        ]
        for thread in threads:
            thread.start()
        ready.wait()
        wanted = self.random.randint(0, MOST)
        end = time.monotonic() + HANG_LIMIT
        while sum(len(ledger.done) for ledger in self.ledgers) < wanted and any(
            thread.is_alive() for thread in threads
        ):
            assert time.monotonic() < end
            time.sleep(0.001)
        time.sleep(self.random.uniform(0, LONGEST))
        hub.kill()
        for thread in threads:
            thread.join()

    def look(self, hub: Served) -> None:
        """Check what the last crash has left."""
        for ledger in self.ledgers:
            if ledger.failure is not None:
                raise ledger.failure
            self.acknowledged += len(ledger.done)
        client = hub.connect()
        try:
            self.check(client, *self.ledgers)
        finally:
            client.close()

    def assert_done(
        self,
        kind: str,
        ledger: Ledger,
        entered: list[Any],
        shown: Callable[[Any], Any] = lambda deed: deed,
    ) -> None:
        """The log has the acknowledged actions, in order, and at most the one in progress."""
        acknowledged = [shown(deed) for deed in ledger.done]
        assert entered[: len(acknowledged)] == acknowledged
        more = entered[len(acknowledged) :]
        assert len(more) <= 1
        if more:
            assert ledger.open is not None
            if ledger.open != "refresh":
                assert more == [ledger.open]
        if ledger.open is not None:
            self.spread[f"{kind} {'done' if more else 'not done'}"] += 1

    def entries(self, client: Connection) -> list[dict[str, Any]]:
        """The log's entries since the last check, oldest first."""
        found: list[dict[str, Any]] = []
        query = "audit?limit=1000"
        while True:
            page = client.admin("GET", query)
            found += [entry for entry in page["entries"] if entry["id"] > self.seen]
            if page["next"] is None or page["next"] <= self.seen:
                break
            query = f"audit?limit=1000&before={page['next']}"
        if found:
            self.seen = found[0]["id"]
        return found[::-1]

    def check(
        self,
        client: Connection,
        refreshed: Ledger,
        policies: Ledger,
        decisions: Ledger,
        made: Ledger,
    ) -> None:
        """Check that all parts agree."""
        entries = self.entries(client)

        def entered(act: str) -> list[dict[str, Any]]:
            return [entry for entry in entries if entry["act"] == act]

        self.check_refresh(client, refreshed, entered("token.refresh"))

        deeds = [entry["detail"] for entry in entered("policy.set")]
        policy = client.admin("GET", "organizations/acme/policy")["policy"]
        self.assert_done("policy", policies, deeds)
        assert policy == (deeds[-1] if deeds else self.policy)
        self.policy = policy

        words = {"approval.approve": "approved", "approval.revoke": "revoked"}
        deeds = [words[entry["act"]] for entry in entries if entry["act"] in words]
        (status,) = [
            item["status"]
            for item in client.admin("GET", "organizations/acme/approvals")
            if item["id"] == self.scoped_id
        ]
        self.assert_done("approval", decisions, deeds)
        assert status == (deeds[-1] if deeds else self.approval)
        self.approval = status

        self.check_made(client, made, entries)

    def check_refresh(
        self, client: Connection, ledger: Ledger, entries: list[dict[str, Any]]
    ) -> None:
        """One value is valid, and all others are not."""
        values = [self.ci, *ledger.done]
        self.assert_done(
            "refresh", ledger, [entry["last4"] for entry in entries], lambda value: value[-4:]
        )
        one_more = len(entries) > len(ledger.done)
        # If the last refresh was not acknowledged, the valid value is unknown.
        expected = [401] * (len(values) - 1) + [401 if one_more else 200]
        assert [client.status(value) for value in values] == expected
        self.dead = (self.dead + values[:-1])[-50:]
        assert {client.status(value) for value in self.dead} <= {401}
        (listed,) = client.admin("GET", "users/alice/tokens")
        assert listed["id"] == self.ci_id
        assert listed["last4"] == (entries[-1]["last4"] if entries else self.ci[-4:])
        if one_more:
            self.dead.append(values[-1])
            answer = client.admin("POST", f"users/alice/tokens/{self.ci_id}/refresh")
            self.ci = answer["token"]
            self.entries(client)
        else:
            self.ci = values[-1]
        assert client.status(self.ci) == 200

    def check_made(self, client: Connection, ledger: Ledger, entries: list[dict[str, Any]]) -> None:
        """Tokens exist if they were created, and not if they were deleted."""
        words = {"token.create": "create", "token.delete": "delete"}
        deeds = [
            (words[entry["act"]], entry["tokenName"])
            for entry in entries
            if entry["act"] in words and entry["user"] == "bob"
        ]
        self.assert_done("create, delete", ledger, deeds, lambda deed: deed[:2])
        for deed, name, value in ledger.done:
            if deed == "create":
                self.alive[name] = value
            else:
                assert client.status(self.alive.pop(name)) == 401, name
        lost = deeds[len(ledger.done) :]
        for deed, name in lost:
            if deed == "delete":
                assert client.status(self.alive.pop(name)) == 401, name
        listed = client.admin("GET", "users/bob/tokens")
        unknown = {name for deed, name in lost if deed == "create"}
        assert {item["name"] for item in listed} == {"f", *self.alive, *unknown}
        for value in self.alive.values():
            assert client.status(value) == 200
        # Keeps their number constant: a growing folder would slow down the next rounds.
        for item in listed:
            if item["name"] != "f":
                client.admin("DELETE", f"users/bob/tokens/{item['id']}")
        self.alive.clear()
        self.entries(client)


def test_no_crash_loses_what_was_acknowledged(home: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    seed = int(os.environ.get("TEST_CRASH_SEED", secrets.randbelow(1 << 32)))
    print(f"TEST_CRASH_SEED={seed}")  # noqa: T201 - shown when it fails
    with Served(home, data) as hub:
        life = Life(hub, seed)
    for _ in range(CRASHES):
        with Served(home, data) as hub:
            life.look(hub)
            life.crash(hub)
    with Served(home, data) as hub:
        life.look(hub)
    print(f"{CRASHES} crashes, {life.acknowledged} actions acknowledged")  # noqa: T201
    for what, count in sorted(life.spread.items()):
        print(f"  in progress: {what}: {count}")  # noqa: T201
    # A long run has hit both sides of every commit.
    assert CRASHES < LONG_RUN or len(life.spread) == 2 * len(life.ledgers)
