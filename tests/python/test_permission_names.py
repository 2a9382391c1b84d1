"""A permission's name: listed by a scope, known, misspelled, or of a later Hub version."""

from __future__ import annotations

import asyncio
import json
import warnings
from typing import TYPE_CHECKING, Any

import pytest

import hubtoken
from hubtoken.asgi import TokenAuthentication, require_bearer
from hubtoken.hub import Hub
from tests.environment import fake_token
from tests.python.helpers import handed_over
from tests.python.servers import http, identity, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hubtoken import HubToken

SLIP = "inference.serverles.write"
MEANT = "inference.serverless.write"
# Well-formed, and similar to nothing that this version knows.
NEW = "quantum.entangle.write"


async def nobody(_scope: Any, _receive: Any, _send: Any) -> None:
    """An application that is never reached."""
    raise AssertionError


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with Hub() as hub:
        hub.create_user("alice")
        hub.create_organization("acme")
        hub.set_member("acme", "alice", "admin")
        yield hub


@pytest.fixture(scope="module")
def tokens(hub: Hub) -> dict[str, HubToken]:
    """One of each role."""
    scopes = {"alice": ["repo.content.read"], "acme": [NEW]}
    return {
        "read": hub.create_token("alice", name="r", role="read"),
        "write": hub.create_token("alice", name="w", role="write"),
        "fine": hub.create_token("alice", name="f", role="fine-grained", scopes=scopes),
        "bare": hub.create_token(
            "alice", name="b", role="fine-grained", global_permissions=["discussion.write"]
        ),
    }


def of_role(role: str, *permissions: str) -> bytes:
    """The whoami response for a token of a role; a fine-grained one has these permissions."""
    token: dict[str, Any] = {"displayName": "ci", "role": role}
    if role == "fineGrained":
        entity = {"_id": "a" * 24, "type": "user", "name": "alice"}
        token["fineGrained"] = {
            "scoped": [{"entity": entity, "permissions": list(permissions)}],
            "global": [],
        }
    return identity(auth={"type": "access_token", "accessToken": token})


@pytest.mark.parametrize("who", ["read", "write", "fine", "bare"])
@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        (SLIP, MEANT),
        ("inference.severless.wirte", MEANT),
        ("repo.wirte", "repo.write"),
        ("Repo.Write", "repo.write"),
        ("repos.write", "repo.write"),
        ("org.auditlog.write", "org.auditLog.write"),
        ("repo.content.reed", "repo.content.read"),
    ],
)
def test_a_misspelled_permission_is_a_value_error_that_suggests(
    slip: str, meant: str, who: str, tokens: dict[str, HubToken]
) -> None:
    token = tokens[who]
    asks: list[Callable[[], object]] = [
        lambda: hubtoken.require_permission(slip, token),
        lambda: hubtoken.require_permission(slip, token, namespace="alice"),
        lambda: hubtoken.require_permission(slip, token, repo="alice/x"),
        lambda: hubtoken.require_permission(slip, token, on_unknown="allow"),
        lambda: hubtoken.authorize(hubtoken.whoami(token), slip),
    ]
    for ask in asks:
        with pytest.raises(ValueError, match="did you mean") as caught:
            ask()
        assert f"`{slip}`" in str(caught.value)
        assert f"`{meant}`" in str(caught.value)
        # No link that would create the misspelled permission.
        assert "settings/tokens" not in str(caught.value)


