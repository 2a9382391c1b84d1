"""A token endpoint that rotates refresh tokens, and logins of it as they are stored."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from tests.python.servers import Request, http, identity

if TYPE_CHECKING:
    from pathlib import Path

HOUR = 60 * 60


def access(number: int) -> str:
    """The access token after that many renewals."""
    return f"hf_oauth_{'FakeFakeFakeFakeFakeFake'}{number:04}"


def refresh(number: int) -> str:
    """The refresh token that came with it."""
    return f"hf_oauth__refresh_{'FakeFakeFakeFake'}{number:04}"


class Issuer:
    """The behavior of a server: each refresh token is good once, and whoami knows every token."""

    def __init__(self, lifetime: int = 8 * HOUR) -> None:
        """Issues tokens that live for some seconds; the first login is number 0."""
        self.lifetime = lifetime
        self.number = 0
        self.refused: list[str] = []
        self.fault: bytes | None = None
        self.lock = threading.Lock()
        self.asked_by: list[str] = []

    def __call__(self, request: Request) -> bytes:
        """Answers a request."""
        if request.path != "/oauth/token":
            value = (request.authorization or "").removeprefix("Bearer ")
            self.asked_by.append(value)
            return identity(auth={"type": "oauth"})
        if self.fault is not None:
            return self.fault
        fields = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        with self.lock:
            if fields.get("refresh_token") != refresh(self.number):
                self.refused.append(fields.get("refresh_token", ""))
                return refusal("invalid_grant")
            self.number += 1
            body = {
                "access_token": access(self.number),
                "token_type": "bearer",
                "expires_in": self.lifetime,
                "refresh_token": refresh(self.number),
                "scope": "openid profile",
            }
        return http(200, json.dumps(body), Content_Type="application/json")


def refusal(code: str, description: str = "") -> bytes:
    """The answer of a token endpoint that refuses."""
    body = {"error": code} | ({"error_description": description} if description else {})
    return http(400, json.dumps(body), Content_Type="application/json")


def log_in(home: Path, expires_at: float, number: int = 0, *, active: bool = True) -> None:
    """Stores a login as `huggingface_hub` does."""
    folder = home / "huggingface"
    folder.mkdir(exist_ok=True)
    (folder / "stored_tokens").write_text(
        f"[oauth-alice]\nhf_token = {access(number)}\nrefresh_token = {refresh(number)}\n"
        f"expires_at = {int(expires_at)}\n\n"
    )
    if active:
        (folder / "token").write_text(access(number))
