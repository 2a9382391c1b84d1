"""Logins by device code at a served Hub, without a client library, and as a client stores them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.support.served import Connection

# The public client of `huggingface_hub`.
CLIENT_ID = "26be6b09-91c5-47da-9861-d2d2bb7a7e36"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"


def request(client: Connection) -> dict[str, Any]:
    """A device code and its user code."""
    status, answer = client.form("/oauth/device", client_id=CLIENT_ID)
    assert status == 200, answer
    return dict(answer)


def approve(client: Connection, user_code: str, user: str = "alice") -> None:
    """The user's decision."""
    client.admin("POST", "logins/approve", {"userCode": user_code, "user": user})


def exchange(client: Connection, device_code: str) -> tuple[int, dict[str, Any]]:
    """A device code for tokens, if it was approved."""
    return client.form(
        "/oauth/token", grant_type=DEVICE_CODE, device_code=device_code, client_id=CLIENT_ID
    )


def renew(client: Connection, refresh_token: str) -> tuple[int, dict[str, Any]]:
    """A refresh token for tokens."""
    return client.form(
        "/oauth/token",
        grant_type="refresh_token",
        refresh_token=refresh_token,
        client_id=CLIENT_ID,
    )


def log_in(client: Connection, user: str = "alice") -> dict[str, Any]:
    """The tokens of a new login."""
    code = request(client)
    approve(client, code["user_code"], user)
    status, tokens = exchange(client, code["device_code"])
    assert status == 200, tokens
    return tokens


def acts(client: Connection, act: str) -> int:
    """How many entries of the audit log have this act."""
    return len(client.admin("GET", f"audit?act={act}&limit=1000")["entries"])


def store(home: Path, tokens: dict[str, Any], now: float) -> None:
    """Make it the active login of a home, as `huggingface_hub` does."""
    folder = home / "huggingface"
    folder.mkdir(exist_ok=True)
    (folder / "stored_tokens").write_text(
        f"[oauth-alice]\nhf_token = {tokens['access_token']}\n"
        f"refresh_token = {tokens['refresh_token']}\n"
        f"expires_at = {int(now + tokens['expires_in'])}\n\n",
        encoding="utf-8",
    )
    (folder / "token").write_text(tokens["access_token"], encoding="utf-8")
