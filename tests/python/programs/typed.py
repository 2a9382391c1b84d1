"""Uses every public name as a typed program does. It is only type-checked, by `test_typing.py`.

A line with an ignored error is one that a type checker must object to: without the error, the
comment is one itself.
"""

from __future__ import annotations

import os
import subprocess
from datetime import timedelta
from typing import Any, Literal

import requests
from pydantic import Secret, SecretStr
from typing_extensions import assert_type

import hubtoken
from hubtoken import asgi
from hubtoken.hub import Approval, AuditEntry, Hub, Publisher, TokenInfo

Identities = dict[str, hubtoken.Identity]


def use(*values: object) -> None:
    """Do something with values."""


def find(flag: bool, text: str | None) -> None:
    """Find a token."""
    token = hubtoken.resolve_token()
    assert_type(token, hubtoken.HubToken)
    assert_type(token.reveal(), str)
    assert_type(hubtoken.resolve_token(text), hubtoken.HubToken)
    assert_type(hubtoken.resolve_token(SecretStr("hf_x")), hubtoken.HubToken)
    assert_type(hubtoken.resolve_token(Secret(token)), hubtoken.HubToken)
    hidden = hubtoken.resolve_token(SecretStr("hf_x"), required=False)
    assert_type(hidden, hubtoken.HubToken | None)
    assert_type(hubtoken.resolve_token(token, endpoint="https://hub.example"), hubtoken.HubToken)
    assert_type(hubtoken.resolve_token(True), hubtoken.HubToken)
    assert_type(hubtoken.resolve_token(profile="ci", required=True), hubtoken.HubToken)
    assert_type(hubtoken.resolve_token(token=text), hubtoken.HubToken)
    assert_type(hubtoken.resolve_token(False), None)
    assert_type(hubtoken.resolve_token(token=False, required=False), None)
    assert_type(hubtoken.resolve_token(required=False), hubtoken.HubToken | None)
    assert_type(hubtoken.resolve_token(text, required=flag), hubtoken.HubToken | None)
    hubtoken.resolve_token(required=False).reveal()  # type: ignore[union-attr]
    hubtoken.resolve_token(1)  # type: ignore[call-overload]
    assert_type(hubtoken.get_token(), str | None)

    trace = hubtoken.explain(flag, endpoint=None, profile=None)
    assert_type(trace, hubtoken.Trace)
    source: str | None = trace.source or trace.endpoint
    step: hubtoken.TraceStep
    for step in trace.steps:
        use(step.source, step.detail, step.mask, source)
        if step.answer == "found":
            continue
        use(step.answer == "fond")  # type: ignore[comparison-overlap]
    hubtoken.clear_cache()


def carry(token: hubtoken.HubToken) -> None:
    """Pass a token on."""
    assert_type(token.environ(os.environ), dict[str, str])
    subprocess.run(["env"], env=token.environ({"A": "b"}), check=True)
    subprocess.run(["env"], env=token.environ(), check=True)
    requests.get("https://huggingface.co", auth=token, timeout=1)
    requests.get("https://huggingface.co", auth=token.basic_auth("alice"), timeout=1)
    requests.get("https://huggingface.co", headers=token.headers(), timeout=1)
    texts: tuple[str, ...] = (token.bearer(), token.endpoint, token.fingerprint, token.source)
    kind: Literal["user-access", "organization", "oauth", "jwt", "app", "s3", "opaque"] = token.kind
    tokens: set[hubtoken.HubToken] = {token, hubtoken.HubToken("hf_x", endpoint=None)}
    tokens.add(hubtoken.HubToken(Secret(token)))
    use(reversed(token), token <= "a")  # type: ignore[operator,call-overload]
    use(texts, kind, tokens, token.profile, f"{token}", token == "x", token != token)  # noqa: PLR0124
    with token.activate() as active:
        assert_type(active, hubtoken.HubToken)
    activation: hubtoken.Activation = token.activate()
    assert_type(activation.token, hubtoken.HubToken)
    activation.deactivate()
    hubtoken.deactivate()


