"""A Hub that is down, odd or hostile says nothing about a token, and never gets another Hub's."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass
from typing import Any

import pytest

import hubtoken
from tests.environment import fake_token
from tests.python.helpers import handed_over, leaks
from tests.python.servers import Request, hanging, http, identity, serving


@dataclass(frozen=True)
class Bad:
    """A response, the error that it must become, and a part of the message."""

    answer: bytes
    error: type[hubtoken.HubTokenError]
    says: str


UNKNOWN, UNREACHABLE = hubtoken.VerdictUnknownError, hubtoken.HubUnreachableError
PAGE = "<!doctype html><html><title>Log in to the hotel's Wi-Fi</title></html>"

BAD = {
    "web page": Bad(http(200, PAGE, Content_Type="text/html"), UNKNOWN, "not JSON"),
    "broken JSON": Bad(
        http(200, '{"name": "ali', Content_Type="application/json"), UNKNOWN, "JSON"
    ),
    "empty body": Bad(http(200), UNKNOWN, "JSON"),
    "nobody": Bad(http(200, "{}"), UNKNOWN, "names no account"),
    "a list": Bad(http(200, "[]"), UNKNOWN, "not"),
    "a name of another type": Bad(http(200, '{"name": 7}'), UNKNOWN, "not"),
    "deep JSON": Bad(http(200, '{"name":' + "[" * 100_000), UNKNOWN, "JSON"),
    "bytes": Bad(http(200, bytes(range(256)) * 4), UNKNOWN, "JSON"),
    "204": Bad(http(204), UNKNOWN, "204"),
    "500": Bad(http(500, "oh"), UNREACHABLE, "500"),
    "502 page": Bad(http(502, PAGE, Content_Type="text/html"), UNREACHABLE, "502"),
    "503": Bad(http(503), UNREACHABLE, "503"),
    "400": Bad(http(400), UNKNOWN, "400"),
    "403": Bad(http(403, '{"error":"not today"}'), UNKNOWN, "not today"),
    "404 of a web server": Bad(http(404, PAGE), UNKNOWN, "404"),
    "407": Bad(http(407), UNKNOWN, "407"),
    "418": Bad(http(418), UNKNOWN, "418"),
    "429": Bad(http(429), hubtoken.RateLimitedError, "limits the request rate"),
    "huge body": Bad(http(200, b'"' + b"x" * (5 << 20)), UNKNOWN, "longer than"),
    "closes mid-body": Bad(http(200, '{"name":', length=5000), UNREACHABLE, ""),
    "closes at once": Bad(b"", UNREACHABLE, ""),
    "not HTTP": Bad(b"220 mail.example ESMTP\r\n", UNREACHABLE, ""),
    "junk headers": Bad(b"HTTP/1.1 200 OK\r\n\x00\xff: \x01\r\n\r\n{}", UNREACHABLE, ""),
    "endless header": Bad(
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * (1 << 20) + b"\r\n\r\n", UNREACHABLE, ""
    ),
    "redirect to nowhere": Bad(http(302), UNKNOWN, "valid target"),
    "redirect to junk": Bad(http(302, Location="http://[::"), UNKNOWN, "valid target"),
    "redirect to a file": Bad(http(302, Location="file:///etc/passwd"), UNKNOWN, "not sent there"),
    "redirect to itself": Bad(http(302, Location="/api/whoami-v2"), UNKNOWN, "redirects more"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_answer_is_no_word_about_the_token(name: str) -> None:
    bad, value = BAD[name], fake_token()
    with serving(bad.answer) as server:
        token = handed_over(value, server.endpoint)
        for ask in (hubtoken.whoami, lambda token: hubtoken.require_role("read", token)):
            with pytest.raises(bad.error) as caught:
                ask(token)
            assert type(caught.value) is bad.error
            message = str(caught.value)
            assert bad.says in message
            assert f"hf_…{value[-4:]} from the argument" in message
            assert server.endpoint in message
            assert "may still be valid" in message
            assert leaks(message, value) == []
    assert {request.authorization for request in server.requests} == {f"Bearer {value}"}


def test_only_a_401_is_an_invalid_token() -> None:
    value = fake_token()
    with serving(http(401, '{"error":"Invalid credentials in Authorization header"}')) as server:
        token = handed_over(value, server.endpoint)
        with pytest.raises(hubtoken.InvalidTokenError) as caught:
            hubtoken.whoami(token)
        message = str(caught.value)
        assert caught.value.source == "argument"
        assert f"hf_…{value[-4:]} from the argument" in message
        assert f"{server.endpoint}/settings/tokens" in message
        assert leaks(message, value) == []
        # It is cached for a while, and requested again on demand.
        with pytest.raises(hubtoken.InvalidTokenError):
            hubtoken.require_role("read", token)
        assert len(server.requests) == 1
        with pytest.raises(hubtoken.InvalidTokenError):
            hubtoken.whoami(token, max_age=0)
        assert len(server.requests) == 2
        # A token that becomes valid meanwhile is accepted at once when requested again.
        server.behavior = lambda _: identity()
        assert hubtoken.whoami(token, max_age=0).user == "alice"
        assert hubtoken.whoami(token).user == "alice"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"RateLimit": '"api";r=0;t=1230'}, 1230),
        ({"RateLimit": '"api";r=0;t=1230', "Retry_After": "500"}, 1230),
        ({"RateLimit": '"api";r=3;t=1230', "Retry_After": "500"}, 500),
        ({"Retry_After": "500"}, 500),
        ({"Retry_After": "Fri, 31 Dec 1999 23:59:59 GMT"}, None),
        ({"Retry_After": "-1"}, None),
        ({"RateLimit": "junk"}, None),
        ({}, None),
    ],
)
def test_a_rate_limit_says_how_long_to_wait(headers: dict[str, Any], seconds: int | None) -> None:
    with serving(http(429, **headers)) as server:
        token = handed_over(endpoint=server.endpoint)
        with pytest.raises(hubtoken.RateLimitedError) as caught:
            hubtoken.whoami(token)
        assert caught.value.retry_after == seconds
        server.behavior = lambda _: identity()
        if seconds is None:
            # Not cached: the next call sends a request.
            assert hubtoken.whoami(token).user == "alice"
        else:
            # The Hub's delay is respected, even for calls that bypass the cache.
            with pytest.raises(hubtoken.RateLimitedError) as caught:
                hubtoken.whoami(token, max_age=0)
            assert caught.value.retry_after is not None
            assert 0 < caught.value.retry_after <= seconds
            assert len(server.requests) == 1


def test_a_hub_that_hangs_is_given_up() -> None:
    with hanging() as server:
        token = handed_over(endpoint=server.endpoint)
        with pytest.raises(hubtoken.HubUnreachableError, match=r"within 0\.3 seconds") as caught:
            hubtoken.whoami(token, timeout=0.3)
        assert isinstance(caught.value, ConnectionError)
        assert not isinstance(caught.value, hubtoken.InvalidTokenError)


def test_a_hub_that_falls_silent_is_given_up() -> None:
    # The head and a part of the body arrive; the rest never does, and the connection stays open.
    with serving(http(200, '{"name":', length=100)) as server:
        server.lingers = True
        token = handed_over(endpoint=server.endpoint)
        with pytest.raises(hubtoken.HubUnreachableError, match=r"within 0\.3 seconds"):
            hubtoken.whoami(token, timeout=0.3)


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    token = handed_over(endpoint=f"http://127.0.0.1:{port}")
    with pytest.raises(hubtoken.HubUnreachableError, match="refused"):
        hubtoken.whoami(token)


@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_offline_makes_no_connection(variable: str, clean_environment: pytest.MonkeyPatch) -> None:
    with serving(identity()) as server:
        token = handed_over(endpoint=server.endpoint)
        clean_environment.setenv(variable, "1")
        with pytest.raises(hubtoken.OfflineError, match="HF_HUB_OFFLINE"):
            hubtoken.whoami(token)
        with pytest.raises(hubtoken.OfflineError):
            hubtoken.require_role("read", token, repo="acme/tiny")
        assert server.connections == 0
        clean_environment.delenv(variable)
        assert hubtoken.whoami(token).user == "alice"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (http(503), UNREACHABLE),
        (http(429, Retry_After="9"), hubtoken.RateLimitedError),
        (http(200, PAGE, Content_Type="text/html"), UNKNOWN),
        (b"", UNREACHABLE),
    ],
    ids=["503", "429", "page", "closes"],
)
def test_the_last_known_identity_stands_in_with_a_warning(
    answer: bytes, error: type[Exception]
) -> None:
    with serving(identity()) as server:
        token = handed_over(endpoint=server.endpoint)
        assert hubtoken.whoami(token).user == "alice"
        server.behavior = lambda _: answer
        # Fresh enough: no request is sent.
        assert hubtoken.whoami(token).user == "alice"
        with pytest.warns(hubtoken.StaleIdentityWarning, match="old, because") as caught:
            assert hubtoken.whoami(token, max_age=0).user == "alice"
        assert [warning.filename for warning in caught] == [__file__]
        assert leaks(str(caught[0].message), token.reveal()) == []
        with pytest.warns(hubtoken.StaleIdentityWarning):
            assert hubtoken.require_role("write", token, max_age=0) is token
        with pytest.raises(error):
            hubtoken.whoami(token, max_age=0, max_stale=0)
        # A stale identity never replaces the Hub's answer about a repository.
        with pytest.raises(error):
            hubtoken.require_role("read", token, repo="acme/tiny")


def test_an_old_identity_never_hides_a_401() -> None:
    with serving(identity()) as server:
        token = handed_over(endpoint=server.endpoint)
        hubtoken.whoami(token)
        server.behavior = lambda _: http(401)
        with pytest.raises(hubtoken.InvalidTokenError):
            hubtoken.whoami(token, max_age=0)
        # And is invalidated: nothing is left that could replace later answers.
        server.behavior = lambda _: http(503)
        with pytest.raises((hubtoken.InvalidTokenError, UNREACHABLE)):
            hubtoken.whoami(token)
        with pytest.raises(UNREACHABLE):
            hubtoken.whoami(token, max_age=0)


@pytest.mark.parametrize("dying", ["whoami-v2", "auth-check"])
def test_a_401_from_either_question_ends_both(dying: str) -> None:
    checked = threading.Event()

    def yes(request: Request) -> bytes:
        return identity() if "whoami" in request.path else http(200, "OK")

    def half_dead(request: Request) -> bytes:
        # Only whoami reports that a token is invalid; it confirms the answer to another request.
        is_dead = dying in request.path or (dying == "auth-check" and checked.is_set())
        if "auth-check" in request.path:
            checked.set()
        return http(401) if is_dead else yes(request)

    with serving(http(401)) as server:
        server.behavior = yes
        token = handed_over(endpoint=server.endpoint)
        hubtoken.require_role("write", token, repo="acme/x")
        server.behavior = half_dead
        with pytest.raises(hubtoken.InvalidTokenError):
            hubtoken.require_role("write", token, repo="acme/other", max_age=0)
        with pytest.raises(hubtoken.InvalidTokenError):
            hubtoken.whoami(token)
        with pytest.raises(hubtoken.InvalidTokenError):
            hubtoken.require_role("write", token, repo="acme/x")


def test_no_time_at_all_is_no_time_limit() -> None:
    with pytest.raises(ValueError, match="timeout"):
        hubtoken.whoami(handed_over(endpoint="http://127.0.0.1:9"), timeout=0)
