"""Untrusted text must not control a terminal, and must not carry a token along.

Names and messages come from a Hub, a proxy or a careless paste; hubtoken decides what is shown of
them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import hubtoken
from hubtoken.hub import Hub
from tests.environment import fake_token
from tests.python.helpers import handed_over
from tests.python.servers import http, identity, serving

if TYPE_CHECKING:
    from collections.abc import Callable

ESCAPE = "a\x1b[31m"
STEERING = ("\x1b", "\u202e", "\n", "\r")


def test_a_token_as_a_profile_is_refused_and_not_shown() -> None:
    value = fake_token()
    with pytest.raises(hubtoken.TokenFormatError) as caught:
        hubtoken.resolve_token(profile=value)
    assert value not in str(caught.value)


def test_a_profile_that_steers_is_shown_plainly() -> None:
    with pytest.raises(hubtoken.TokenNotFoundError) as caught:
        hubtoken.resolve_token(profile=ESCAPE)
    assert "\x1b" not in str(caught.value) + str(caught.value.trace)


@pytest.mark.parametrize(
    "do",
    [
        lambda hub, name: hub.list_tokens(name),
        lambda hub, name: hub.create_user(name * 4),
        lambda hub, name: hub.create_repository(f"{name}/x"),
    ],
    ids=["list_tokens", "create_user", "create_repository"],
)
@pytest.mark.parametrize("steering", [False, True])
def test_a_name_in_the_hubs_error_is_plain_and_no_token(
    do: Callable[[Hub, str], object], steering: bool
) -> None:
    name = ESCAPE if steering else fake_token()
    with Hub() as hub, pytest.raises((hubtoken.HubError, ValueError)) as caught:
        do(hub, name)
    assert name not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_an_answers_names_are_plain() -> None:
    scope = {"entity": {"type": "user", "name": ESCAPE}, "permissions": [ESCAPE]}
    auth = {
        "type": "access_token",
        "accessToken": {
            "displayName": ESCAPE,
            "role": "fineGrained",
            "fineGrained": {"scoped": [scope]},
        },
    }
    organizations = [{"name": ESCAPE, "roleInOrg": ESCAPE}]
    with serving(identity(ESCAPE, auth=auth, orgs=organizations)) as server:
        token = handed_over(endpoint=server.endpoint)
        known = hubtoken.whoami(token)
        with pytest.raises(hubtoken.InsufficientRoleError) as caught:
            hubtoken.require_role("write", token)
    shown = f"{known!r}{known.scopes!r}{known.organizations!r}{known.user}{caught.value}"
    assert "a\ufffd[31m" in shown
    assert not any(character in shown for character in STEERING)


@pytest.mark.parametrize("text", ["x\u202eabc", ESCAPE, "two\nlines\rhere"])
def test_the_hubs_words_are_plain(text: str) -> None:
    with serving(http(400, json.dumps({"error": text}))) as server:
        token = handed_over(endpoint=server.endpoint)
        with pytest.raises(hubtoken.VerdictUnknownError) as caught:
            hubtoken.whoami(token)
    assert not any(character in str(caught.value) for character in STEERING)


def test_the_hubs_words_carry_no_token() -> None:
    value = fake_token()
    with (
        serving(http(400, json.dumps({"error": f"bad token {value}"}))) as server,
        pytest.raises(hubtoken.VerdictUnknownError) as caught,
    ):
        hubtoken.whoami(handed_over(value, server.endpoint))
    assert value not in str(caught.value)


@pytest.mark.parametrize("kind", ["application/xhtml+xml", "Text/HTML", None])
def test_a_portals_page_is_no_yes(kind: str | None) -> None:
    text = "<html>Welcome to the hotel</html>"
    page = http(200, text, Content_Type=kind) if kind else http(200, text)
    with serving(page) as server:
        server.behavior = lambda request: identity() if "whoami" in request.path else page
        token = handed_over(endpoint=server.endpoint)
        with pytest.raises(hubtoken.VerdictUnknownError):
            hubtoken.require_role("write", token, repo="acme/x")
