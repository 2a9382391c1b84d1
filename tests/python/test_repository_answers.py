"""What the Hub reports about a repository, and that this says nothing about the token."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import hubtoken
from hubtoken.hub import Hub
from tests.python.helpers import handed_over
from tests.python.servers import Request, http, identity, serving
from tests.python.test_denials import command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WHOAMI = "/api/whoami-v2"
DISABLED = "Access to this resource is disabled."
NEW_TOKEN = "/settings/tokens/new"


def hub(about_repository: bytes, about_token: bytes | None = None) -> Any:
    """A Hub with one response to everything but whoami."""
    return lambda request: (
        (about_token or identity()) if request.path == WHOAMI else about_repository
    )


def asked(requests: list[Request]) -> int:
    """How many whoami requests were sent."""
    return sum(request.path == WHOAMI for request in requests)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_repository_that_is_missing_says_nothing_of_the_token(home: Path, status: int) -> None:
    missing = http(status, '{"error":"Repository not found"}', X_Error_Code="RepoNotFound")
    with serving(hub(missing)) as server:
        token = handed_over(endpoint=server.endpoint)
        for _ in range(2):
            with pytest.raises(hubtoken.RepositoryNotFoundError, match="bob/x"):
                hubtoken.require_role("read", token, repo="bob/x")
        assert hubtoken.require_role("write", token) is token
        assert hubtoken.whoami(token).user == "alice"
        assert hubtoken.require_role("write", token, repo="alice/new") is token
        assert asked(server.requests) == 1
        # Nor in the processes that share the disk cache.
        assert command(home, token, "require", "write")[0] == 0
        assert asked(server.requests) == 1


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_gate_says_nothing_of_the_token(status: int) -> None:
    with serving(hub(http(status, X_Error_Code="GatedRepo"))) as server:
        token = handed_over(endpoint=server.endpoint)
        with pytest.raises(hubtoken.GatedRepoError):
            hubtoken.require_role("read", token, repo="bob/x")
        assert hubtoken.whoami(token).user == "alice"


@pytest.mark.parametrize(
    "message", ["Invalid username or password.", "Invalid credentials in Authorization header", ""]
)
def test_a_bare_401_is_believed_only_if_whoami_confirms_it(home: Path, message: str) -> None:
    headers: Any = {"X_Error_Message": message} if message else {}
    with serving(hub(http(401, **headers))) as server:
        token = handed_over(endpoint=server.endpoint)
        assert hubtoken.whoami(token).user == "alice"
        with pytest.raises(hubtoken.VerdictUnknownError, match="although it accepts the token"):
            hubtoken.require_role("read", token, repo="bob/x")
        assert asked(server.requests) == 2
        assert hubtoken.whoami(token).user == "alice"
        assert command(home, token, "require", "write")[0] == 0
        # The token becomes invalid.
        server.behavior = hub(http(401, **headers), http(401))
        with pytest.raises(hubtoken.InvalidTokenError):
            hubtoken.require_role("read", token, repo="bob/x")
        with pytest.raises(hubtoken.InvalidTokenError):
            hubtoken.whoami(token, max_age=0)


def test_a_bare_401_that_whoami_cannot_confirm_denies_nothing() -> None:
    with serving(hub(http(401))) as server:
        token = handed_over(endpoint=server.endpoint)
        hubtoken.whoami(token)
        server.behavior = hub(http(401), http(503))
        with pytest.raises(hubtoken.HubUnreachableError):
            hubtoken.require_role("read", token, repo="bob/x")
        assert hubtoken.whoami(token).user == "alice"


@pytest.mark.parametrize(
    "answer",
    [
        http(403, X_Error_Message=DISABLED),
        http(403, json.dumps({"error": DISABLED}), Content_Type="application/json"),
        http(403, DISABLED, Content_Type="text/plain"),
    ],
    ids=["header", "json", "text"],
)
@pytest.mark.parametrize("role", ["read", "write"])
def test_a_disabled_repository_is_an_error_of_its_own(home: Path, answer: bytes, role: Any) -> None:
    with serving(hub(answer)) as server:
        token = handed_over(endpoint=server.endpoint)
        with pytest.raises(hubtoken.RepositoryDisabledError) as caught:
            hubtoken.require_role(role, token, repo="alice/x")
        error = caught.value
        assert isinstance(error, hubtoken.AccessDeniedError)
        assert (error.required, error.target, error.remedy_url) == (role, "alice/x", None)
        assert "is disabled on the Hub" in str(error)
        assert NEW_TOKEN not in str(error)
        code, said = command(home, token, "--json", "require", role, "--repo", "alice/x")
        told = json.loads(said)
        assert (code, told["allowed"]) == (1, False)
        assert told["error"]["kind"] == "RepositoryDisabledError"
        assert told["error"]["remedy_url"] is None


@pytest.fixture(scope="module")
def real() -> Iterator[Hub]:
    """Alice administers acme, carol contributes to it, and bob is not a member."""
    with Hub() as running:
        for name in ("alice", "bob", "carol"):
            running.create_user(name)
        running.create_organization("acme")
        running.set_member("acme", "alice", "admin")
        running.set_member("acme", "carol", "contributor")
        running.create_repository("acme/model")
        running.create_repository("acme/gated", gated="manual")
        running.create_repository("acme/off")
        running.create_repository("alice/off")
        running.set_disabled("acme/off", True)
        running.set_disabled("alice/off", True)
        yield running


@pytest.mark.parametrize("repo", ["alice/off", "off", "acme/off"])
def test_no_other_token_is_advised_for_a_disabled_repository(real: Hub, repo: str) -> None:
    token = real.create_token("alice", name=f"reads {repo}", role="read")
    with pytest.raises(hubtoken.RepositoryDisabledError) as caught:
        hubtoken.require_role("write", token, repo=repo)
    assert caught.value.remedy_url is None
    assert NEW_TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("user", "role", "scopes", "repo", "kind", "advice", "page"),
    [
        ("bob", "write", None, "acme/model", "InsufficientRoleError", "ask to be invited", "/acme"),
        ("bob", "write", None, "acme/new", "InsufficientRoleError", "ask to be invited", "/acme"),
        ("bob", "read", None, "acme/model", "InsufficientRoleError", "ask to be invited", "/acme"),
        (
            "carol",
            "write",
            None,
            "acme/model",
            "InsufficientRoleError",
            "for a higher role",
            "/organizations/acme/settings/members",
        ),
        (
            "bob",
            "fine-grained",
            {"bob": ["repo.content.read"]},
            "acme/gated",
            "GatedRepoError",
            "public gated repositories in the token's settings",
            "/settings/tokens",
        ),
        ("bob", "read", None, "acme/gated", "GatedRepoError", "Ask for access", "/acme/gated"),
        ("bob", "read", None, "acme/off", "RepositoryDisabledError", "No token helps", None),
        ("alice", "write", None, "acme/off", "RepositoryDisabledError", "No token helps", None),
    ],
)
def test_a_remedy_would_help(
    real: Hub,
    user: str,
    role: Any,
    scopes: dict[str, list[str]] | None,
    repo: str,
    kind: str,
    advice: str,
    page: str | None,
) -> None:
    name = f"{user}-{role}-{repo}"
    token = real.create_token(user, name=name, role=role, scopes=scopes)
    needed: Any = "read" if kind in {"GatedRepoError", "RepositoryDisabledError"} else "write"
    with pytest.raises(hubtoken.AccessDeniedError) as caught:
        hubtoken.require_role(needed, token, repo=repo)
    error = caught.value
    assert type(error).__name__ == kind
    assert advice in str(error)
    assert error.remedy_url == (None if page is None else f"{real.endpoint}{page}")
    assert NEW_TOKEN not in str(error)
    real.delete_token(user, name)


@pytest.mark.parametrize("must_exist", [False, True])
@pytest.mark.parametrize("permission", ["discussion.write", "repo.content.write", "repo.write"])
def test_no_permission_is_granted_on_a_disabled_repository(
    real: Hub, permission: str, must_exist: bool
) -> None:
    token = real.create_token("alice", name=f"{permission} {must_exist}", role="write")
    with pytest.raises(hubtoken.RepositoryDisabledError):
        hubtoken.require_permission(permission, token, repo="alice/off", must_exist=must_exist)


def test_a_type_in_front_of_a_name_is_corrected_there(real: Hub) -> None:
    real.create_repository("alice/trained")
    token = real.create_token("alice", name="typed", role="write")
    with pytest.warns(hubtoken.HubTokenWarning, match="models/alice/trained"):
        hubtoken.require_role("write", token, repo="spaces/alice/trained")
    # The advice helps, whatever the argument says.
    hubtoken.require_role(
        "write", token, repo="models/alice/trained", repo_type="space", must_exist=True
    )
    with pytest.warns(hubtoken.HubTokenWarning, match='repo_type="model"'):
        hubtoken.require_role("write", token, repo="alice/trained", repo_type="dataset")


def test_a_suggestion_ends_its_own_sentence(real: Hub) -> None:
    token = real.create_token("alice", name="namespace", role="write")
    with pytest.raises(hubtoken.AccessDeniedError, match="did you mean") as caught:
        hubtoken.require_permission("repo.write", token, namespace="alicee")
    assert "?. " not in str(caught.value)


@pytest.mark.parametrize(
    "permission",
    ["inference.serverless.write", "collection.read", "user.billing.read", "org.members.read"],
)
def test_scope_on_the_own_namespace_does_not_help_in_another(real: Hub, permission: str) -> None:
    token = real.create_token(
        "alice", name=permission, role="fine-grained", scopes={"alice": ["repo.write"]}
    )
    with pytest.raises(hubtoken.InsufficientRoleError) as caught:
        hubtoken.require_permission(permission, token, namespace="bob")
    assert NEW_TOKEN not in str(caught.value)
    assert "Another token" in str(caught.value)
    assert caught.value.remedy_url is None
    # In the user's own namespace it does.
    with pytest.raises(hubtoken.InsufficientRoleError, match="ownUserPermissions"):
        hubtoken.require_permission(permission, token, namespace="alice")


def narrow(real: Hub, user: str, role: Any) -> Any:
    scopes = {user: ["repo.content.read"]} if role == "fine-grained" else None
    return real.create_token(user, name=f"narrow-{user}-{role}", role=role, scopes=scopes)


@pytest.mark.parametrize("role", ["read", "fine-grained"])
def test_what_a_token_lacks_is_not_blamed_for_what_no_token_mends(real: Hub, role: str) -> None:
    # Disabled, not forbidden: another token would be denied as well.
    token = narrow(real, "alice", role)
    with pytest.raises(hubtoken.RepositoryDisabledError) as off:
        hubtoken.require_role("write", token, repo="acme/off")
    assert NEW_TOKEN not in str(off.value)
    with pytest.raises(hubtoken.InsufficientRoleError, match=NEW_TOKEN):
        hubtoken.require_role("write", token, repo="acme/model")
    real.delete_token("alice", f"narrow-alice-{role}")
    # whoami does not report who owns the repository.
    token = narrow(real, "carol", role)
    with pytest.raises(hubtoken.InsufficientRoleError, match="carol is a contributor") as open_:
        hubtoken.require_role("write", token, repo="acme/model")
    assert "only if its user has the right" in str(open_.value)
    assert open_.value.remedy_url is None
    real.delete_token("carol", f"narrow-carol-{role}")


def test_a_denial_by_the_token_does_not_wait_for_the_repository() -> None:
    read = identity(
        auth={"type": "access_token", "accessToken": {"displayName": "r", "role": "read"}}
    )
    with serving(lambda request: read if request.path == WHOAMI else http(503)) as server:
        token = handed_over(endpoint=server.endpoint)
        with pytest.raises(hubtoken.InsufficientRoleError, match=NEW_TOKEN):
            hubtoken.require_role("write", token, repo="alice/x")
        assert [request.path for request in server.requests].count(WHOAMI) == 1
        with pytest.raises(hubtoken.InsufficientRoleError, match="not a member of acme"):
            hubtoken.require_role("write", token, repo="acme/x")


def test_a_policy_for_fine_grained_tokens_leads_to_the_form_for_one(real: Hub) -> None:
    token = real.create_token("carol", name="plain", role="write")
    real.set_token_policy("acme", "fine-grained-only")
    try:
        for repo in ("acme/model", "acme/new"):
            with pytest.raises(hubtoken.OrganizationPolicyError) as caught:
                hubtoken.require_role("write", token, repo=repo)
            error = caught.value
            form = "?tokenType=fineGrained&orgs=acme&orgPermissions=repo.write"
            assert error.remedy_url == f"{real.endpoint}{NEW_TOKEN}{form}"
            assert "Create a fine-grained token" in str(error)
    finally:
        real.set_token_policy("acme", "allow-all")