@pytest.mark.parametrize("who", ["read", "write", "bare"])
@pytest.mark.parametrize(
    "name", ["repo.read", "job.read", "inference.serverless.read", "repo.access.write", NEW]
)
def test_a_permission_that_this_version_does_not_know_is_unknown_whatever_the_role(
    name: str, who: str, tokens: dict[str, HubToken]
) -> None:
    token = tokens[who]
    places: list[dict[str, Any]] = [{}, {"namespace": "alice"}, {"repo": "alice/x"}]
    for options in places:
        with pytest.raises(hubtoken.VerdictUnknownError, match=name) as caught:
            hubtoken.require_permission(name, token, **options)
        assert "settings/tokens" not in str(caught.value)
        verdict = hubtoken.authorize(hubtoken.whoami(token), name, **options)
        assert (verdict.outcome, verdict.remedy_url) == ("unknown", None)
    assert hubtoken.require_permission(name, token, on_unknown="allow") is token
    with pytest.warns(hubtoken.HubTokenWarning, match=name):
        hubtoken.require_permission(name, token, on_unknown="warn")


def test_what_a_scope_lists_counts_as_given(tokens: dict[str, HubToken]) -> None:
    token = tokens["fine"]
    assert hubtoken.require_permission(NEW, token) is token
    assert hubtoken.require_permission(NEW, token, namespace="acme") is token
    # The Hub knows the name, so this is a plain denial.
    with pytest.raises(hubtoken.InsufficientRoleError):
        hubtoken.require_permission(NEW, token, namespace="alice")


def test_a_scope_that_lists_a_name_like_a_misspelled_one_counts() -> None:
    with serving(of_role("fineGrained", SLIP)) as server:
        token = handed_over(endpoint=server.endpoint)
        assert hubtoken.require_permission(SLIP, token) is token
        assert hubtoken.authorize(hubtoken.whoami(token), SLIP)
        with pytest.raises(ValueError, match=MEANT):
            hubtoken.require_permission("inference.serverlss.write", token)


def test_a_token_without_a_role_does_not_hide_a_slip() -> None:
    with serving(identity(auth={"type": "oauth", "expiresAt": None})) as server:
        token = handed_over("hf_oauth_" + fake_token()[3:], server.endpoint)
        with pytest.raises(ValueError, match=MEANT):
            hubtoken.require_permission(SLIP, token)
        with pytest.raises(hubtoken.VerdictUnknownError, match="OAuth"):
            hubtoken.require_permission(MEANT, token)


@pytest.mark.parametrize("answer", [http(429, Retry_After="3"), http(503)])
def test_without_the_scopes_a_slip_is_unknown_and_says_what_was_meant(answer: bytes) -> None:
    with serving(answer) as server:
        token = handed_over(endpoint=server.endpoint)
        with pytest.raises(hubtoken.VerdictUnknownError, match="did you mean") as caught:
            hubtoken.require_permission(SLIP, token)
        assert MEANT in str(caught.value)
        # A scope might list it, so this is not an error; but it is not ignored silently.
        for on_unknown in ("allow", "warn"):
            with pytest.warns(hubtoken.HubTokenWarning, match=MEANT):
                assert hubtoken.require_permission(SLIP, token, on_unknown=on_unknown) is token
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert hubtoken.require_permission(MEANT, token, on_unknown="allow") is token


def test_a_stale_identity_makes_no_error_of_a_slip() -> None:
    with serving(of_role("fineGrained", "repo.write")) as server:
        token = handed_over(endpoint=server.endpoint)
        with pytest.raises(ValueError, match=MEANT):
            hubtoken.require_permission(SLIP, token)
        server.behavior = lambda _: http(503)
        # A scope may list it by now.
        with pytest.raises(hubtoken.HubUnreachableError, match=MEANT):
            hubtoken.require_permission(SLIP, token, max_age=0)


def test_a_verdict_is_a_condition(tokens: dict[str, HubToken]) -> None:
    who = hubtoken.whoami(tokens["read"])
    assert hubtoken.authorize(who, "read", repo="alice/x")
    assert not hubtoken.authorize(who, "write", repo="alice/x")
    assert bool(hubtoken.authorize(who, "read")) is True
    assert bool(hubtoken.authorize(who, "write")) is False
    unknown = hubtoken.authorize(who, "read", repo="bob/x")
    with pytest.raises(hubtoken.VerdictUnknownError, match="bob") as caught:
        bool(unknown)
    assert str(caught.value) == unknown.reason
    with pytest.raises(hubtoken.VerdictUnknownError):
        assert not unknown


