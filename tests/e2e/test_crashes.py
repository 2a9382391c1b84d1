"""`kill -9` while tokens are refreshed and policies change, at a new random point each time.

What must hold after each crash: what was acknowledged is there; what was not is there whole or
not at all; no value of a token is both dead and alive; and the audit log has an entry for each deed
that is there, and no other.

`TEST_CRASHES` says how often; a thousand take about a quarter of an hour.
"""

from __future__ import annotations

import http.client
import itertools
import os
import random
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.e2e.served import Connection, Served

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CRASHES = int(os.environ.get("TEST_CRASHES", "8"))
POLICIES = ("allow-all", "fine-grained-only", "require-approval")
# The longest that the Hub may work before it is killed, in seconds.
LONGEST = 0.12


@dataclass
class Ledger:
    """What one worker did: what was acknowledged, and what may have happened beside it."""

    # In the order in which they were acknowledged.
    done: list[Any] = field(default_factory=list)
    # Asked for when the Hub died: it may have been done, or not.
    open: Any = None


class Life:
    """A Hub that is killed again and again, and what its clients know of it."""

    def __init__(self, home: Path, data: Path, seed: int) -> None:
        self.home, self.data = home, data
        self.random = random.Random(seed)  # noqa: S311 - a moment, not a secret
        hub = Served(home, data)
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
        hub.kill()

    # What the workers do, over and over.

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
        """Make a token, and delete every other one."""
        name = f"t{next(self.names)}"
        ledger.open = ("create", name)
        made = client.admin("POST", "users/bob/tokens", {"name": name, "role": "read"})
        ledger.done.append(("create", name, made["token"]))
        if int(name[1:]) % 2:
            ledger.open = ("delete", name)
            client.admin("DELETE", f"users/bob/tokens/{made['info']['id']}")
            ledger.done.append(("delete", name, made["token"]))
        ledger.open = None

    def crash(self) -> int:
        """Let it work, kill it, and see what is left; say how much was done."""
        workers = (self.refresh, self.set_policy, self.decide, self.make_and_delete)
        ledgers = [Ledger() for _ in workers]
        hub = Served(self.home, self.data)
        ready = threading.Barrier(len(workers) + 1)

        def work(deed: Callable[[Connection, Ledger], None], ledger: Ledger) -> None:
            client = hub.connect()
            client.status(self.ci)
            ready.wait()
            try:
                while True:
                    deed(client, ledger)
            except (OSError, http.client.HTTPException):
                client.close()

        threads = [
            threading.Thread(target=work, args=pair) for pair in zip(workers, ledgers, strict=True)
        ]
        for thread in threads:
            thread.start()
        ready.wait()
        time.sleep(self.random.uniform(0, LONGEST))
        hub.kill()
        for thread in threads:
            thread.join()
        hub = Served(self.home, self.data)
        client = hub.connect()
        try:
            self.check(client, *ledgers)
        finally:
            client.close()
            hub.kill()
        return sum(len(ledger.done) for ledger in ledgers)

    def entries(self, client: Connection) -> list[dict[str, Any]]:
        """What the log has since the last look, the oldest first."""
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
        """See that all parts agree."""
        entries = self.entries(client)

        def entered(act: str) -> list[dict[str, Any]]:
            return [entry for entry in entries if entry["act"] == act]

        self.check_refresh(client, refreshed, entered("token.refresh"))

        deeds = [entry["detail"] for entry in entered("policy.set")]
        policy = client.admin("GET", "organizations/acme/policy")["policy"]
        assert_done(policies, deeds)
        assert policy == (deeds[-1] if deeds else self.policy)
        self.policy = policy

        words = {"approval.approve": "approved", "approval.revoke": "revoked"}
        deeds = [words[entry["act"]] for entry in entries if entry["act"] in words]
        (status,) = [
            item["status"]
            for item in client.admin("GET", "organizations/acme/approvals")
            if item["id"] == self.scoped_id
        ]
        assert_done(decisions, deeds)
        assert status == (deeds[-1] if deeds else self.approval)
        self.approval = status

        self.check_made(client, made, entries)

    def check_refresh(
        self, client: Connection, ledger: Ledger, entries: list[dict[str, Any]]
    ) -> None:
        """One value lives, and all others are dead."""
        values = [self.ci, *ledger.done]
        assert_done(ledger, [entry["last4"] for entry in entries], lambda value: value[-4:])
        one_more = len(entries) > len(ledger.done)
        # Where the last refresh was not acknowledged, nobody knows the value that lives.
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
        """Tokens are there if they were made, and gone if they were deleted."""
        words = {"token.create": "create", "token.delete": "delete"}
        deeds = [
            (words[entry["act"]], entry["tokenName"])
            for entry in entries
            if entry["act"] in words and entry["user"] == "bob"
        ]
        assert_done(ledger, deeds, lambda deed: deed[:2])
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
        # Not ever more: a folder that grows would slow the next rounds.
        for item in listed:
            if item["name"] != "f":
                client.admin("DELETE", f"users/bob/tokens/{item['id']}")
        self.alive.clear()
        self.entries(client)


def assert_done(
    ledger: Ledger, entered: list[Any], shown: Callable[[Any], Any] = lambda deed: deed
) -> None:
    """The log has what was acknowledged, in order, and at most the one deed that was under way."""
    acknowledged = [shown(deed) for deed in ledger.done]
    assert entered[: len(acknowledged)] == acknowledged
    more = entered[len(acknowledged) :]
    assert len(more) <= 1
    if more:
        assert ledger.open is not None
        if ledger.open != "refresh":
            assert more == [ledger.open]


def test_no_crash_loses_what_was_acknowledged(home: Path, tmp_path: Path) -> None:
    seed = int(os.environ.get("TEST_CRASH_SEED", secrets.randbelow(1 << 32)))
    print(f"TEST_CRASH_SEED={seed}")  # noqa: T201 - shown when it fails
    life = Life(home, tmp_path / "data", seed)
    done = sum(life.crash() for _ in range(CRASHES))
    print(f"{CRASHES} crashes, {done} deeds acknowledged")  # noqa: T201
    assert done > 0
