"""A token is sent to its Hub alone, and what a Hub sends cannot control a terminal."""

from __future__ import annotations

import json
import unicodedata
from typing import TYPE_CHECKING, Any

import pytest

import hubtoken
from tests.environment import fake_token
from tests.python.helpers import handed_over, leaks
from tests.python.servers import http, identity, serving

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_origin_never_gets_the_token(status: int) -> None:
    value = fake_token()
    with serving(identity("mallory")) as other, serving(b"") as server:
        server.behavior = lambda _: http(status, Location=f"{other.endpoint}/steal?a=hunter2")
        token = handed_over(value, server.endpoint)
        with pytest.raises(hubtoken.VerdictUnknownError, match="was not sent there") as caught:
            hubtoken.whoami(token)
        assert other.endpoint in str(caught.value)
        assert "hunter2" not in str(caught.value)
        assert other.connections == 0


@pytest.mark.parametrize(
    "host", ["localhost:{port}", "127.0.0.1:{port}@evil.example", "user:x@127.0.0.1:{port}"]
)
def test_the_same_server_under_another_name_is_another_origin(host: str) -> None:
    with serving(b"") as server:
        port = server.server_address[1]
        server.behavior = lambda _: http(302, Location=f"http://{host.format(port=port)}/")
        with pytest.raises(hubtoken.VerdictUnknownError, match="was not sent there"):
            hubtoken.whoami(handed_over(endpoint=server.endpoint))
        assert len(server.requests) == 1


@pytest.mark.parametrize("relative", [True, False])
def test_a_redirect_within_the_origin_is_followed(relative: bool) -> None:
    with serving(b"") as server:
        target = "/moved" if relative else f"{server.endpoint}/moved"
        server.behavior = lambda request: (
            identity() if request.path == "/moved" else http(307, Location=target)
        )
        value = fake_token()
        assert hubtoken.whoami(handed_over(value, server.endpoint)).user == "alice"
        assert [request.path for request in server.requests] == ["/api/whoami-v2", "/moved"]
        assert {request.authorization for request in server.requests} == {f"Bearer {value}"}


PROXIES = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]


def test_no_proxy_sees_a_token_for_this_machine(clean_environment: pytest.MonkeyPatch) -> None:
    with serving(identity("proxy")) as proxy, serving(identity()) as server:
        for name in PROXIES:
            clean_environment.setenv(name, proxy.endpoint)
        clean_environment.setenv("NO_PROXY", "")
        assert hubtoken.whoami(handed_over(endpoint=server.endpoint)).user == "alice"
        assert proxy.connections == 0


@pytest.mark.parametrize(
    "endpoint",
    [
        "huggingface.co",
        "",
        "not a url",
        "ftp://huggingface.co",
        "http://hub.example",
        "http://10.0.0.1:8080",
        "http://localhost.evil.example",
        "https://alice:hunter2@hub.example",
        "http://hunter2@127.0.0.1:1",
        "https://hub.example/?key=hunter2",
        "https://hub.example/#hunter2",
        "https://",
    ],
)
@pytest.mark.parametrize("where", ["argument", "variable"])
def test_an_endpoint_that_is_no_place_for_a_token(
    endpoint: str, where: str, clean_environment: pytest.MonkeyPatch
) -> None:
    value = fake_token()
    if where == "variable":
        if not endpoint:
            pytest.skip("a blank variable is not set")
        clean_environment.setenv("HF_ENDPOINT", endpoint)
    chosen: dict[str, Any] = {"endpoint": endpoint} if where == "argument" else {}
    asks: list[Callable[[], object]] = [
        lambda: hubtoken.resolve_token(value, **chosen),
        lambda: hubtoken.whoami(value, **chosen),
        lambda: hubtoken.require_role("read", value, **chosen),
    ]
    for ask in asks:
        with pytest.raises(hubtoken.UntrustedEndpointError) as caught:
            ask()
        assert ("endpoint=" if where == "argument" else "HF_ENDPOINT") in str(caught.value)
        assert "hunter2" not in str(caught.value)
        assert leaks(str(caught.value), value) == []


def is_raw(text: str) -> bool:
    """Whether a text could control a terminal."""
    return any(unicodedata.category(character) == "Cc" for character in text)


NASTY = "no\x1b]0;owned\x07\x1b[31mred\x9b31m\r\nnew line\x00"


@pytest.mark.parametrize(
    "answer",
    [
        http(403, json.dumps({"error": NASTY})),
        http(400, X_Error_Message="a\tb \x9b31m \x85 c"),
        http(400, '{"error":"in the body"}', X_Error_Message="\x9b31m"),
        http(403, X_Error_Message=NASTY),
        http(302, Location="http://127.0.0.1:1/\x9b31m"),
    ],
    ids=["body", "header", "header and body", "illegal header", "location"],
)
def test_the_hubs_words_reach_the_terminal_without_control_characters(answer: bytes) -> None:
    with serving(answer) as server:
        token = handed_over(endpoint=server.endpoint)
        with pytest.raises(hubtoken.VerdictUnknownError) as caught:
            hubtoken.whoami(token)
        assert not is_raw(str(caught.value))
        server.behavior = lambda request: identity() if "whoami" in request.path else answer
        with pytest.raises(hubtoken.HubTokenError) as refused:
            hubtoken.require_role("read", token, repo="acme/tiny")
        assert not is_raw(str(refused.value))


def test_a_tokens_name_is_shown_without_control_characters() -> None:
    body = {"type": "access_token", "accessToken": {"displayName": NASTY, "role": "read"}}
    with serving(identity(auth=body)) as server:
        token = handed_over(endpoint=server.endpoint)
        with pytest.raises(hubtoken.InsufficientRoleError) as caught:
            hubtoken.require_role("write", token)
        assert "new line" in str(caught.value)
        assert not is_raw(str(caught.value))
        assert not is_raw(repr(hubtoken.whoami(token)))
