"""Whose a caller's token is: the calls of servers, and attacks by their callers."""

from __future__ import annotations

import asyncio
import re
import threading
from typing import TYPE_CHECKING, Any

import pytest

import hubtoken
from tests.environment import fake_token
from tests.python.helpers import ROOT, handed_over, leaks
from tests.python.servers import DEADLINE, Request, http, identity, serving

if TYPE_CHECKING:
    from pathlib import Path


def test_the_hub_is_asked_once_and_nothing_reaches_the_disk(home: Path) -> None:
    value = fake_token()
    with serving(identity()) as server:
        assert hubtoken.cached_identity(value, endpoint=server.endpoint) is None
        assert server.connections == 0
        for _ in range(3):
            assert hubtoken.identify(value, endpoint=server.endpoint).user == "alice"
        known = hubtoken.cached_identity(value, endpoint=server.endpoint)
        assert known is not None
        assert known.user == "alice"
        assert [request.authorization for request in server.requests] == [f"Bearer {value}"]
        assert hubtoken.identify(value, endpoint=server.endpoint, max_age=0).user == "alice"
        assert len(server.requests) == 2
    assert list(home.rglob("*")) == []


def test_the_environment_names_the_hub(clean_environment: pytest.MonkeyPatch) -> None:
    with serving(identity()) as server:
        clean_environment.setenv("HF_ENDPOINT", server.endpoint)
        # The server's own token is not used for callers.
        clean_environment.setenv("HF_TOKEN", fake_token())
        value = fake_token()
        assert hubtoken.identify(value).user == "alice"
        assert hubtoken.identify(handed_over(value, server.endpoint)).user == "alice"
        assert [request.authorization for request in server.requests] == [f"Bearer {value}"]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("", "blank"),
        (" \n", "blank"),
        ("Bearer {}", "without the word `Bearer`"),
        ("bearer  {}", "without the word `Bearer`"),
        ("Basic {}", "without the word `Bearer` or `Basic`"),
        ("Authorization: Bearer {}", "header"),
        ("{}\r\nX-Evil: 1", "white space"),
        ("hf_****abcd", "masked"),
        ("eyJhbGciOiJIUzI1NiJ9.{}.x", "not sent to any Hub"),
        ("sk-{}", "not sent to any Hub"),
        ("{}é", "character"),
        ("{}\udcff", "text"),
        ("hf_" + "aB" * 50_000, "too long"),
    ],
)
def test_what_cannot_be_a_token_of_the_hub_is_sent_to_nobody(
    value: str, says: str, clean_environment: pytest.MonkeyPatch
) -> None:
    clean_environment.setenv("HF_TOKEN", fake_token())
    secret = fake_token()
    with serving(identity()) as server:
        for ask in (hubtoken.identify, hubtoken.cached_identity):
            with pytest.raises(hubtoken.TokenFormatError, match=says) as caught:
                ask(value.format(secret), endpoint=server.endpoint)
            assert leaks(str(caught.value), secret) == []
        assert server.connections == 0


def test_a_caller_without_a_token_is_not_the_server(
    clean_environment: pytest.MonkeyPatch,
) -> None:
    with serving(identity()) as server:
        clean_environment.setenv("HF_ENDPOINT", server.endpoint)
        clean_environment.setenv("HF_TOKEN", fake_token())
        for ask in (hubtoken.identify, hubtoken.cached_identity):
            with pytest.raises(hubtoken.TokenFormatError, match="has sent no token"):
                ask(None)
        assert server.connections == 0


@pytest.mark.parametrize("value", [True, False, b"hf_Fake", 7])
def test_only_text_and_tokens_are_taken(value: Any, clean_environment: pytest.MonkeyPatch) -> None:
    clean_environment.setenv("HF_TOKEN", fake_token())
    for ask in (hubtoken.identify, hubtoken.cached_identity):
        with pytest.raises(
            TypeError, match=r"a HubToken, an object with get_secret_value\(\) or None"
        ):
            ask(value)


def test_a_token_goes_to_its_own_hub_only() -> None:
    with serving(identity()) as server, serving(identity()) as other:
        token = handed_over(endpoint=server.endpoint)
        with pytest.raises(hubtoken.UntrustedEndpointError):
            hubtoken.identify(token, endpoint=other.endpoint)
        with pytest.raises(hubtoken.UntrustedEndpointError):
            hubtoken.identify(token.reveal(), endpoint="http://hub.example")
        assert other.connections == server.connections == 0


def test_a_rejection_is_known_for_a_while_and_asked_about_on_demand() -> None:
    value = fake_token()
    with serving(http(401)) as server:
        for ask in (hubtoken.identify, hubtoken.identify, hubtoken.cached_identity):
            with pytest.raises(hubtoken.InvalidTokenError) as caught:
                ask(value, endpoint=server.endpoint)
            assert caught.value.source == "argument"
            assert leaks(str(caught.value), value) == []
        assert len(server.requests) == 1
        server.behavior = lambda _: identity()
        assert hubtoken.identify(value, endpoint=server.endpoint, max_age=0).user == "alice"


