"""Values, passwords, keys and sessions are only where they have to be: all are searched for."""

from __future__ import annotations

import base64
import contextlib
import json
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.e2e.support import logins
from tests.e2e.support.ci_issuer import CIIssuer
from tests.e2e.support.operating import run
from tests.e2e.support.served import Served
from tests.e2e.support.visiting import Visitor
from tests.environment import fake_token
from tests.python.helpers import leaks

if TYPE_CHECKING:
    from tests.e2e.support.served import Connection

PASSWORDS = [
    "correct horse battery staple",
    "another horse for the second time",
    "a third one, over the command line",
    "the very first one of root",
    "typed where the user name should be",
    "tried, and wrong all the same",
]
HASH = "$argon2"
CLIENT_ID = logins.CLIENT_ID
DEVICE_CODE = logins.DEVICE_CODE
ACTS = {
    *("approval.revoke", "login.ok", "login.failed", "user.password"),
    *("service-account.create", "repository.create", "publisher.add", "publisher.refuse"),
    *("oauth.issue", "oauth.refuse", "oauth.replay", "signing-key.rotate"),
}


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def raw(secret: str) -> list[bytes]:
    """The bytes that a secret of hexadecimal digits stands for."""
    with contextlib.suppress(ValueError):
        return [bytes.fromhex(secret)]
    return []


