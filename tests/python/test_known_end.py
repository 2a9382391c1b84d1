"""A *yes* ends with its token: no cached answer outlives a known expiry.

The expiries are years ago or years away, so that no outcome depends on a clock.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any, Literal

import pytest

import hubtoken
from hubtoken import asgi
from tests.environment import fake_token
from tests.python import remembered
from tests.python.helpers import handed_over
from tests.python.servers import Request, http, identity, serving

if TYPE_CHECKING:
    from pathlib import Path

PAST, FUTURE = "2001-01-01T00:00:00.000Z", "2999-01-01T00:00:00.000Z"
WHOAMI, CHECK = "/api/whoami-v2", "/api/models/alice/x/auth-check/write"


def hub(end: str | None = None) -> Any:
    """A Hub that accepts every token, which expires at `end`."""
    auth: dict[str, Any] = {"type": "access_token", "accessToken": {"role": "write"}}
    if end is not None:
        auth["expiresAt"] = end

    def behave(request: Request) -> bytes:
        return identity(auth=auth) if request.path == WHOAMI else http(200, "OK")

    return behave


def paths(server: Any) -> list[str]:
    return [request.path for request in server.requests]


@pytest.mark.parametrize(
    ("end", "asked"), [(None, 1), (FUTURE, 1), (PAST, 3)], ids=["none", "future", "past"]
)
def test_what_whoami_says_of_the_end_counts(home: Path, end: str | None, asked: int) -> None:
    del home
    with serving(hub(end)) as server:
        token = handed_over(endpoint=server.endpoint)
        for _ in range(3):
            assert hubtoken.require_role("write", token, repo="alice/x") is token
        assert paths(server) == [WHOAMI, CHECK] * asked
        server.requests.clear()
        token = handed_over(endpoint=server.endpoint)
        for _ in range(3):
            assert hubtoken.require_role("write", token) is token
            assert hubtoken.whoami(token).user == "alice"
        assert len(paths(server)) == (1 if asked == 1 else 6)


def test_what_another_process_learned_does_not_outlive_the_end(home: Path) -> None:
    with serving(hub(PAST)) as server:
        token = handed_over(endpoint=server.endpoint)
        auth = {"type": "access_token", "accessToken": {"role": "write"}, "expiresAt": PAST}
        remembered.identity(home, token, 1, role="write", auth=auth)
        assert hubtoken.whoami(token).user == "alice"
        assert paths(server) == [WHOAMI]
        server.behavior = lambda _: http(503)
        # Nor does it replace an answer of a Hub that is unavailable.
        with pytest.raises(hubtoken.HubUnreachableError):
            hubtoken.whoami(token)


def stored(home: Path, value: str, endpoint: str, end: str, where: str) -> None:
    """Store a token whose expiry is recorded in `huggingface_hub`'s file or in ours."""
    folder = home / "huggingface"
    folder.mkdir(exist_ok=True)
    field = f"expires_at = {end}\n" if where == "theirs" else ""
    (folder / "stored_tokens").write_text(f"[ci]\nhf_token = {value}\n{field}\n")
    digest = hashlib.sha256(value.encode()).hexdigest()
    record: dict[str, Any] = {"endpoint": endpoint}
    if where == "ours":
        record["expires_at"] = int(end)
    path = folder / "hubtoken_endpoints.json"
    path.write_text(json.dumps({"tokens": {digest: record}}))


@pytest.mark.parametrize("where", ["theirs", "ours"])
@pytest.mark.parametrize(("end", "asked"), [("4102444800", 1), ("978307200", 3)])
def test_what_the_store_says_of_the_end_counts(
    home: Path, where: str, end: str, asked: int
) -> None:
    with serving(hub()) as server:
        stored(home, fake_token(), server.endpoint, end, where)
        for _ in range(3):
            hubtoken.require_role("write", profile="ci", repo="alice/x")
        assert paths(server) == [WHOAMI, CHECK] * asked
        # The same token from the list of stored tokens has a known expiry as well.
        [entry] = hubtoken.stored_tokens()
        server.requests.clear()
        hubtoken.whoami(entry.token)
        assert len(server.requests) == (0 if asked == 1 else 1)
        # And from an argument, where only cached answers about the same value are known.
        server.requests.clear()
        hubtoken.whoami(handed_over(entry.token.reveal(), endpoint=server.endpoint))
        assert len(server.requests) == (0 if asked == 1 else 1)


