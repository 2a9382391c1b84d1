"""A Hub with a login by browser that goes as a test says."""

from __future__ import annotations

import json
from configparser import ConfigParser
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from tests.environment import fake_token
from tests.python.servers import Request, http, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.python.servers import Server

CODE = "ABCD-EFGH"


class OAuthHub:
    """A Hub whose logins go as a test says."""

    def __init__(self) -> None:
        """Every login is approved at once."""
        self.device_code = fake_token()
        self.access = "hf_oauth_" + fake_token()
        self.refresh = "hf_oauth__refresh_" + fake_token()[3:]
        self.answers: list[str | Callable[[], bytes]] = []
        self.page = "/oauth/device"
        self.server: Server

    def answer(self, request: Request) -> bytes:
        """One response."""
        if request.path == "/oauth/device":
            return self.json(
                200,
                device_code=self.device_code,
                user_code=CODE,
                verification_uri=self.server.endpoint + self.page,
                interval=1,
                expires_in=900,
            )
        if request.path == "/oauth/token":
            form = parse_qs(request.body.decode())
            assert form["device_code"] == [self.device_code]
            answer = self.answers.pop(0) if self.answers else "approved"
            if callable(answer):
                return answer()
            if answer != "approved":
                return self.json(400, error=answer)
            return self.json(
                200,
                access_token=self.access,
                refresh_token=self.refresh,
                expires_in=2592000,
                token_type="bearer",
            )
        if request.authorization == f"Bearer {self.access}":
            auth = {"type": "oauth", "expiresAt": "2099-01-02T03:04:05.000Z"}
            return self.json(200, type="user", name="alice", orgs=[], auth=auth)
        return http(401, '{"error":"Invalid credentials in Authorization header"}')

    @staticmethod
    def json(status: int, **fields: Any) -> bytes:
        """A response with these fields."""
        return http(status, json.dumps(fields), Content_Type="application/json")

    def secrets(self) -> list[str]:
        """What must not be shown."""
        return [self.device_code, self.access, self.refresh]


@contextmanager
def oauth_hub_running() -> Iterator[OAuthHub]:
    """A running one."""
    hub = OAuthHub()
    with serving(hub.answer) as server:
        hub.server = server
        yield hub


def stored(home: Path) -> dict[str, dict[str, str]]:
    """The sections of `stored_tokens`."""
    parser = ConfigParser(interpolation=None)
    parser.read(home / "huggingface" / "stored_tokens", encoding="utf-8")
    return {name: dict(parser[name]) for name in parser.sections()}