@dataclass
class Day:
    """A long day at a Hub, with everything that was sent and shown."""

    hub: Served
    client: Connection
    told: list[object] = field(default_factory=list)
    values: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)

    def ask(self, method: str, path: str, token: str, body: object = None) -> Any:
        """Send a request, and record the response."""
        status, answer, headers = self.client.ask(method, path, token, body)
        self.told.append((status, answer, list(headers.items())))
        return answer

    def admin(self, method: str, path: str, body: object = None) -> Any:
        """Send an administrative request."""
        return self.ask(method, f"/-/hubtoken/v1/{path}", self.hub.key, body)

    def shown_once(self, answer: Any) -> str:
        """A value from the response that created it, the only one that may contain it."""
        value = str(answer["token"])
        self.values.append(value)
        self.told.pop()
        return value

    def tokens(self) -> tuple[str, str, str]:
        """People, a policy, and tokens that are created, refreshed and approved."""
        self.admin("POST", "users", {"name": "alice", "password": PASSWORDS[0]})
        self.admin("POST", "organizations", {"name": "acme"})
        self.admin("PUT", "organizations/acme/members/alice", {"role": "write"})
        self.admin("PUT", "organizations/acme/members/root", {"role": "admin"})
        self.admin("PUT", "organizations/acme/policy", {"policy": "require-approval"})
        permissions = ["repo.write", "org.write", "org.serviceAccounts.write"]
        scopes = [{"entity": "acme", "permissions": permissions}]
        fine = {"role": "fineGrained", "scopes": scopes}
        body = {"name": "root", **fine}
        root = self.shown_once(self.admin("POST", "users/root/tokens", body))
        body = {"name": "ci", **fine}
        first = self.shown_once(self.admin("POST", "users/alice/tokens", body))
        second = self.shown_once(self.admin("POST", "users/alice/tokens/ci/refresh"))
        self.admin("POST", "organizations/acme/approvals/ci/approve")
        return root, first, second

    def service_accounts(self, root: str) -> None:
        """An account's token that is created, rotated and used, also where it is not accepted."""
        accounts = "/api/organizations/acme/service-accounts"
        account = self.ask("POST", accounts, root, {"name": "nightly"})
        tokens = f"{accounts}/{account['_id']}/tokens"
        created = self.ask("POST", tokens, root, {"permissions": ["repo.write"]})
        first = self.shown_once(created)
        path = f"{tokens}/{created['tokenInfo']['_id']}"
        second = self.shown_once(self.ask("POST", f"{path}/rotate", root))
        for token in (first, second):
            self.ask("GET", "/api/whoami-v2", token)
            self.ask("POST", tokens, token, {"displayName": "another"})
            self.ask("DELETE", f"{tokens}/{token}", root)
            self.ask("GET", f"{accounts}/{token}", root)
        self.ask("POST", "/api/repos/create", second, {"name": "x", "type": "dataset"})
        self.ask("GET", f"{accounts}/{account['_id']}", root)

    def publishers(self, issuer: CIIssuer) -> None:
        """An id token that is exchanged, used again, and put where it does not belong."""
        self.admin("POST", "repositories", {"type": "model", "id": "alice/model"})
        self.admin(
            "POST",
            "publishers",
            {
                "resource": "alice/model",
                "issuer": "https://ci.example",
                "claims": {"repository": "acme/train"},
                "keys": issuer.keys(),
            },
        )
        good = issuer.sign(self.hub.endpoint, iss="https://ci.example")
        fork = issuer.sign(self.hub.endpoint, iss="https://ci.example", repository="acme/fork")
        forged = issuer.sign(self.hub.endpoint, "HS256", iss="https://ci.example")
        self.values += issuer.values
        for token, resource in (
            (fork, "alice/model"),
            (forged, "alice/model"),
            (good, "alice/model"),
            (good, "alice/model"),
            (good, good),
        ):
            body = {
                "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
                "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
                "subject_token": token,
                "resource": resource,
            }
            answer = httpx.post(f"{self.hub.endpoint}/oauth/token", json=body)
            if answer.status_code == 200:
                issued = answer.json()["access_token"]
                self.values.append(issued)
                self.ask("GET", "/api/whoami-v2", issued)
                self.ask("GET", "/-/hubtoken/v1/publishers", issued)
                self.ask("DELETE", f"/-/hubtoken/v1/publishers/{issued}", self.hub.key)
            else:
                self.told.append((answer.text, list(answer.headers.items())))

    def logins(self) -> str:
        """A program's login that is approved, renewed and ended, also with each value misplaced.

        Returns:
            The user code of a login that waits.
        """
        fields = {"client_id": CLIENT_ID, "client_secret": "the-secret-of-a-client"}
        self.values.append(fields["client_secret"])
        device, user = self.device_codes(fields)
        poll = fields | {"grant_type": DEVICE_CODE, "device_code": device}
        self.form("oauth/token", poll)
        self.admin("POST", "logins/approve", {"userCode": user, "user": "alice"})
        first = self.issued(poll)
        renewal = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
        second = self.issued(fields | renewal)
        last = {"grant_type": "refresh_token", "refresh_token": second["refresh_token"]}
        self.issued(fields | last)
        # Each is used again, and put in the place of the others.
        for wrong in (poll, fields | renewal, fields | {"grant_type": device, "scope": user}):
            self.form("oauth/token", wrong)
        for secret in (device, user, first["refresh_token"]):
            self.form("oauth/device", {"client_id": secret, "scope": secret})
            self.form("oauth/token", fields | {"grant_type": DEVICE_CODE, "device_code": secret})
            self.form("oauth/token", {"grant_type": secret, "client_id": secret})
            self.ask("GET", "/api/whoami-v2", secret)
            self.ask("DELETE", f"/-/hubtoken/v1/users/alice/logins/{secret}", self.hub.key)
            self.admin("POST", "logins/approve", {"userCode": secret, "user": "alice"})
            for path in ("/oauth/device", "/login/device"):
                self.ask("GET", f"{path}?user_code={secret}", "")
                # It leads on to a page that has the code filled in.
                self.told.pop()
        basic = httpx.post(f"{self.hub.endpoint}/oauth/token", auth=(CLIENT_ID, self.values[-1]))
        self.told.append((basic.text, list(basic.headers.items())))
        self.admin("GET", "users/alice/logins")
        self.admin("POST", "signing-keys/rotate", {"withdraw": True})
        self.admin("GET", "signing-keys")
        return self.device_codes(fields)[1]

    def device_codes(self, fields: dict[str, str]) -> tuple[str, str]:
        """A device code and its user code, which only this answer has."""
        answer = httpx.post(f"{self.hub.endpoint}/oauth/device", data=fields).json()
        self.values.append(answer["device_code"])
        self.codes.append(answer["user_code"])
        return answer["device_code"], answer["user_code"]

    def issued(self, fields: dict[str, str]) -> dict[str, str]:
        """The tokens of a login, which only this answer has."""
        answer = httpx.post(f"{self.hub.endpoint}/oauth/token", data=fields)
        assert answer.status_code == 200, answer.text
        tokens = dict(answer.json())
        self.values += [tokens["access_token"], tokens["refresh_token"]]
        return tokens

    def form(self, path: str, fields: dict[str, str]) -> None:
        """Send a form that is refused."""
        answer = httpx.post(f"{self.hub.endpoint}/{path}", data=fields)
        assert answer.status_code >= 400, answer.text
        self.told.append((answer.text, list(answer.headers.items())))

    def mistakes(self, root: str, first: str, second: str) -> None:
        """Every secret in the wrong place, in all the ways in which that happens."""
        stranger = fake_token()
        self.values.append(stranger)
        for token in (first, second, stranger, PASSWORDS[0], self.hub.key):
            self.ask("GET", "/api/whoami-v2", token)
            self.ask("GET", "/-/hubtoken/v1/users", token)
            # What does not look like a secret is repeated to the user who typed it.
            typed = "x" if token in PASSWORDS else token
            self.ask("DELETE", f"/-/hubtoken/v1/users/alice/tokens/{typed}", self.hub.key)
            self.ask("GET", f"/api/models/alice/{typed}", second)
            self.ask("GET", f"/api/models?search={typed}", second)
            revoke = "/api/organizations/acme/settings/tokens/revoke"
            self.ask("POST", revoke, root, {"token": token, "extra": token})
            self.ask("POST", "/api/repos/create", second, {"name": "x", "organization": "acme"})
        # A rejected name is repeated to the user who typed it; it is not stored.
        self.admin("POST", "users", {"name": PASSWORDS[0]})
        self.told.pop()
        for path in (
            "users/alice/tokens",
            "organizations/acme/approvals",
            "audit?limit=1000",
            "users",
        ):
            assert isinstance(self.admin("GET", path), list | dict), path
        credentials = {"credentials": [second, stranger]}
        self.ask("POST", "/api/credentials/revoke", second, credentials)

    def pages(self, code: str) -> Visitor:
        """Signing in, in and out of order, a token from the page, and the code of a login."""
        visitor = Visitor(self.hub.endpoint)
        for name, password in (("alice", PASSWORDS[5]), (PASSWORDS[4], PASSWORDS[0])):
            refused = visitor.submit("/login", {"username": name, "password": password})
            assert refused.status != 303
        # A typed name is still in its field for the user who typed it; it is not stored.
        assert PASSWORDS[4] in visitor.pages.pop().text
        signed_in = visitor.submit("/login", {"username": "alice", "password": PASSWORDS[0]})
        assert signed_in.status == 303, signed_in.text
        # A code is shown to whoever typed it.
        for typed in (code, self.codes[0], self.values[-1]):
            visitor.submit("/login/device", {"user_code": typed})
            visitor.send("GET", f"/login/device?user_code={typed}")
            del visitor.pages[-2:]
        made = visitor.submit("/settings/tokens/new", {"name": "page", "role": "read"})
        self.values.append(made.shown_value())
        visitor.pages.pop()
        changed = {"current": PASSWORDS[0], "new": PASSWORDS[1], "again": PASSWORDS[1]}
        assert visitor.submit("/settings/password", changed).status == 303
        visitor.send("POST", "/settings/tokens/new", {"csrf": "0" * 64, "name": PASSWORDS[1]})
        assert visitor.send("GET", "/settings/tokens").status == 200
        visitor.send("GET", f"/settings/tokens/{self.values[0]}")
        return visitor