def know(token: hubtoken.HubToken, word: str) -> Identities:
    """Ask whose a token is, and what it may do."""
    identity = hubtoken.whoami(token, max_age=0, max_stale=1.5, timeout=2)
    caller = hubtoken.identify("hf_x", endpoint="https://hub.example", max_age=1, timeout=1.5)
    assert_type(hubtoken.cached_identity(token, max_age=1), hubtoken.Identity | None)
    organization: hubtoken.Organization
    for organization in identity.organizations:
        use(organization.name, organization.role_in_org, organization.security_restrictions)
    scope: hubtoken.Scope
    for scope in identity.scopes:
        use(scope.entity_name, scope.entity_type, scope.permissions)
    if identity.role in ("write", "god") and identity.expires_at is None:
        use(identity.user, identity.created_at, identity.is_pro)

    verdict = hubtoken.authorize(identity, word, repo="a/b", repo_type="dataset")
    assert_type(verdict, hubtoken.Verdict)
    outcome: Literal["allowed", "denied", "unknown"] = verdict.outcome
    if verdict:
        use(outcome, verdict.reason, verdict.required, verdict.actual, verdict.target)
    use(verdict.remedy_url)
    use(verdict.outcome == "refused")  # type: ignore[comparison-overlap]
    hubtoken.authorize(identity, "read", repo_type="bucket")  # type: ignore[arg-type]

    role: Literal["read", "write"] = "write" if identity.is_pro else "read"
    assert_type(hubtoken.require_role(role, repo="a/b", must_exist=True), hubtoken.HubToken)
    assert_type(hubtoken.require_role(role, lasting=timedelta(hours=8)), hubtoken.HubToken)
    assert_type(hubtoken.require_role(role, lasting=28_800), hubtoken.HubToken)
    assert_type(hubtoken.require_permission("repo.write", lasting=None), hubtoken.HubToken)
    assert_type(hubtoken.require_permission("repo.write", lasting="job"), hubtoken.HubToken)
    assert_type(hubtoken.revoke(name="ci"), list[hubtoken.RevokedToken])
    assert_type(hubtoken.revoke([token, "hf_x"])[0].state, str)
    hubtoken.require_role(role, lasting="8h")  # type: ignore[arg-type]
    hubtoken.require_role(repo=False, on_unknown="warn", max_age=1, max_stale=0, timeout=1)
    hubtoken.require_role("admin")  # type: ignore[arg-type]
    hubtoken.require_role("read", on_unknown="ignore")  # type: ignore[arg-type]
    hubtoken.require_role("read", repo_type="models")  # type: ignore[arg-type]
    permitted = hubtoken.require_permission(word, token, namespace="a", on_unknown="allow")
    assert_type(permitted, hubtoken.HubToken)
    return {"own": identity, "caller": caller}


def manage(token: hubtoken.HubToken) -> hubtoken.HubToken:
    """Manage an organization's service accounts."""
    accounts = hubtoken.service_accounts("acme", token, timeout=5)
    assert_type(accounts, hubtoken.ServiceAccounts)
    assert_type(accounts.list(), list[hubtoken.ServiceAccount])
    account = accounts.create("ci", description=None)
    made, info = accounts.create_token(
        account, "runner", permissions=["repo.write"], repos=("a/b",)
    )
    assert_type(info, hubtoken.ServiceAccountToken)
    assert_type(accounts.change_token(account, info, name="x"), hubtoken.ServiceAccountToken)
    fresh, _ = accounts.rotate_token("ci", "runner")
    use(account.user, account.description, info.last4, info.last_used_at, fresh, accounts.endpoint)
    for one in accounts.get(account).tokens or []:
        accounts.delete_token(account, one)
    accounts.delete("ci")
    return made


def keep() -> hubtoken.StoredToken | None:
    """Store tokens."""
    stored = hubtoken.login("hf_x", name="ci", endpoint=None)
    assert_type(stored, hubtoken.StoredToken)
    assert_type(stored.keyring, bool)
    assert_type(hubtoken.notebook_login(), hubtoken.StoredToken)
    hubtoken.switch_token("ci")
    assert_type(hubtoken.rename_token("ci", "new"), str)
    hubtoken.move_token("ci", keyring=True)
    hubtoken.logout("new")
    hubtoken.logout()
    for one in hubtoken.stored_tokens():
        if one.active and one.role == "read":
            use(one.name, one.user, one.endpoint, one.created_at, one.expires_at, one.token)
            return one
    return None


