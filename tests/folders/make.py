"""Pack the data folder of the version that runs this, as `schema-N.json`.

    python -m tests.folders.make

It asks the Hub over HTTP alone, and only for what there was from the first version on unless the
schema is a later one, so that it runs with old versions too.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import re
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from hubtoken.hub import Hub

HERE = Path(__file__).parent
PASSWORD = "correct horse battery staple"
SESSION = "fa4e" * 16
FILES = {"README.md": "# kept\n", "weights/model.bin": "0123456789" * 50}


def fake(name: str) -> str:
    """A value that no Hub has issued."""
    return f"hf_Fake{name.title().replace('-', ''):x<30}"


class Filling:
    """A Hub that is filled."""

    def __init__(self, hub: Hub) -> None:
        self.endpoint, self.key = hub.endpoint, hub.admin_key

    def ask(
        self,
        method: str,
        path: str,
        body: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, str, http.client.HTTPMessage]:
        """One request."""
        address = urlsplit(self.endpoint)
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), answer.headers
        finally:
            connection.close()

    def good(self, method: str, path: str, token: str, body: object = None) -> Any:
        """A request that must succeed."""
        text = body if isinstance(body, str) or body is None else json.dumps(body)
        headers = {"Authorization": f"Bearer {token}"}
        status, content, _ = self.ask(method, path, text, headers)
        assert status < 300, (path, status, content)
        return json.loads(content) if content and content[0] in "{[" else content

    def admin(self, method: str, path: str, body: object = None) -> Any:
        """Administer."""
        return self.good(method, f"/-/hubtoken/v1/{path}", self.key, body)

    def token(self, user: str, name: str, role: str, **options: Any) -> str:
        """A token of a user."""
        body = {"name": name, "role": role, **options}
        return str(self.admin("POST", f"users/{user}/tokens", body)["token"])

    def commit(self, token: str, repository: str) -> None:
        """Two files, in one commit."""
        lines: list[object] = [{"key": "header", "value": {"summary": "First", "description": ""}}]
        for path, content in FILES.items():
            data = base64.b64encode(content.encode()).decode()
            value = {"path": path, "content": data, "encoding": "base64"}
            lines.append({"key": "file", "value": value})
        text = "".join(json.dumps(line) + "\n" for line in lines)
        self.good("POST", f"/api/models/{repository}/commit/main", token, text)

    def sign_in(self, user: str) -> None:
        """Sign in at the pages."""
        _, page, headers = self.ask("GET", "/login")
        cookie = str(headers["Set-Cookie"]).split(";")[0]
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', page)
        assert found is not None
        form = {"csrf": found[1], "username": user, "password": PASSWORD}
        status, page, _ = self.ask(
            "POST",
            "/login",
            urlencode(form),
            {
                "Cookie": cookie,
                "Origin": self.endpoint,
                "Sec-Fetch-Site": "same-origin",
                "Content-Type": "application/x-www-form-urlencoded",
            },
        )
        assert status == 303, page


def fill(hub: Filling, schema: int) -> None:
    """Two people, an organization, two repositories, and tokens in all states."""
    for user in ("alice", "bob"):
        hub.admin("POST", "users", {"name": user, "email": f"{user}@example.invalid"})
    hub.admin("POST", "users", {"name": "carol", "password": PASSWORD})
    hub.admin("POST", "organizations", {"name": "acme", "fullname": "Acme Inc"})
    for user, role in (("alice", "admin"), ("bob", "write")):
        hub.admin("PUT", f"organizations/acme/members/{user}", {"role": role})
    live = hub.token("alice", "live", "write")
    hub.token("alice", "refreshed", "read")
    hub.admin("POST", "users/alice/tokens/refreshed/refresh")
    hub.token("alice", "deleted", "write")
    hub.admin("DELETE", "users/alice/tokens/deleted")
    hub.token("bob", "expiring", "read", expiresAt="2099-01-01T00:00:00Z")
    for name in ("m", "gated"):
        body = {"name": name, "private": name == "m", "organization": "acme"}
        hub.good("POST", "/api/repos/create", live, body)
        hub.commit(live, f"acme/{name}")
    hub.good("PUT", "/api/models/acme/gated/settings", live, {"gated": "manual"})
    hub.admin("PUT", "repositories/model/acme/gated/grants/carol")
    if schema >= 2:
        hub.admin("PUT", "organizations/acme/policy", {"policy": "require-approval"})
    scopes = [{"entity": "acme/m", "permissions": ["repo.write"]}]
    for name in ("pending", "approved", "denied", "revoked"):
        hub.token("bob", name, "fineGrained", scopes=scopes)
    if schema >= 2:
        for name, deeds in (
            ("approved", ["approve"]),
            ("denied", ["deny"]),
            ("revoked", ["approve", "revoke"]),
        ):
            for deed in deeds:
                hub.admin("POST", f"organizations/acme/approvals/{name}/{deed}")
    if schema >= 3:
        hub.sign_in("carol")


def pack(data: Path) -> dict[str, Any]:
    """The folder of a stopped Hub, with digests of fake values."""
    values = {}
    with contextlib.closing(sqlite3.connect(data / "hub.sqlite3")) as database:
        (schema,) = database.execute("PRAGMA user_version").fetchone()
        for (name,) in database.execute("SELECT name FROM tokens").fetchall():
            values[name] = value = fake(name)
            digest = hashlib.sha256(value.encode()).digest()
            database.execute(
                "UPDATE tokens SET digest = ?, last4 = ? WHERE name = ?", (digest, value[-4:], name)
            )
        if schema >= 3:
            digest = hashlib.sha256(SESSION.encode()).digest()
            database.execute("UPDATE sessions SET digest = ?", (digest,))
        database.commit()
        sql = [line for statement in database.iterdump() for line in statement.splitlines()]
    files, folders = {}, []
    for path in sorted((data / "repositories").rglob("*")):
        name = str(path.relative_to(data))
        if path.is_file():
            files[name] = base64.b64encode(path.read_bytes()).decode()
        elif not any(path.iterdir()):
            folders.append(name)
    return {
        "schema": schema,
        "packedAt": int(time.time()),
        "values": values,
        "dead": {name: fake(f"old-{name}") for name in ("refreshed", "deleted")},
        "session": SESSION if schema >= 3 else None,
        "password": PASSWORD,
        "content": FILES,
        "sql": [*sql, f"PRAGMA user_version = {schema};"],
        "files": files,
        "folders": folders,
    }


def main() -> None:
    """Fill, stop and pack."""
    with tempfile.TemporaryDirectory() as room:
        data = Path(room) / "data"
        with Hub(data) as hub, contextlib.closing(sqlite3.connect(data / "hub.sqlite3")) as opened:
            (schema,) = opened.execute("PRAGMA user_version").fetchone()
            fill(Filling(hub), schema)
        content = pack(data)
    target = HERE / f"schema-{schema}.json"
    target.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