@pytest.mark.parametrize("repo", [None, "alice/x"])
def test_a_repository_type_is_a_closed_word_with_and_without_a_repository(
    repo: str | None, tokens: dict[str, HubToken]
) -> None:
    who = hubtoken.whoami(tokens["read"])
    for need in ("read", "repo.content.read"):
        with pytest.raises(ValueError, match="model"):
            hubtoken.authorize(who, need, repo=repo, repo_type="bogus")  # type: ignore[arg-type]


def test_what_cannot_be_a_permission_is_told_without_a_verb_that_did_not_happen(hub: Hub) -> None:
    hub.create_token("alice", name="changed", role="fine-grained")
    scopes = {"alice": ["bogus perm"]}
    for give in (
        lambda: hub.change_token("alice", "changed", role="fine-grained", scopes=scopes),
        lambda: hub.create_token("alice", name="x", role="fine-grained", scopes=scopes),
    ):
        with pytest.raises(ValueError, match=r"^`bogus perm` is not a valid permission"):
            give()


@pytest.mark.parametrize(
    "give",
    [
        lambda hub: hub.create_token(
            "alice", name="x", role="fine-grained", scopes={"alice": ["repo.content.read", SLIP]}
        ),
        lambda hub: hub.create_token(
            "alice", name="x", role="fine-grained", global_permissions=[SLIP]
        ),
        lambda hub: hub.change_token("alice", "b", role="fine-grained", scopes={"alice": [SLIP]}),
    ],
)
def test_the_hub_takes_no_misspelled_permission(
    give: Callable[[Hub], object], hub: Hub, tokens: dict[str, HubToken]
) -> None:
    names = {info.name for info in hub.list_tokens("alice")}
    with pytest.raises(ValueError, match="did you mean") as caught:
        give(hub)
    assert MEANT in str(caught.value)
    assert {info.name for info in hub.list_tokens("alice")} == names
    hubtoken.require_permission("discussion.write", tokens["bare"])


def test_the_hub_takes_a_new_permission(hub: Hub) -> None:
    token = hub.create_token("alice", name="n", role="fine-grained", scopes={"alice": [NEW]})
    assert hubtoken.whoami(token).scopes[0].permissions == [NEW]
    hub.change_token("alice", "n", role="fine-grained", scopes={"alice": [NEW, "repo.write"]})


@pytest.mark.parametrize("make", [lambda name: TokenAuthentication(nobody, name), require_bearer])
def test_a_server_with_a_misspelled_permission_does_not_start(
    make: Callable[[str], object],
) -> None:
    with pytest.raises(ValueError, match=MEANT):
        make(SLIP)
    with pytest.raises(ValueError, match="permission"):
        make("repo..write")


def test_a_server_lets_in_by_a_new_permission_those_whose_scopes_list_it(
    tokens: dict[str, HubToken], alone: pytest.MonkeyPatch
) -> None:
    alone.setenv("HF_ENDPOINT", tokens["fine"].endpoint)

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    with pytest.warns(hubtoken.HubTokenWarning, match=NEW) as warned:
        guarded = TokenAuthentication(app, NEW)
    assert [warning.filename for warning in warned] == [__file__]

    def ask(token: HubToken) -> tuple[int, str]:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            raise AssertionError

        header = (b"authorization", f"Bearer {token.reveal()}".encode())
        scope = {"type": "http", "path": "/", "headers": [header]}
        asyncio.run(guarded(scope, receive, send))
        body = sent[1]["body"]
        return sent[0]["status"], json.loads(body)["error"] if body else ""

    assert ask(tokens["fine"]) == (200, "")
    status, message = ask(tokens["write"])
    assert status == 503
    assert NEW in message