def fail(retry: bool) -> float:  # noqa: C901 - one clause for each class
    """Handle errors, from the special to the general."""
    try:
        hubtoken.require_role("read")
    except hubtoken.RateLimitedError as error:
        return error.retry_after or 1
    except (hubtoken.OfflineError, hubtoken.HubUnreachableError) as error:
        use(error.request_id, error.server_message)
    except hubtoken.VerdictUnknownError:
        return 1
    except hubtoken.TokenNotFoundError as error:
        trace: hubtoken.Trace | None = error.trace
        use(trace)
    except (hubtoken.TokenFormatError, hubtoken.UntrustedEndpointError):
        return 0
    except hubtoken.InvalidTokenError as error:
        use(error.source)
    except (
        hubtoken.GatedRepoError,
        hubtoken.InsufficientRoleError,
        hubtoken.OrganizationPolicyError,
        hubtoken.RepositoryDisabledError,
    ) as error:
        use(error.required, error.actual, error.target, error.remedy_url)
    except (hubtoken.AccessDeniedError, PermissionError) as error:
        use(error)
    except (hubtoken.RepositoryNotFoundError, hubtoken.ConfigurationError):
        return 0
    except hubtoken.LoginError as error:
        use(error.error_code)
    except (hubtoken.HubError, hubtoken.StoreError) as error:
        text: str | None = error.server_message
        use(text)
    except hubtoken.HubTokenError:
        return 0
    categories: list[type[Warning]] = [hubtoken.HubTokenWarning, hubtoken.StaleIdentityWarning]
    use(categories, hubtoken.errors.HubTokenError, hubtoken.__version__.upper(), retry)
    hubtoken.resolve_tokne()  # type: ignore[attr-defined]
    return 0


def serve(application: Any) -> asgi.TokenAuthentication:
    """Guard a server."""
    return asgi.TokenAuthentication(application, require="read", repo="a/b", repo_type="model")


def administer(folder: str) -> tuple[list[TokenInfo], list[AuditEntry]]:
    """Run an embedded Hub."""
    hubtoken.hub.Hub(log_level="loud")  # type: ignore[arg-type]
    with hubtoken.hub.Hub(folder, log_format="json", log_level="warn", whoami_limit=5) as hub:
        assert_type(hub, Hub)
        hub.create_user("alice", password=None)
        hub.create_organization("acme", fullname="Acme")
        hub.set_member("acme", "alice", "contributor")
        hub.set_member("acme", "alice", "owner")  # type: ignore[arg-type]
        hub.create_repository("alice/x", type="dataset", gated="auto", private=True)
        hub.set_gated("alice/x", None, type="dataset")
        hub.set_gated("alice/x", "yes")  # type: ignore[arg-type]
        hub.grant_access("alice/x", "alice", type="space")
        hub.set_disabled("alice/x", True, type="model")
        hub.set_token_policy("acme", "require-approval")
        hub.set_token_policy("acme", "some")  # type: ignore[arg-type]
        policy: Literal["allow-all", "fine-grained-only", "require-approval"] = hub.token_policy(
            "acme"
        )
        token = hub.create_token(
            "alice", name="t", role="fine-grained", scopes={"alice/x": ["repo.write"]}
        )
        assert_type(token, hubtoken.HubToken)
        hub.create_token("alice", name="t", role="admin")  # type: ignore[arg-type]
        hub.change_token("alice", "t", role="read")
        hub.rename_token("alice", "t", "u")
        assert_type(hub.refresh_token("alice", "u"), hubtoken.HubToken)
        approval: Approval = hub.approve_token("acme", "u")
        status: Literal["pending", "approved", "denied", "revoked"] = approval.status
        hub.deny_token("acme", "u")
        hub.revoke_token("acme", "u")
        approvals: list[Approval] = hub.list_approvals("acme")
        hub.delete_token("alice", "u")
        hub.remove_member("acme", "alice")
        hub.reload_certificate()
        texts: list[str] = [hub.endpoint, hub.local_endpoint, hub.admin_key, hub.data, policy]
        use(texts, status, approvals, hub.environ(), hub.request_count("/"))
        for info in hub.list_tokens("alice"):
            role: Literal["read", "write", "fine-grained"] = info.role
            use(info.id, info.name, role, info.last4, info.last_used_at, info.inference_requests)
        publisher = hub.create_publisher(
            "alice/x", issuer="github", claims={"repository": "alice/x"}, user="alice", keys=None
        )
        assert_type(publisher, Publisher)
        claims: dict[str, str] = publisher.claims
        use(publisher.id, publisher.resource, publisher.user, publisher.issuer, claims)
        use(publisher.has_keys, publisher.created_at, publisher.last_used_at)
        publishers: list[Publisher] = hub.list_publishers("alice/x")
        use(publishers)
        hub.delete_publisher(publisher.id)
        entries = hub.audit(user="alice", act="token", limit=10)
        actor: Literal["user", "service-account", "admin-key", "program", "nobody"]
        for entry in entries:
            actor = entry.actor
            use(entry.act, actor, entry.at, entry.id)
        hub.start().stop()
        return hub.list_tokens("alice"), entries