def test_an_old_answer_lets_nobody_in_unless_it_is_said() -> None:
    value = fake_token()
    with serving(identity()) as server:
        hubtoken.identify(value, endpoint=server.endpoint)
        server.behavior = lambda _: http(503)
        with pytest.raises(hubtoken.HubUnreachableError):
            hubtoken.identify(value, endpoint=server.endpoint, max_age=0)
        with pytest.warns(hubtoken.StaleIdentityWarning):
            hubtoken.identify(value, endpoint=server.endpoint, max_age=0, max_stale=60)


def test_a_rate_limit_is_obeyed_for_the_token_that_it_was_told_for() -> None:
    limited, other = fake_token(), fake_token()

    def answer(request: Request) -> bytes:
        if request.authorization == f"Bearer {limited}":
            return http(429, RateLimit='"whoami";r=0;t=60')
        return identity()

    with serving(answer) as server:
        for _ in range(3):
            with pytest.raises(hubtoken.RateLimitedError) as caught:
                hubtoken.identify(limited, endpoint=server.endpoint, max_age=0)
            assert caught.value.retry_after is not None
            assert 0 < caught.value.retry_after <= 60
        assert hubtoken.identify(other, endpoint=server.endpoint).user == "alice"
        assert len(server.requests) == 2


def test_offline_asks_nobody(clean_environment: pytest.MonkeyPatch) -> None:
    known, unknown = fake_token(), fake_token()
    with serving(identity()) as server:
        hubtoken.identify(known, endpoint=server.endpoint)
        clean_environment.setenv("HF_HUB_OFFLINE", "1")
        assert hubtoken.identify(known, endpoint=server.endpoint).user == "alice"
        with pytest.raises(hubtoken.OfflineError):
            hubtoken.identify(unknown, endpoint=server.endpoint)
        assert server.connections == 1


@pytest.mark.parametrize("ask", [hubtoken.identify, hubtoken.whoami])
def test_made_up_tokens_push_out_nobody_and_leave_little_behind(ask: Any, home: Path) -> None:
    users = {f"Bearer {fake_token()}": f"user{number}" for number in range(20)}

    def answer(request: Request) -> bytes:
        user = users.get(request.authorization or "")
        return identity(user) if user else http(401)

    with serving(answer) as server:

        def user_of(authorization: str) -> str:
            value = authorization.removeprefix("Bearer ")
            user: str = ask(value, endpoint=server.endpoint).user
            return user

        assert [user_of(bearer) for bearer in users] == list(users.values())
        for _ in range(300):
            with pytest.raises(hubtoken.InvalidTokenError):
                ask(fake_token(), endpoint=server.endpoint)
        assert len(server.requests) == 320
        assert [user_of(bearer) for bearer in users] == list(users.values())
        assert len(server.requests) == 320
    files = [path.suffix for path in home.rglob("*") if path.is_file()]
    if ask is hubtoken.identify:
        assert files == []
    else:
        # As many rejections as are cached at once, and all callers with an identity.
        assert files.count(".json") == 20
        assert files.count(".rejected") <= 80
        assert set(files) == {".json", ".rejected"}


def code_of_the_page() -> list[str]:
    page = (ROOT / "docs" / "servers.md").read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def test_the_pages_first_example_answers_as_a_server_should(
    clean_environment: pytest.MonkeyPatch,
) -> None:
    names: dict[str, Any] = {}
    exec(code_of_the_page()[0], names)  # noqa: S102 - the page's own code is what is tested
    user_of = names["user_of"]
    good, bad, unlucky = fake_token(), fake_token(), fake_token()
    answers = {
        f"Bearer {good}": identity(),
        f"Bearer {bad}": http(401),
        f"Bearer {unlucky}": http(503),
    }
    with serving(lambda request: answers[request.authorization or ""]) as server:
        clean_environment.setenv("HF_ENDPOINT", server.endpoint)
        assert user_of(f"Bearer {good}") == (200, "alice")
        assert user_of(f"bearer {good}") == (200, "alice")
        assert user_of(f"Bearer {bad}") == (401, "")
        assert user_of(f"Bearer {unlucky}") == (503, "")
        for nobody in ("", "Bearer", "Bearer ", f"Basic {good}", "Bearer sk-something-else"):
            assert user_of(nobody) == (401, "")


def test_the_pages_second_example_keeps_the_event_loop_free(
    clean_environment: pytest.MonkeyPatch,
) -> None:
    names: dict[str, Any] = {}
    exec(code_of_the_page()[1], names)  # noqa: S102 - the page's own code is what is tested
    value, gate = fake_token(), threading.Event()

    def slow(_request: Request) -> bytes:
        gate.wait(DEADLINE)
        return identity()

    async def serve() -> list[str]:
        asking = [asyncio.create_task(names["user"](value)) for _ in range(8)]
        assert await asyncio.to_thread(server.asked.wait, DEADLINE)
        # The Hub does not answer while the loop runs: this task releases it.
        gate.set()
        return await asyncio.wait_for(asyncio.gather(*asking), DEADLINE)

    with serving(slow) as server:
        clean_environment.setenv("HF_ENDPOINT", server.endpoint)
        assert asyncio.run(serve()) == ["alice"] * 8
        assert len(server.requests) == 1
        assert hubtoken.cached_identity(value) is not None