def token_command(home: Path, value: str, end: int, more: str = "") -> None:
    """Configure a command that writes a token and its expiry."""
    told = home / "told.json"
    told.write_text(json.dumps({"token": value, "expires_at": end}))
    code = "import sys; print(open(sys.argv[1]).read())"
    argv = json.dumps([sys.executable, "-c", code, str(told)])
    folder = home / "config" / "hubtoken"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(f"token_command = {argv}\n{more}")


def huggingface_hub_login(home: Path, value: str, _endpoint: str, end: str) -> hubtoken.HubToken:
    """An OAuth login of `huggingface_hub`: its own two files, and none of ours."""
    folder = home / "huggingface"
    folder.mkdir(exist_ok=True)
    fields = f"hf_token = {value}\nrefresh_token = hf_oauth_x\nexpires_at = {end}\n"
    (folder / "stored_tokens").write_text(f"[oauth-alice]\n{fields}")
    (folder / "token").write_text(value)
    return hubtoken.resolve_token()


def activated(home: Path, value: str, endpoint: str, end: str) -> hubtoken.HubToken:
    stored(home, value, endpoint, end, "ours")
    hubtoken.resolve_token(profile="ci").activate()
    return hubtoken.resolve_token()


def activated_from_a_command(home: Path, value: str, _endpoint: str, end: str) -> hubtoken.HubToken:
    token_command(home, value, int(end))
    hubtoken.resolve_token().activate()
    (home / "config" / "hubtoken" / "config.toml").unlink()
    return hubtoken.resolve_token()


def handed_to_a_child(home: Path, value: str, endpoint: str, end: str) -> hubtoken.HubToken:
    stored(home, value, endpoint, end, "theirs")
    os.environ.update(hubtoken.resolve_token(profile="ci").environ())
    (home / "huggingface" / "stored_tokens").unlink()
    return hubtoken.resolve_token()


def in_a_variable(home: Path, value: str, endpoint: str, end: str) -> hubtoken.HubToken:
    stored(home, value, endpoint, end, "theirs")
    os.environ["HF_TOKEN"] = value
    return hubtoken.resolve_token()


def as_an_argument(home: Path, value: str, endpoint: str, end: str) -> hubtoken.HubToken:
    stored(home, value, endpoint, end, "ours")
    return hubtoken.resolve_token(value)


# A Hub that does not renew a login says nothing about it.
@pytest.mark.filterwarnings("ignore:.* was not renewed")
@pytest.mark.parametrize("expired", [False, True])
@pytest.mark.parametrize(
    "found",
    [
        huggingface_hub_login,
        activated,
        activated_from_a_command,
        handed_to_a_child,
        in_a_variable,
        as_an_argument,
    ],
)
def test_the_end_counts_wherever_the_value_comes_from(
    home: Path, alone: pytest.MonkeyPatch, found: Any, expired: bool
) -> None:
    # What is put there is taken back after the test.
    for name in ("HF_TOKEN", "HUBTOKEN_TOKEN_ORIGIN"):
        alone.setenv(name, "")
    with serving(http(401)) as server:
        alone.setenv("HF_ENDPOINT", server.endpoint)
        token = found(home, fake_token(), server.endpoint, "978307200" if expired else "4102444800")
        try:
            remembered.identity(home, token, 1, role="write")
            if expired:
                for call in (
                    lambda: hubtoken.require_role("write", token),
                    lambda: hubtoken.require_permission("repo.write", token),
                    lambda: hubtoken.whoami(token),
                ):
                    with pytest.raises(hubtoken.InvalidTokenError):
                        call()
            else:
                hubtoken.require_role("write", token)
                assert hubtoken.whoami(token).user == "alice"
            assert bool(server.requests) == expired
        finally:
            hubtoken.deactivate()


