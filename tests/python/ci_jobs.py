"""A job of a CI: its id tokens, the server that issues them, and the Hub that exchanges them.

One server is both, since hubtoken tells them apart by their addresses only.
"""

from __future__ import annotations

import base64
import itertools
import json
import secrets
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from tests.python.servers import Request, Server, http, identity, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

ISSUER = "https://token.actions.githubusercontent.com"


def id_token(audience: str, **claims: object) -> str:
    """An id token as GitHub Actions issues it, with a signature that nobody verifies."""
    stated = {
        "iss": ISSUER,
        "sub": "repo:acme/training:ref:refs/heads/main",
        "aud": audience,
        "exp": int(time.time()) + 600,
        "repository": "acme/training",
        "ref": "refs/heads/main",
        **claims,
    }
    parts = [json.dumps({"alg": "RS256"}), json.dumps(stated), secrets.token_hex(32)]
    encoded = (base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)
    return ".".join(encoded)


class Job:
    """The servers of a job, with what they were asked and what they have issued."""

    def __init__(self) -> None:
        """Issue tokens that live for an hour."""
        self.life = 3600
        self.request_token = f"ey{secrets.token_hex(24)}"
        self.id_tokens: list[str] = []
        self.tokens: list[str] = []
        self.exchanged: list[dict[str, str]] = []
        # What replaces the Hub's answer to an exchange, or GitHub's to a request.
        self.refusal: bytes | None = None
        self.github_refusal: bytes | None = None
        self._count = itertools.count()
        self._lock = threading.Lock()
        self.server: Server

    @property
    def endpoint(self) -> str:
        """The Hub."""
        return self.server.endpoint

    def github(self, resource: str = "acme/model") -> dict[str, str]:
        """The environment of a job of GitHub Actions."""
        return {
            "HF_ENDPOINT": self.endpoint,
            "HF_OIDC_RESOURCE": resource,
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.endpoint}/issue?api-version=2.0#there",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": self.request_token,
        }

    def other(self, resource: str = "acme/model") -> dict[str, str]:
        """The environment of a job of another CI, with an id token of its own."""
        self.id_tokens.append(id_token(self.endpoint))
        return {
            "HF_ENDPOINT": self.endpoint,
            "HF_OIDC_RESOURCE": resource,
            "HF_OIDC_ID_TOKEN": self.id_tokens[-1],
        }

    @property
    def secrets(self) -> list[str]:
        """What nothing may show."""
        return [self.request_token, *self.id_tokens, *self.tokens]

    def answer(self, request: Request) -> bytes:
        """Answer as GitHub or as the Hub, by the path."""
        with self._lock:
            address = urlsplit(request.path)
            if address.path == "/issue":
                return self._issue(request, address.query)
            if address.path == "/oauth/token":
                return self._exchange(json.loads(request.body))
            if address.path == "/api/whoami-v2":
                return identity(auth={"type": "jwt", "resource": {"sub": "acme/model"}})
            return http(200, "OK")

    def _issue(self, request: Request, query: str) -> bytes:
        if self.github_refusal is not None:
            return self.github_refusal
        assert request.authorization == f"Bearer {self.request_token}"
        fields = parse_qs(query, strict_parsing=True)
        assert fields == {"api-version": ["2.0"], "audience": [self.endpoint]}
        self.id_tokens.append(id_token(self.endpoint))
        return http(200, json.dumps({"value": self.id_tokens[-1]}))

    def _exchange(self, fields: dict[str, str]) -> bytes:
        self.exchanged.append(fields)
        if self.refusal is not None:
            return self.refusal
        assert fields["subject_token"] in self.id_tokens
        if fields["subject_token"] in (before["subject_token"] for before in self.exchanged[:-1]):
            return http(400, '{"error": "invalid_grant", "error_description": "Used before."}')
        self.tokens.append(f"hf_jwt_ey{secrets.token_hex(20)}.ey{next(self._count)}.Fake")
        answer = {
            "access_token": self.tokens[-1],
            "token_type": "bearer",
            "expires_in": self.life,
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        }
        return http(200, json.dumps(answer))


@contextmanager
def running() -> Iterator[Job]:
    """A job whose servers are running."""
    job = Job()
    with serving(job.answer) as server:
        job.server = server
        yield job
