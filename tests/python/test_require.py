"""`require_role` and `require_permission`: what they accept and reject, and their messages."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any

import pytest

import hubtoken
from hubtoken.hub import Hub
from tests.environment import fake_token
from tests.python.helpers import handed_over, leaks
from tests.python.servers import http, identity, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubtoken import HubToken


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    """Alice, who administers acme; bob, who may read there; carol, who is not a member."""
    with Hub() as hub:
        for name in ("alice", "bob", "carol"):
            hub.create_user(name)
        hub.create_organization("acme")
        hub.set_member("acme", "alice", "admin")
        hub.set_member("acme", "bob", "read")
        for repo in ("alice/private", "acme/private"):
            hub.create_repository(repo, private=True)
        hub.create_repository("acme/public")
        hub.create_repository("acme/gated", gated="manual")
        hub.create_repository("alice/numbers", type="dataset", private=True)
        yield hub


@pytest.fixture(scope="module")
def tokens(hub: Hub) -> dict[str, HubToken]:
    """One of each role."""
    scopes = {"alice/private": ["repo.content.read", "repo.write"], "acme": ["repo.content.read"]}
    return {
        "alice read": hub.create_token("alice", name="r", role="read"),
        "alice write": hub.create_token("alice", name="w", role="write"),
        "alice fine": hub.create_token("alice", name="f", role="fine-grained", scopes=scopes),
        "bob write": hub.create_token("bob", name="w", role="write"),
        "carol read": hub.create_token("carol", name="r", role="read"),
    }


ALLOWED = [
    ("read", "alice read", {}),
    ("read", "alice write", {}),
    ("write", "alice write", {}),
    ("write", "alice write", {"repo": "private"}),
    ("write", "alice write", {"repo": "alice/private"}),
    ("write", "alice write", {"repo": "Alice/private"}),
    ("read", "alice read", {"repo": "models/alice/private"}),
    ("read", "alice read", {"repo": "datasets/alice/numbers"}),
    ("read", "alice read", {"repo": "numbers", "repo_type": "dataset"}),
    ("read", "alice read", {"repo": "alice/numbers", "repo_type": "datasets"}),
    ("write", "alice write", {"repo": "acme/not-there-yet"}),
    ("write", "alice write", {"repo": "not-there-yet", "repo_type": "space"}),
    ("write", "alice fine", {"repo": "alice/private"}),
    ("read", "alice fine", {"repo": "acme/private"}),
    ("read", "bob write", {"repo": "acme/private"}),
    ("read", "carol read", {"repo": "acme/public"}),
    ("read", "alice fine", {"repo": "acme/public"}),
]


@pytest.mark.parametrize(("role", "who", "options"), ALLOWED)
def test_what_will_do_gives_the_token_back(
    role: Any, who: str, options: dict[str, Any], tokens: dict[str, HubToken]
) -> None:
    token = tokens[who]
    assert hubtoken.require_role(role, token, **options) is token
    assert hubtoken.require_role(role, token, **options, max_age=0) is token
    again = hubtoken.require_role(role, token.reveal(), endpoint=token.endpoint, **options)
    assert again == token


DENIED = [
    ("write", "alice read", {}, "its role is read"),
    ("write", "alice read", {"repo": "alice/private"}, "its role is read"),
    ("write", "alice fine", {}, "repo.write on alice/private"),
    ("read", "alice fine", {}, "repo.write on alice/private"),
    ("write", "alice fine", {"repo": "acme/private"}, "without `repo.write` on acme/private"),
    ("write", "bob write", {"repo": "acme/private"}, "acme"),
    ("write", "bob write", {"repo": "acme/new"}, "acme"),
    ("write", "bob write", {"repo": "alice/new"}, "bob is not a member of alice"),
]


@pytest.mark.parametrize(("role", "who", "options", "says"), DENIED)
def test_what_is_missing_is_said_with_the_token_and_the_remedy(
    role: Any, who: str, options: dict[str, Any], says: str, tokens: dict[str, HubToken]
) -> None:
    token = tokens[who]
    with pytest.raises(hubtoken.InsufficientRoleError) as caught:
        hubtoken.require_role(role, token, **options)
    error, message = caught.value, str(caught.value)
    assert isinstance(error, PermissionError)
    assert isinstance(error, hubtoken.AccessDeniedError)
    assert not isinstance(error, hubtoken.InvalidTokenError)
    assert (error.required, error.target) == (role, options.get("repo"))
    assert error.actual in {"read", "write", "fine-grained", "role read in acme"}
    if "is not a member of alice" in says:
        # Another user's namespace has no page that would help.
        assert error.remedy_url is None
    else:
        assert error.remedy_url is not None
        assert error.remedy_url.startswith(f"{token.endpoint}/")
        assert error.remedy_url in message
    for part in (says, f"hf_…{token.reveal()[-4:]}", "from the argument"):
        assert part in message
    assert "invalid" not in message.lower()
    assert leaks(message, token.reveal()) == []


def test_a_gate_is_its_own_error(tokens: dict[str, HubToken]) -> None:
    with pytest.raises(hubtoken.GatedRepoError) as caught:
        hubtoken.require_role("read", tokens["carol read"], repo="acme/gated")
    error = caught.value
    assert (error.required, error.target) == ("read", "acme/gated")
    assert error.remedy_url == f"{tokens['carol read'].endpoint}/acme/gated"
    assert "invalid" not in str(error).lower()


@pytest.mark.parametrize("repo", ["acme/private", "acme/nowhere", "nobody/nowhere"])
def test_what_a_token_may_not_see_is_not_there(repo: str, tokens: dict[str, HubToken]) -> None:
    with pytest.raises(hubtoken.RepositoryNotFoundError, match=repo) as caught:
        hubtoken.require_role("read", tokens["carol read"], repo=repo)
    assert "name may be wrong" in str(caught.value)


def test_a_deleted_token_is_invalid_at_once(hub: Hub) -> None:
    token = hub.create_token("alice", name="dies", role="write")
    hubtoken.require_role("write", token, repo="alice/private")
    hub.delete_token("alice", "dies")
    with pytest.raises(hubtoken.InvalidTokenError) as caught:
        hubtoken.require_role("write", token, repo="alice/private")
    assert caught.value.source == "argument"


def test_no_token_asked_for_is_no_token() -> None:
    for ask in (
        lambda: hubtoken.require_role("read", False),
        lambda: hubtoken.require_permission("repo.write", token=False),
        lambda: hubtoken.whoami(False),
        lambda: hubtoken.require_role("read"),
        lambda: hubtoken.require_role("read", on_unknown="allow"),
    ):
        with pytest.raises(hubtoken.TokenNotFoundError):
            ask()


MEANINGLESS: list[dict[str, Any]] = [
    {"role": "admin"},
    {"role": "Write"},
    {"role": ""},
    {"role": "god"},
    {"on_unknown": "ignore"},
    {"on_unknown": ""},
    {"max_age": -1},
    {"max_age": float("nan")},
    {"max_age": float("inf")},
    {"max_stale": -0.5},
    {"timeout": -1},
    {"timeout": float("nan")},
    {"repo_type": "modell"},
    {"repo_type": ""},
    {"repo": ""},
    {"repo": "/"},
    {"repo": "acme/"},
    {"repo": "/tiny"},
    {"repo": "a/b/c/d"},
    {"repo": "buckets/acme/tiny"},
    {"repo": "acme/ti ny"},
    {"repo": "acme/../alice"},
    {"repo": "../x"},
    {"repo": "acme/tiny?x=1"},
    {"repo": "acme/tiny%2Fx"},
    {"repo": "acme/" + "x" * 97},
    {"repo": "https://huggingface.co/acme/tiny"},
]


@pytest.mark.parametrize("arguments", MEANINGLESS, ids=str)
def test_what_makes_no_sense_is_a_value_error_before_anybody_is_asked(
    arguments: dict[str, Any],
) -> None:
    with serving(identity()) as server:
        token = handed_over(endpoint=server.endpoint)
        with pytest.raises(ValueError, match=r"."):
            hubtoken.require_role(**{"role": "read", "token": token, **arguments})
        assert server.connections == 0


@pytest.mark.parametrize(
    "permission",
    ["", "write", "repo", "repo.", ".write", "repo write", "repo.wr√te", "a." * 60 + "b"],
)
def test_what_is_no_permission_is_a_value_error(permission: str) -> None:
    with pytest.raises(ValueError, match="permission"):
        hubtoken.require_permission(permission, handed_over())
    with pytest.raises(ValueError, match="not both"):
        hubtoken.require_permission("repo.write", handed_over(), repo="a/b", namespace="a")


@pytest.mark.parametrize(
    ("permission", "who", "options", "allowed"),
    [
        ("repo.content.read", "alice read", {}, True),
        ("repo.write", "alice read", {}, False),
        ("repo.write", "alice write", {}, True),
        ("inference.serverless.write", "alice read", {}, True),
        ("inference.serverless.write", "alice fine", {}, False),
        ("repo.write", "alice fine", {"repo": "alice/private"}, True),
        ("repo.write", "alice fine", {"repo": "acme/private"}, False),
        ("repo.write", "alice write", {"namespace": "alice"}, True),
        ("repo.write", "alice write", {"namespace": "acme"}, True),
        ("repo.write", "bob write", {"namespace": "acme"}, False),
        ("repo.write", "bob write", {"namespace": "carol"}, False),
        ("discussion.write", "alice fine", {"namespace": "acme"}, False),
    ],
)
def test_permissions(
    permission: str,
    who: str,
    options: dict[str, Any],
    allowed: bool,
    tokens: dict[str, HubToken],
) -> None:
    token = tokens[who]
    if allowed:
        assert hubtoken.require_permission(permission, token, **options) is token
        return
    with pytest.raises(hubtoken.InsufficientRoleError) as caught:
        hubtoken.require_permission(permission, token, **options)
    assert caught.value.required == permission
    assert "invalid" not in str(caught.value).lower()


@pytest.mark.parametrize("answer", [http(429, Retry_After="3"), http(503), http(200, "<html>")])
def test_what_is_not_known_is_raised_warned_about_or_passed_over(answer: bytes) -> None:
    with serving(answer) as server:
        token = handed_over(endpoint=server.endpoint)
        with pytest.raises(hubtoken.VerdictUnknownError) as caught:
            hubtoken.require_role("write", token)
        with pytest.warns(hubtoken.HubTokenWarning) as warned:
            assert hubtoken.require_role("write", token, on_unknown="warn") is token
        assert [str(warning.message) for warning in warned] == [str(caught.value)]
        assert [warning.filename for warning in warned] == [__file__]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert hubtoken.require_role("write", token, on_unknown="allow") is token
        # Ignoring an unknown is not cached as allowed.
        with pytest.raises(hubtoken.VerdictUnknownError):
            hubtoken.require_role("write", token)


@pytest.mark.parametrize("on_unknown", ["warn", "allow"])
def test_what_is_known_to_be_wrong_is_always_raised(
    on_unknown: Any, tokens: dict[str, HubToken]
) -> None:
    with pytest.raises(hubtoken.InsufficientRoleError):
        hubtoken.require_role("write", tokens["alice read"], on_unknown=on_unknown)
    dead = handed_over(fake_token(), tokens["alice read"].endpoint)
    with pytest.raises(hubtoken.InvalidTokenError):
        hubtoken.require_role("write", dead, on_unknown=on_unknown)


def test_a_token_without_a_role_needs_a_repository() -> None:
    who = identity(auth={"type": "oauth", "expiresAt": None})
    with serving(who) as server:
        server.behavior = lambda request: who if "whoami" in request.path else http(200, "OK")
        token = handed_over("hf_oauth_" + fake_token()[3:], server.endpoint)
        for role in ("read", "write"):
            with pytest.raises(hubtoken.VerdictUnknownError, match="OAuth"):
                hubtoken.require_role(role, token)
            # The Hub's own answer decides: this one allows everything.
            assert hubtoken.require_role(role, token, repo="acme/tiny") is token


def test_the_checked_token_is_activated_in_one_line(
    tokens: dict[str, HubToken], alone: pytest.MonkeyPatch
) -> None:
    token = tokens["alice write"]
    alone.setenv("HF_ENDPOINT", token.endpoint)
    with hubtoken.require_role("write", token, repo="alice/new").activate() as active:
        assert active is token
        assert os.environ["HF_TOKEN"] == token.reveal()
        assert hubtoken.require_role("write", repo="alice/private") == token
    assert "HF_TOKEN" not in os.environ


def test_an_old_no_is_not_a_denial() -> None:
    with serving(identity(role="read")) as server:
        token = handed_over(endpoint=server.endpoint)
        with pytest.raises(hubtoken.InsufficientRoleError):
            hubtoken.require_role("write", token)
        server.behavior = lambda _: http(503)
        with pytest.raises(hubtoken.HubUnreachableError):
            hubtoken.require_role("write", token, max_age=0)
        with pytest.warns(hubtoken.StaleIdentityWarning):
            assert hubtoken.require_role("read", token, max_age=0) is token


def test_the_hubs_own_words_are_told_where_whoami_explains_nothing() -> None:
    who = identity(auth={"type": "oauth"})
    no = http(403, '{"error": "This app may not."}')
    with serving(who) as server:
        server.behavior = lambda request: who if "whoami" in request.path else no
        token = handed_over("hf_oauth_" + fake_token()[3:], server.endpoint)
        with pytest.raises(hubtoken.AccessDeniedError, match="This app may not"):
            hubtoken.require_role("write", token, repo="acme/tiny")