def test_an_end_that_is_stored_later_counts_from_then_on(home: Path) -> None:
    value = fake_token()
    with serving(hub()) as server:
        for end, asked in (("4102444800", 1), ("978307200", 2), ("978307201", 3)):
            stored(home, value, server.endpoint, end, "theirs")
            hubtoken.whoami(value, endpoint=server.endpoint)
            assert len(server.requests) == asked


def test_what_another_hub_said_of_the_end_says_nothing(home: Path) -> None:
    value = fake_token()
    with serving(hub()) as server:
        stored(home, value, "https://hub.example", "978307200", "ours")
        for _ in range(2):
            hubtoken.whoami(value, endpoint=server.endpoint)
        assert len(server.requests) == 1


@pytest.mark.parametrize(("end", "asked"), [(4102444800, 1), (978307200, 2)])
def test_what_a_command_says_of_the_end_counts(home: Path, end: int, asked: int) -> None:
    with serving(hub()) as server:
        token_command(home, fake_token(), end, f'endpoint = "{server.endpoint}"\n')
        assert "HF_TOKEN" not in os.environ
        for _ in range(2):
            hubtoken.require_role("write", repo="alice/x")
        assert paths(server) == [WHOAMI, CHECK] * asked


def test_a_server_lets_nobody_in_by_what_it_knew_before_the_end() -> None:
    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        """Admitted."""

    async def never(*_: Any) -> Any:
        raise AssertionError

    with serving(hub(PAST)) as server:
        token = handed_over(endpoint=server.endpoint)
        headers = [(b"authorization", f"Bearer {token.reveal()}".encode())]
        scope = {"type": "http", "path": "/", "headers": headers}
        guarded = asgi.TokenAuthentication(app, "write", endpoint=server.endpoint)
        for _ in range(3):
            asyncio.run(guarded(scope, never, never))
        assert paths(server) == [WHOAMI] * 3
        assert hubtoken.cached_identity(token) is None


@pytest.mark.parametrize("decided_by", ["whoami", "auth-check"])
def test_a_server_lets_nobody_in_by_a_yes_that_is_older_than_a_no(decided_by: str) -> None:
    # Whoami says what a user may do in the own namespace; only the auth-check, in another's.
    role: Literal["read", "write"]
    role, repo = ("write", "alice/x") if decided_by == "whoami" else ("read", "bob/x")
    first = [WHOAMI] if decided_by == "whoami" else [WHOAMI, f"/api/models/{repo}/auth-check"]
    admitted: list[str] = []
    statuses: list[int] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        """Admitted."""
        admitted.append(scope["path"])

    async def never(*_: Any) -> Any:
        raise AssertionError

    async def send(message: Any) -> None:
        statuses.append(message.get("status", 0))

    def forbids(request: Request) -> bytes:
        if request.path != WHOAMI:
            return http(403, "No")
        auth = {"type": "access_token", "accessToken": {"role": "read"}}
        return identity(auth=auth)

    with serving(hub()) as server:
        token = handed_over(endpoint=server.endpoint)
        headers = [(b"authorization", f"Bearer {token.reveal()}".encode())]
        scope = {"type": "http", "path": "/", "headers": headers}
        guarded = asgi.TokenAuthentication(app, role, repo=repo, endpoint=server.endpoint)
        for _ in range(3):
            asyncio.run(guarded(scope, never, send))
        assert (len(admitted), paths(server)) == (3, first)
        # Anything in this process that hears a *no* ends the *yes*.
        server.behavior = forbids
        with pytest.raises(hubtoken.AccessDeniedError):
            hubtoken.require_role(role, token, repo=repo, max_age=0)
        asyncio.run(guarded(scope, never, send))
        assert len(admitted) == 3
        assert statuses[0] == 403
