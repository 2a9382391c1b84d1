"""An organization's token policy, as the real client and `require_role` report it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

import hubtoken
from hubtoken import errors
from hubtoken.hub import Hub
from tests.environment import HANG_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubtoken import HubToken

MODEL = "acme/model"
NEW = "acme/not-there-yet"
SCOPES = {"acme": ["repo.content.read", "repo.write"]}
APPROVAL = "needs to be approved by the organization"
REVOKED = "revoked by the organization administrator"
FINE_GRAINED = "only fine-grained tokens"


@pytest.fixture
def hub(home: object) -> Iterator[Hub]:
    """A Hub with `acme`, which alice administers and bob writes in."""
    del home
    with Hub() as hub:
        for user in ("alice", "bob"):
            hub.create_user(user)
        hub.create_organization("acme")
        hub.set_member("acme", "alice", "admin")
        hub.set_member("acme", "bob", "write")
        hub.create_repository(MODEL, private=True)
        yield hub


def fine(hub: Hub, name: str) -> HubToken:
    return hub.create_token("bob", name=name, role="fine-grained", scopes=SCOPES)


def upload(token: HubToken) -> None:
    from huggingface_hub import HfApi

    api = HfApi(endpoint=token.endpoint, token=token.reveal())
    api.upload_file(path_or_fileobj=b"x", path_in_repo="x.txt", repo_id=MODEL)


def refusal(token: HubToken, says: str) -> errors.OrganizationPolicyError:
    """What `require_role` raises; the client gets the same, in the Hub's own words."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    with pytest.raises(errors.OrganizationPolicyError) as denied:
        hubtoken.require_role("write", token, repo=MODEL)
    with pytest.raises(errors.OrganizationPolicyError) as no_creation:
        hubtoken.require_role("write", token, repo=NEW)
    assert "acme" in str(no_creation.value)
    message = str(denied.value)
    assert says in message
    advice = (
        "Create a fine-grained token"
        if says == FINE_GRAINED
        else "administrator of the organization"
    )
    assert advice in message
    assert "invalid" not in message.lower()
    assert token.reveal() not in message
    assert denied.value.target == MODEL
    page = "tokenType=fineGrained" if says == FINE_GRAINED else "/organizations/acme/settings"
    assert page in str(denied.value.remedy_url)
    with pytest.raises(HfHubHTTPError, match=says) as refused:
        upload(token)
    assert refused.value.response.status_code == 403
    api = HfApi(endpoint=token.endpoint, token=token.reveal())
    with pytest.raises(HfHubHTTPError, match=says):
        api.auth_check(MODEL)
    with pytest.raises(HfHubHTTPError, match=says):
        api.create_repo(NEW)
    return denied.value


def works(token: HubToken) -> None:
    assert hubtoken.require_role("write", token, repo=MODEL) is token
    assert hubtoken.require_role("write", token, repo=NEW) is token
    upload(token)


def test_only_fine_grained_tokens(hub: Hub) -> None:
    plain, scoped = hub.create_token("bob", name="plain", role="write"), fine(hub, "scoped")
    works(plain)
    hub.set_token_policy("acme", "fine-grained-only")
    assert hub.token_policy("acme") == "fine-grained-only"
    refusal(plain, FINE_GRAINED)
    works(scoped)
    # The token itself is valid: it still works elsewhere.
    assert hubtoken.require_role("write", plain, repo="bob/own") is plain
    hub.set_token_policy("acme", "allow-all")
    works(plain)


def test_a_token_waits_is_approved_and_revoked(hub: Hub) -> None:
    hub.set_token_policy("acme", "require-approval")
    token = fine(hub, "ci")
    refusal(token, APPROVAL)
    (approval,) = hub.list_approvals("acme")
    assert (approval.user, approval.token.name, approval.status) == ("bob", "ci", "pending")
    assert approval.token.role == "fine-grained"
    assert approval.token.last4 == token.reveal()[-4:]
    assert hub.deny_token("acme", "ci").status == "denied"
    refusal(token, APPROVAL)
    approved = hub.approve_token("acme", approval.token.id)
    assert (approved.status, approved.decided_by) == ("approved", "program")
    works(token)
    # A new value does not make it another token.
    token = hub.refresh_token("bob", "ci")
    works(token)
    hub.change_token("bob", "ci", role="fine-grained", scopes={**SCOPES, "bob": ["repo.write"]})
    refusal(token, APPROVAL)
    hub.approve_token("acme", "ci")
    assert hub.revoke_token("acme", "ci").status == "revoked"
    refusal(token, REVOKED)
    hub.set_token_policy("acme", "allow-all")
    refusal(token, REVOKED)
    assert [entry.act for entry in hub.audit(organization="acme", act="approval")] == [
        "approval.revoke",
        "approval.approve",
        "approval.request",
        "approval.approve",
        "approval.deny",
        "approval.request",
    ]


def test_an_administrators_token_needs_no_approval(hub: Hub) -> None:
    hub.set_token_policy("acme", "require-approval")
    works(hub.create_token("alice", name="ci", role="fine-grained", scopes=SCOPES))
    assert hub.list_approvals("acme") == []


def test_whoami_tells_of_the_policy(hub: Hub) -> None:
    token = fine(hub, "ci")
    assert hubtoken.whoami(token).organizations[0].security_restrictions == []
    hub.set_token_policy("acme", "require-approval")
    assert hubtoken.whoami(token).organizations[0].security_restrictions == ["token-policy"]
    hub.revoke_token("acme", "ci")
    assert hubtoken.whoami(token).organizations[0].security_restrictions == ["token-revoked"]


def test_policy_does_not_cover_public_repositories(hub: Hub) -> None:
    from huggingface_hub import HfApi

    token = hub.create_token("bob", name="plain", role="write")
    HfApi(endpoint=hub.endpoint, token=token.reveal()).create_repo("acme/public", private=False)
    hub.set_token_policy("acme", "fine-grained-only")
    assert hubtoken.require_role("read", token, repo="acme/public") is token
    assert HfApi(endpoint=hub.endpoint, token=token.reveal()).list_repo_files("acme/public")


def test_a_leaked_value_is_shut_out_over_http(hub: Hub) -> None:
    """As the Hub's documentation describes it for secret scanners."""
    admin = hub.create_token("alice", name="admin", role="write")
    leaked = hub.create_token("bob", name="leaked", role="write")

    def revoke(token: HubToken) -> int:
        request = urllib.request.Request(  # noqa: S310 - the Hub of this test
            f"{hub.endpoint}/api/organizations/acme/settings/tokens/revoke",
            data=json.dumps({"token": token.reveal()}).encode(),
            headers={"Authorization": f"Bearer {admin.reveal()}"},
            method="POST",
        )
        try:
            with urllib.request.urlopen(request, timeout=HANG_LIMIT) as answer:  # noqa: S310
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    assert revoke(leaked) == 200
    refusal(leaked, REVOKED)
    assert hubtoken.require_role("write", leaked, repo="bob/own") is leaked
    assert revoke(admin) == 403
    works(admin)


def test_words_that_are_none(hub: Hub) -> None:
    with pytest.raises(ValueError, match="allow-all"):
        hub.set_token_policy("acme", "everything")  # type: ignore[arg-type]
    with pytest.raises(hubtoken.HubError, match="no member of `acme`"):
        hub.approve_token("acme", "nothing")
    with pytest.raises(hubtoken.HubError, match="no organization"):
        hub.token_policy("nobody")
