"""What the middleware tells callers that it does not admit: what is so, and no more."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any

import pytest

from hubtoken.hub import Hub
from tests.environment import fake_token
from tests.python.servers import Request, http, identity, serving
from tests.python.test_asgi import CHALLENGE, Answer, ask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SCOPE = 'error="insufficient_scope"'
DISABLED = http(403, '{"error":"Access to this resource is disabled."}')
GATED = http(403, '{"error":"Ask for access."}', X_Error_Code="GatedRepo")
POLICY = http(403, '{"error":"Blocked by the token policy of acme."}')
MISSING = http(404, '{"error":"Repository not found"}', X_Error_Code="RepoNotFound")


def hub_that(says: bytes, **more: object) -> Callable[[Request], bytes]:
    """A Hub that accepts every token, and says this of every repository."""
    return lambda request: identity(**more) if "whoami" in request.path else says  # type: ignore[arg-type]


def refused(value: str, **options: Any) -> Answer:
    answer = asyncio.run(ask(options, f"Bearer {value}"))
    assert value not in str(answer.messages)
    assert value[-4:] not in str(answer.messages)
    return answer


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with Hub() as hub:
        for name in ("alice", "bob"):
            hub.create_user(name)
        hub.create_repository("alice/private", private=True)
        yield hub


@pytest.mark.parametrize(
    "credentials",
    [
        "Bearer sk-another-service",
        "Bearer hf_****abcd",
        "Bearer hf_é",
        "Bearer ",
        "Basic !",
        f"Basic {base64.b64encode(b'alice:hunter2').decode()}",
    ],
)
def test_what_is_not_a_token_is_not_called_unknown_or_expired(credentials: str) -> None:
    with serving(http(500)) as server:
        answer = asyncio.run(ask({"endpoint": server.endpoint}, credentials))
        assert server.requests == []
    assert answer.status == 401
    assert answer.body == {"error": "This is not an access token of the Hub"}
    assert (answer.header("WWW-Authenticate") or "").startswith(
        f'{CHALLENGE}, error="invalid_token"'
    )


def test_a_token_that_the_hub_rejects_is_unknown_or_expired(hub: Hub) -> None:
    answer = refused(fake_token(), endpoint=hub.endpoint)
    assert answer.body == {"error": "The token is unknown, deleted or expired"}


def test_no_other_token_is_asked_for_where_none_helps() -> None:
    with serving(hub_that(DISABLED)) as server:
        answer = refused(fake_token(), repo="bob/x", endpoint=server.endpoint)
    assert answer.status == 403
    assert answer.body == {"error": "Access to bob/x is disabled on the Hub, for every token"}
    assert answer.header("WWW-Authenticate") is None


@pytest.mark.parametrize(
    ("says", "message"),
    [
        (MISSING, "bob/x does not exist on the Hub, or this token cannot see it"),
        (GATED, "bob/x is gated, and this token has no access to it"),
        (POLICY, "The token policy of the organization does not allow this token on bob/x"),
        (http(403, '{"error":"No."}'), "The token does not allow read on bob/x"),
    ],
)
def test_the_caller_is_told_what_the_hub_said_of_the_repository(says: bytes, message: str) -> None:
    with serving(hub_that(says)) as server:
        answer = refused(fake_token(), repo="bob/x", endpoint=server.endpoint)
    assert (answer.status, answer.body) == (403, {"error": message})
    assert SCOPE in (answer.header("WWW-Authenticate") or "")


@pytest.mark.parametrize("require", ["read", "write", "repo.content.read", "discussion.write"])
def test_a_missing_repository_and_a_private_one_are_indistinguishable(
    require: str, hub: Hub
) -> None:
    value = hub.create_token("bob", name=fake_token()[-8:], role="write").reveal()
    answers = [
        refused(value, require=require, repo=f"alice/{name}", endpoint=hub.endpoint)
        for name in ("private", "missing")
    ]
    assert [answer.status for answer in answers] == [403, 403]
    one, other = (str(answer.messages).replace("private", "missing") for answer in answers)
    # The names have the same length, so the whole response is the same.
    assert one == other


@pytest.mark.parametrize("require", ["read", "write", "discussion.write", "repo.access.read"])
@pytest.mark.parametrize("scopes", [None, {"alice": ["repo.content.read"]}])
def test_a_namespace_that_may_not_exist_is_not_spoken_of_as_if_it_did(
    require: str, scopes: Any, hub: Hub
) -> None:
    role: Any = "write" if scopes is None else "fine-grained"
    made = hub.create_token("alice", name=fake_token()[-8:], role=role, scopes=scopes)
    answer = refused(made.reveal(), require=require, repo="acmee/x", endpoint=hub.endpoint)
    said = answer.body["error"]
    assert answer.status in {403, 503}
    assert "member of" not in said
    assert "another account" not in said
    neutral = (
        "acmee is neither the namespace of alice nor one of their organizations",
        "acmee/x does not exist on the Hub, or this token cannot see it",
        "The token does not allow repo.access.read on acmee/x",
    )
    assert any(sentence in said for sentence in neutral), said


def test_a_caller_is_not_told_to_change_the_rule(hub: Hub) -> None:
    scopes = {"alice": ["repo.content.read"]}
    made = hub.create_token("alice", name="fine", role="fine-grained", scopes=scopes)
    answer = refused(made.reveal(), endpoint=hub.endpoint)
    assert answer.status == 403
    assert "it is fine-grained and has no role in general" in answer.body["error"]
    assert "repo=" not in str(answer.messages)


def test_a_hub_that_answered_is_not_called_unreachable() -> None:
    oauth = identity(auth={"type": "oauth"})
    with serving(oauth) as server:
        answer = refused(fake_token(), endpoint=server.endpoint)
    assert (answer.status, answer.header("Retry-After")) == (503, "5")
    assert answer.body["error"] == (
        "The Hub has not said whether this token is enough: whoami reports no role for OAuth tokens"
    )
    refused_port = refused(fake_token(), endpoint="http://127.0.0.1:1")
    assert refused_port.body == {"error": "The Hub cannot be reached to check this token"}


def test_a_server_that_is_offline_says_so(clean_environment: pytest.MonkeyPatch) -> None:
    clean_environment.setenv("HF_HUB_OFFLINE", "1")
    answer = refused(fake_token())
    assert answer.status == 503
    assert answer.body["error"].startswith("This server is offline")


def test_without_a_repository_none_is_named() -> None:
    answers = [identity(auth={"type": "oauth"}), identity(role="read")]
    with serving(lambda _: answers.pop(0) if len(answers) > 1 else answers[0]) as server:
        answer = refused(fake_token(), require="write", endpoint=server.endpoint, max_age=0)
    assert (answer.status, answer.body) == (403, {"error": "The token does not allow write"})
