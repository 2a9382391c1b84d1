"""A *no* is fresh: a fix on the Hub takes effect at once, through every interface.

Ages are written to the records that processes share, so that no outcome depends on a clock.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

import hubtoken
from hubtoken import asgi
from tests.environment import child_environment, fake_token
from tests.python import remembered
from tests.python.helpers import handed_over, leaks
from tests.python.servers import http, identity, serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Guards against a test that never ends; it measures nothing.
DEADLINE = 60.0
# Too old for a denial, and fresh enough for everything else.
OLD = 120.0


def command(home: Path, token: hubtoken.HubToken, *arguments: str) -> tuple[int, str]:
    """Run `hubtoken` in a separate process: the exit code and its output."""
    variables = {"HF_TOKEN": token.reveal(), "HF_ENDPOINT": token.endpoint}
    done = subprocess.run(
        [sys.executable, "-m", "hubtoken", *arguments],
        env=child_environment(home, **variables),
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )
    said = done.stdout + done.stderr
    assert leaks(said, token.reveal()) == []
    return done.returncode, said


ASK: dict[str, Callable[[hubtoken.HubToken], object]] = {
    "role": lambda token: hubtoken.require_role("write", token),
    "permission": lambda token: hubtoken.require_permission("repo.write", token),
    "namespace": lambda token: hubtoken.require_permission("repo.write", token, namespace="alice"),
}
VERBS = {
    "require": ("require", "write"),
    "permission": ("require", "--permission", "repo.write"),
    "run": ("run", "--role", "write", "--", sys.executable, "-c", ""),
}


@pytest.mark.parametrize("how", ASK)
def test_a_right_that_was_just_given_counts_at_once(home: Path, how: str) -> None:
    with serving(identity(role="write")) as server:
        token = handed_over(endpoint=server.endpoint)
        remembered.identity(home, token, OLD, role="read")
        assert ASK[how](token) is token
        assert len(server.requests) == 1
        assert ASK[how](token) is token
        assert len(server.requests) == 1


@pytest.mark.parametrize("verb", VERBS)
def test_a_right_that_was_just_given_counts_in_the_shell(home: Path, verb: str) -> None:
    with serving(identity(role="write")) as server:
        token = handed_over(endpoint=server.endpoint)
        remembered.identity(home, token, OLD, role="read")
        code, said = command(home, token, *VERBS[verb])
        assert code == 0, said
        assert len(server.requests) == 1


def test_an_organization_role_that_was_just_raised_counts_at_once(home: Path) -> None:
    def member(role: str) -> dict[str, Any]:
        return {"orgs": [{"name": "acme", "type": "org", "roleInOrg": role}]}

    def behave(request: Any) -> bytes:
        if request.path == "/api/whoami-v2":
            return identity(**member("write"))
        return http(404, '{"error":"Repository not found"}', X_Error_Code="RepoNotFound")

    with serving(behave) as server:
        token = handed_over(endpoint=server.endpoint)
        remembered.identity(home, token, OLD, role="write", **member("read"))
        assert hubtoken.require_role("write", token, repo="acme/new") is token


def test_a_denial_ends_in_the_process_that_was_denied(home: Path) -> None:
    del home
    with serving(identity(role="read")) as server:
        token = handed_over(endpoint=server.endpoint)
        with pytest.raises(hubtoken.InsufficientRoleError):
            hubtoken.require_role("write", token)
        server.behavior = lambda _: identity(role="write")
        # It once took five minutes; a guard, not a measurement.
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            try:
                hubtoken.require_role("write", token)
                break
            except hubtoken.InsufficientRoleError:
                time.sleep(0.05)
        else:
            pytest.fail("the right that was given never counts")
        assert len(server.requests) == 2


def test_authorize_judges_what_it_is_handed() -> None:
    with serving(identity(role="read")) as server:
        token = handed_over(endpoint=server.endpoint)
        known = hubtoken.whoami(token)
        server.behavior = lambda _: identity(role="write")
        for _ in range(3):
            assert hubtoken.authorize(known, "write").outcome == "denied"
        assert len(server.requests) == 1
    assert "however old" in (hubtoken.authorize.__doc__ or "")


UNANSWERED: list[tuple[bytes, type[hubtoken.VerdictUnknownError]]] = [
    (http(429, Retry_After="30"), hubtoken.RateLimitedError),
    (http(503), hubtoken.HubUnreachableError),
    (http(200, "<html>"), hubtoken.VerdictUnknownError),
]


@pytest.mark.parametrize(("answer", "kind"), UNANSWERED, ids=["limited", "away", "strange"])
def test_a_no_that_nobody_confirms_is_unknown_and_quoted(
    home: Path, answer: bytes, kind: type[hubtoken.VerdictUnknownError]
) -> None:
    with serving(answer) as server:
        token = handed_over(endpoint=server.endpoint)
        remembered.identity(home, token, OLD, role="read")
        with pytest.raises(hubtoken.VerdictUnknownError) as caught:
            hubtoken.require_role("write", token)
        assert type(caught.value) is kind
        assert "its role is read, and write is needed" in str(caught.value)
        assert "2 minutes ago" in str(caught.value)
        assert leaks(str(caught.value), token.reveal()) == []
        assert hubtoken.require_role("write", token, on_unknown="allow") is token
        remembered.identity(home, token, OLD, role="read")
        code, said = command(home, token, "require", "write")
        assert code == 3
        assert "its role is read, and write is needed" in said


def test_a_rate_limit_is_not_answered_with_questions(home: Path) -> None:
    with serving(http(429, Retry_After="300")) as server:
        token = handed_over(endpoint=server.endpoint)
        remembered.identity(home, token, OLD, role="read")
        for _ in range(5):
            with pytest.raises(hubtoken.RateLimitedError) as caught:
                hubtoken.require_role("write", token)
            assert caught.value.retry_after is not None
            assert "its role is read" in str(caught.value)
        assert command(home, token, "require", "write")[0] == 3
        assert len(server.requests) == 1


def test_offline_an_old_no_is_unknown_and_quoted(
    home: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    clean_environment.setenv("HF_HUB_OFFLINE", "1")
    token = handed_over(endpoint="http://127.0.0.1:1")
    remembered.identity(home, token, OLD, role="read")
    with pytest.raises(hubtoken.OfflineError, match="its role is read"):
        hubtoken.require_role("write", token)
    assert hubtoken.require_role("read", token) is token


def test_a_remembered_rejection_is_asked_again(home: Path) -> None:
    with serving(identity(role="write")) as server:
        for ask in (
            hubtoken.whoami,
            lambda token: hubtoken.require_role("write", token),
            lambda token: hubtoken.require_role("write", token, repo="new", max_age=60),
        ):
            token = handed_over(endpoint=server.endpoint)
            remembered.rejection(home, token, 9)
            server.requests.clear()
            try:
                ask(token)
            except hubtoken.VerdictUnknownError:
                # The same response to the request about the repository is invalid.
                assert len(server.requests) == 2
        token = handed_over(endpoint=server.endpoint)
        remembered.rejection(home, token, 9)
        assert command(home, token, "require", "write")[0] == 0


def test_a_rejection_that_nobody_confirms_is_unknown_and_quoted(home: Path) -> None:
    with serving(http(503)) as server:
        token = handed_over(endpoint=server.endpoint)
        remembered.rejection(home, token, OLD)
        for ask in (hubtoken.whoami, lambda token: hubtoken.require_role("write", token)):
            with pytest.raises(hubtoken.HubUnreachableError, match="rejected the token"):
                ask(token)
        server.behavior = lambda _: http(401)
        with pytest.raises(hubtoken.InvalidTokenError):
            hubtoken.whoami(token)


def ask_server(token: hubtoken.HubToken, **options: Any) -> tuple[int, str]:
    """Send one request through the middleware: the status, and the body."""
    messages: list[Any] = []

    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        messages.append({"status": 200})

    async def send(message: Any) -> None:
        messages.append(message)

    headers = [(b"authorization", f"Bearer {token.reveal()}".encode())]
    scope = {"type": "http", "path": "/", "headers": headers}
    guarded = asgi.TokenAuthentication(app, "write", endpoint=token.endpoint, **options)

    async def receive() -> Any:
        raise AssertionError

    asyncio.run(guarded(scope, receive, send))
    said = messages[-1].get("body", b"").decode()
    assert leaks(said, token.reveal()) == []
    return messages[0]["status"], said


def test_a_loop_of_refused_callers_costs_a_server_one_question() -> None:
    with serving(identity(role="read")) as server:
        token = handed_over(endpoint=server.endpoint)
        assert {ask_server(token)[0] for _ in range(50)} == {403}
        assert len(server.requests) == 1


def test_a_server_asks_again_before_it_refuses(
    home: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    # Any earlier answer is too old for a denial.
    clean_environment.setattr(asgi, "_DENIAL_AGE", 0.0)
    with serving(identity(role="read")) as server:
        token = handed_over(endpoint=server.endpoint)
        assert ask_server(token)[0] == 403
        assert len(server.requests) == 1
        server.behavior = lambda _: http(429, Retry_After="7")
        status, said = ask_server(token)
        assert status == 429
        assert "its role is read" in said
        other = handed_over(fake_token(), endpoint=server.endpoint)
        server.behavior = lambda _: identity(role="read")
        assert ask_server(other)[0] == 403
        server.behavior = lambda _: http(500)
        status, said = ask_server(other)
        assert status == 503
        assert "its role is read" in said
        server.behavior = lambda _: identity(role="write")
        assert ask_server(other)[0] == 200
    # Other users' tokens leave nothing on disk.
    assert not list(home.rglob("*.json"))


def test_a_server_keeps_what_the_hub_says_of_a_repository_off_the_disk(home: Path) -> None:
    def behave(request: Any) -> bytes:
        return identity(role="write") if request.path == "/api/whoami-v2" else http(200, "OK")

    with serving(behave) as server:
        token = handed_over(endpoint=server.endpoint)
        # A repository of another user: only the Hub knows whether it is public.
        assert ask_server(token, repo="bob/x")[0] == 403
        for _ in range(2):
            guarded = asgi._Check("read", "bob/x", "model", server.endpoint, None, None)  # noqa: SLF001
            headers = [(b"authorization", f"Bearer {token.reveal()}".encode())]
            assert asyncio.run(guarded(headers)).user == "alice"
        paths = [request.path for request in server.requests]
        assert paths == ["/api/whoami-v2", "/api/models/bob/x/auth-check"]
    assert not list(home.rglob("*identities*"))
