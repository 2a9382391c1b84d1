"""No value, password or key is anywhere but where it has to be: a search for all that were used."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tests.e2e.served import Served
from tests.environment import child_environment, fake_token
from tests.python.helpers import leaks

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "correct horse battery staple"


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_nothing_that_was_secret_is_kept_or_told(  # noqa: PLR0915 - one long day
    home: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    hub = Served(home, data)
    client = hub.connect()
    told: list[object] = []

    def ask(method: str, path: str, token: str, body: object = None) -> Any:
        status, answer, headers = client.ask(method, path, token, body)
        told.append((status, answer, list(headers.items())))
        return answer

    def admin(method: str, path: str, body: object = None) -> Any:
        return ask(method, f"/-/hubtoken/v1/{path}", hub.key, body)

    values: list[str] = []

    def shown_once(answer: Any) -> str:
        value = str(answer["token"])
        values.append(value)
        # Told where it was made, which is the one place; anywhere else it would be found below.
        told.pop()
        return value

    admin("POST", "users", {"name": "alice", "password": PASSWORD})
    admin("POST", "users", {"name": "root"})
    admin("POST", "organizations", {"name": "acme"})
    admin("PUT", "organizations/acme/members/alice", {"role": "write"})
    admin("PUT", "organizations/acme/members/root", {"role": "admin"})
    admin("PUT", "organizations/acme/policy", {"policy": "require-approval"})
    scopes = [{"entity": "acme", "permissions": ["repo.write", "org.write"]}]
    fine = {"role": "fineGrained", "scopes": scopes}
    root = shown_once(admin("POST", "users/root/tokens", {"name": "root", **fine}))
    first = shown_once(admin("POST", "users/alice/tokens", {"name": "ci", **fine}))
    second = shown_once(admin("POST", "users/alice/tokens/ci/refresh"))
    admin("POST", "organizations/acme/approvals/ci/approve")
    # Wrong in all the ways in which a value or a password ends up where it should not be.
    stranger = fake_token()
    values.append(stranger)
    for token in (first, second, stranger, PASSWORD, hub.key):
        ask("GET", "/api/whoami-v2", token)
        ask("GET", "/-/hubtoken/v1/users", token)
        # What looks like no secret is repeated to whoever typed it.
        typed = "x" if token == PASSWORD else token
        ask("DELETE", f"/-/hubtoken/v1/users/alice/tokens/{typed}", hub.key)
        ask("GET", f"/api/models/alice/{typed}", second)
        revoke = "/api/organizations/acme/settings/tokens/revoke"
        ask("POST", revoke, root, {"token": token, "extra": token})
        ask("POST", "/api/repos/create", second, {"name": "x", "organization": "acme"})
    admin("POST", "users", {"name": PASSWORD})
    told.pop()  # A name that is refused is repeated to whoever typed it; it is kept nowhere.
    for path in (
        "users/alice/tokens",
        "organizations/acme/approvals",
        "audit?limit=1000",
        "users",
    ):
        assert isinstance(admin("GET", path), list | dict), path
    ask("POST", "/api/credentials/revoke", second, {"credentials": [second, stranger]})
    running = files(data)
    client.close()

    secrets = [*values, PASSWORD]
    listing = subprocess.run(
        [sys.executable, "-m", "hubtoken", "hub", "audit", "--data", str(data), "--limit", "1000"],
        env=child_environment(home),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "approval.revoke" in listing.stdout
    hub.stop()
    log = (home / "served.log").read_bytes()
    places: dict[str, bytes] = {
        "answers": repr(told).encode(),
        "audit": (listing.stdout + listing.stderr).encode(),
        "log": log,
        **{f"running {name}": content for name, content in running.items()},
        **{f"stopped {name}": content for name, content in files(data).items()},
    }
    assert any(name.startswith("running hub.sqlite3-wal") for name in places)
    for name, content in places.items():
        assert leaks(content, *secrets) == [], name
        if not name.endswith("admin-key"):
            assert leaks(content, hub.key) == [], name