def of_the_system(hub: Served) -> dict[str, bytes]:
    """What every user of this machine can see of a process, if the system shows it."""
    folder = Path("/proc") / str(hub.process.pid)
    return {
        name: (folder / name).read_bytes()
        for name in ("cmdline", "environ")
        if (folder / name).exists()
    }


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_nothing_that_was_secret_is_kept_or_told(
    home: Path, tmp_path: Path, log_format: str
) -> None:
    data = tmp_path / "data"
    said: list[str] = []

    def verb(*arguments: str | Path, stdin: str = "") -> str:
        done = run(home, *arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr
        said.append(done.stdout + done.stderr)
        return done.stdout

    verb("init", "--data", data, "--admin", "root", "--password-stdin", stdin=PASSWORDS[3])
    options = ("--log-format", log_format, "--log-level", "info")
    with Served(home, data, *options) as hub:
        day = Day(hub, hub.connect())
        root, first, second = day.tokens()
        day.service_accounts(root)
        with CIIssuer() as issuer:
            day.publishers(issuer)
        day.mistakes(root, first, second)
        visitor = day.pages(day.logins())
        verb("user", "password", "root", "--data", data, "--password-stdin", stdin=PASSWORDS[2])
        archive = tmp_path / "backup.tar"
        verb("backup", "--data", data, archive)
        listing = verb("audit", "--data", data, "--limit", "1000", "--json")
        verb("audit", "--data", data, "--limit", "1000")
        metrics = day.ask("GET", "/metrics", hub.key)
        assert "hubtoken_" in metrics
        seen = of_the_system(hub)
        running = files(data)
        said.append(json.dumps(hub.announced))
        said.append(hub.stop())
    acts = {entry["act"] for entry in json.loads(listing)["entries"]}
    assert acts >= ACTS
    places: dict[str, bytes] = {
        "answers": repr(day.told).encode(),
        "verbs": "\n".join(said).encode(),
        "log": (home / "served.log").read_bytes(),
        "backup": archive.read_bytes(),
        **{f"process {name}": content for name, content in seen.items()},
        **{f"running {name}": content for name, content in running.items()},
        **{f"stopped {name}": content for name, content in files(data).items()},
    }
    pages = "\n".join(page.text for page in visitor.pages).encode()
    assert any(name.startswith("running hub.sqlite3-wal") for name in places)
    assert b"/api/whoami-v2" in places["log"]
    assert (b'"route"' in places["log"]) == (log_format == "json")

    secrets = [*day.values, *PASSWORDS]
    assert len(day.values) == 20
    assert len(day.codes) == 2
    assert len(visitor.ids) >= 3
    assert len(visitor.form_tokens) >= 4
    for name, content in {**places, "pages": pages}.items():
        assert leaks(content, *secrets) == [], name
        # Short, so only as a whole; a program may leave out the dash.
        for code in day.codes:
            assert code.encode() not in content, name
            assert code.replace("-", "").encode() not in content, name
        # A form's token is only in its form, and what the browser must store is in no page.
        of_pages = visitor.ids if name == "pages" else visitor.ids | visitor.form_tokens
        assert leaks(content, *of_pages) == [], name
        assert [part for secret in of_pages for part in raw(secret) if part in content] == [], name
        if not name.endswith("admin-key"):
            assert leaks(content, hub.key) == [], name
        # What is stored of a password is only in the database.
        if not ("hub.sqlite3" in name or name == "backup"):
            assert HASH.encode() not in content, name
    assert_hashes_are_of_passwords(data)


def assert_hashes_are_of_passwords(data: Path) -> None:
    """The one column of hashes has hashes with separate salts, and no other column has any."""
    with contextlib.closing(sqlite3.connect(data / "hub.sqlite3")) as database:
        tables = [
            row[0]
            for row in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        ]
        found = []
        for table in tables:
            rows = database.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - a name of the schema
            columns = [column[0] for column in rows.description]
            found += [
                (table, column, value)
                for row in rows
                for column, value in zip(columns, row, strict=True)
                if isinstance(value, str) and HASH in value
            ]
    assert {place[:2] for place in found} == {("namespaces", "password_hash")}
    hashes = [value for *_, value in found]
    assert len(hashes) == 2
    assert all(value.startswith("$argon2id$v=19$m=19456,t=2,p=1$") for value in hashes)
    salts = [base64.b64decode(value.split("$")[4] + "==") for value in hashes]
    assert len(set(salts)) == 2
    assert all(len(salt) >= 16 for salt in salts)
