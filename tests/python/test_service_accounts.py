"""`service_accounts`: an organization's accounts that belong to no person, and their tokens."""

from __future__ import annotations

import copy
import json
import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

import hubtoken
from hubtoken import errors
from hubtoken.hub import Hub
from tests.environment import HANG_LIMIT, child_environment, fake_token
from tests.python.helpers import leaks
from tests.python.servers import http, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hubtoken import HubToken, ServiceAccounts
    from tests.python.servers import Request

ID = "64b0c0ffee0000000000c001"


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    """A Hub with `acme`, which root administers and bob writes in."""
    with Hub() as hub:
        for user in ("root", "bob", "carol"):
            hub.create_user(user)
        hub.create_organization("acme")
        hub.set_member("acme", "root", "admin")
        hub.set_member("acme", "bob", "write")
        for name in ("acme/model", "acme/other"):
            hub.create_repository(name, private=True)
        yield hub


@pytest.fixture(scope="module")
def root(hub: Hub) -> HubToken:
    """An administrator's token."""
    return hub.create_token("root", name="root", role="write")


@pytest.fixture
def accounts(root: HubToken) -> ServiceAccounts:
    """The accounts, as the administrator sees them."""
    return hubtoken.service_accounts("acme", root)


def status(token: HubToken) -> bool:
    """Whether the Hub accepts a token."""
    try:
        hubtoken.whoami(token)
    except errors.InvalidTokenError:
        return False
    return True


def test_an_account_and_its_tokens_come_and_go(accounts: ServiceAccounts) -> None:
    made = accounts.create("Nightly build", "what runs at night")
    assert (made.name, made.description, made.tokens) == (
        "Nightly build",
        "what runs at night",
        None,
    )
    assert made.user.startswith("acme--nightly-build-")
    assert [account.id for account in accounts.list()] == [made.id]
    token, info = accounts.create_token(
        made,
        "runner",
        permissions=["repo.content.read"],
        repos=["acme/model"],
        repo_permissions=["repo.write"],
    )
    assert (token.kind, info.name, info.permissions) == ("app", "runner", ["repo.content.read"])
    [shown] = accounts.get("Nightly build").tokens or []
    assert (shown.id, shown.last4) == (info.id, token.reveal()[-4:])
    assert status(token)
    hubtoken.require_role("write", token, repo="acme/model")
    hubtoken.require_role("read", token, repo="acme/other")
    with pytest.raises(errors.AccessDeniedError):
        hubtoken.require_role("write", token, repo="acme/other")

    changed = accounts.change_token(made.user, "runner", name="deploy", repos=[])
    assert (changed.name, changed.repo_ids, changed.permissions) == (
        "deploy",
        [],
        ["repo.content.read"],
    )
    with pytest.raises(errors.AccessDeniedError):
        hubtoken.require_role("write", token, repo="acme/model")
    # A cached answer does not keep the old value alive in this process either.
    fresh, rotated = accounts.rotate_token(made.id, info)
    assert rotated.id == info.id
    assert (status(token), status(fresh)) == (False, True)
    accounts.delete_token(made, "deploy")
    assert not status(fresh)
    last, _ = accounts.create_token(made)
    assert status(last)
    accounts.delete(made)
    assert not status(last)
    assert accounts.list() == []


def test_the_new_value_is_in_no_text(
    accounts: ServiceAccounts, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        account = accounts.create("ci")
        first, info = accounts.create_token(account, permissions=["repo.write"])
        second, _ = accounts.rotate_token(account, info)
        [listed] = accounts.get(account).tokens or []
        accounts.delete(account)
    texts = [repr((first, second, info, listed, account, accounts)), str(second), caplog.text]
    texts += [json.dumps(listed.to_dict()), json.dumps(account.to_dict())]
    assert "service-accounts" in caplog.text
    assert leaks("\n".join(texts), first.reveal(), second.reveal()) == []
    for pickled in (pickle.dumps(second), pickle.dumps(listed)):
        assert leaks(pickled, first.reveal(), second.reveal()) == []
    with pytest.raises(TypeError):
        pickle.dumps(accounts)
    with pytest.raises(TypeError):
        vars(accounts)
    assert copy.copy(listed) is listed


def test_an_apps_identity_has_no_role(accounts: ServiceAccounts) -> None:
    account = accounts.create("ci")
    token, _ = accounts.create_token(account, permissions=["repo.write"])
    identity = hubtoken.whoami(token)
    assert (identity.type, identity.authentication, identity.role) == ("app", "app_token", None)
    assert (identity.user, identity.full_name, identity.token_name) == (account.user, "ci", None)
    with pytest.raises(errors.VerdictUnknownError, match="app tokens"):
        hubtoken.require_role("write", token)
    with pytest.raises(errors.VerdictUnknownError):
        hubtoken.require_permission("inference.serverless.write", token)
    assert hubtoken.require_role("write", token, repo="acme/model") is token
    with pytest.raises(errors.RepositoryNotFoundError):
        hubtoken.require_role("read", token, repo="carol/secret")
    accounts.delete(account)
    with pytest.raises(errors.InvalidTokenError):
        hubtoken.require_role("write", token, repo="acme/model", max_age=0)


def test_only_an_administrators_token_will_do(hub: Hub, accounts: ServiceAccounts) -> None:
    account = accounts.create("ci")
    scopes = {"acme": ["org.serviceAccounts.read"]}
    reader = hub.create_token("root", name="reader", role="fine-grained", scopes=scopes)
    assert hubtoken.service_accounts("acme", reader).get(account).name == "ci"
    for token in (reader, hub.create_token("bob", name="bob", role="write")):
        with pytest.raises(errors.InsufficientRoleError) as denied:
            hubtoken.service_accounts("acme", token).create_token(account)
        assert denied.value.required == "org.serviceAccounts.write"
        assert denied.value.target == "acme"
        page = "orgs=acme&orgPermissions=org.serviceAccounts.write"
        assert str(denied.value.remedy_url).endswith(page)
        assert page in str(denied.value)
        assert token.reveal() not in str(denied.value)
    outsider = hub.create_token("carol", name="carol", role="write")
    with pytest.raises(errors.HubError, match="no such thing"):
        hubtoken.service_accounts("acme", outsider).list()
    with pytest.raises(errors.HubError, match="no such thing"):
        hubtoken.service_accounts("nothing", outsider).list()
    unknown = hubtoken.HubToken(fake_token(), endpoint=hub.endpoint)
    with pytest.raises(errors.InvalidTokenError):
        hubtoken.service_accounts("acme", unknown).list()
    with pytest.raises(errors.TokenNotFoundError):
        hubtoken.service_accounts("acme", token=False)
    accounts.delete(account)


def test_names_and_permissions_are_checked(accounts: ServiceAccounts) -> None:
    account = accounts.create("ci")
    again = accounts.create("ci")
    with pytest.raises(errors.HubError, match="more than one"):
        accounts.get("ci")
    with pytest.raises(errors.HubError, match="there is `ci`"):
        accounts.get("other")
    with pytest.raises(errors.HubError, match="there is none at all"):
        accounts.rotate_token(account, "runner")
    with pytest.raises(ValueError, match=r"repo\.write"):
        accounts.create_token(account, permissions=["repo.wirte"])
    with pytest.raises(errors.HubError, match=r"user\.billing\.read"):
        accounts.create_token(account, permissions=["user.billing.read"])
    with pytest.raises(errors.HubError):
        accounts.create_token(account, repos=["acme/nothing"])
    for name in ("", " ", "x" * 51, "a\x1b[31m"):
        with pytest.raises(errors.HubError):
            accounts.create(name)
    wrong: list[Callable[[], Any]] = [
        lambda: accounts.create_token(account, permissions="repo.write"),
        lambda: accounts.get(1),  # type: ignore[arg-type]
        lambda: accounts.delete_token(account, account),  # type: ignore[arg-type]
        lambda: accounts.create(b"ci"),  # type: ignore[arg-type]
    ]
    for call in wrong:
        with pytest.raises(TypeError):
            call()
    for text in ("\ud800", "a\ud800b"):
        with pytest.raises(ValueError, match="surrogate"):
            accounts.create(text)
        with pytest.raises(ValueError, match="surrogate"):
            accounts.get(text)
        with pytest.raises(ValueError, match="surrogate"):
            hubtoken.service_accounts(text)
    for name in ("", "acme/model", "../x", fake_token()):
        with pytest.raises(ValueError, match="name") as refused:
            hubtoken.service_accounts(name, "hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
        assert leaks(str(refused.value), *([name] if name.startswith("hf_") else [])) == []
    assert accounts.get(account).tokens == []
    accounts.delete(account)
    accounts.delete(again)


def test_a_lost_answer_is_not_taken_for_a_refusal() -> None:
    value = f"hf_app_{'Lost' * 8}"
    answers: dict[str, bytes] = {}

    account = {"_id": ID, "user": "acme--ci", "accessTokens": [{"_id": ID, "displayName": "a"}]}

    def answered(request: Request) -> bytes:
        reads = request.path.endswith(f"/service-accounts/{ID}")
        return http(200, json.dumps(account)) if reads else answers["next"]

    with serving(answered) as server:
        token = hubtoken.HubToken(fake_token(), endpoint=server.endpoint)
        accounts = hubtoken.service_accounts("acme", token)
        half = http(201, json.dumps({"token": value}), length=1_000)
        told = http(503, json.dumps({"error": f"made {value}"}))
        for answer in (b"", half, told, http(201, json.dumps({"tokens": value}))):
            answers["next"] = answer
            with pytest.raises(errors.VerdictUnknownError, match="may have been created") as lost:
                accounts.create_token(ID)
            with pytest.raises(errors.VerdictUnknownError, match="rotate it again") as rotated:
                accounts.rotate_token(ID, ID)
            texts = f"{lost.value} {rotated.value} {lost.value!r}"
            assert leaks(texts, value, token.reveal()) == []
        answers["next"] = http(429, '{"error":"Slow down."}', Retry_After="7")
        with pytest.raises(errors.RateLimitedError) as limited:
            accounts.create_token(ID)
        assert limited.value.retry_after == 7
        assert "may have" not in str(limited.value)
    with pytest.raises(errors.HubUnreachableError) as gone:
        accounts.create_token(ID)
    assert "may have" not in str(gone.value)


def test_a_hub_that_hangs_may_have_done_it() -> None:
    gate = threading.Event()

    def hanging(_: Request) -> bytes:
        gate.wait(HANG_LIMIT)
        return b""

    with serving(hanging) as server:
        token = hubtoken.HubToken(fake_token(), endpoint=server.endpoint)
        accounts = hubtoken.service_accounts("acme", token, timeout=0.05)
        try:
            with pytest.raises(errors.HubUnreachableError, match="may have been created"):
                accounts.create_token(ID)
            with pytest.raises(errors.HubUnreachableError, match="may have been created"):
                accounts.create("ci")
            with pytest.raises(errors.HubUnreachableError) as unanswered:
                accounts.list()
            assert "may have" not in str(unanswered.value)
        finally:
            gate.set()


def test_offline_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with serving(lambda _: b"") as server:
        token = hubtoken.HubToken(fake_token(), endpoint=server.endpoint)
        accounts = hubtoken.service_accounts("acme", token)
        calls: list[Callable[[], Any]] = [
            accounts.list,
            lambda: accounts.get(ID),
            lambda: accounts.create("ci"),
            lambda: accounts.create_token(ID),
            lambda: accounts.rotate_token(ID, ID),
            lambda: accounts.change_token(ID, ID, name="x"),
            lambda: accounts.delete_token(ID, ID),
            lambda: accounts.delete(ID),
        ]
        for call in calls:
            with pytest.raises(errors.OfflineError) as refused:
                call()
            assert "may have" not in str(refused.value)
        assert server.requests == []


def test_a_name_that_holds_a_token_is_not_sent() -> None:
    with serving(lambda _: b"") as server:
        token = hubtoken.HubToken(fake_token(), endpoint=server.endpoint)
        accounts = hubtoken.service_accounts("acme", token)
        calls: list[Callable[[], Any]] = [
            lambda: accounts.create(token.reveal()),
            lambda: accounts.create("ci", f"with {token.reveal()}"),
            lambda: accounts.create_token(ID, token.reveal()),
            lambda: accounts.change_token(ID, ID, name=token.reveal()),
        ]
        for call in calls:
            with pytest.raises(ValueError, match="holds a token") as refused:
                call()
            assert leaks(str(refused.value), token.reveal()) == []
        assert server.requests == []


def test_a_change_of_nothing_says_what_can_be_changed() -> None:
    with serving(lambda _: b"") as server:
        token = hubtoken.HubToken(fake_token(), endpoint=server.endpoint)
        accounts = hubtoken.service_accounts("acme", token)
        with pytest.raises(ValueError, match="nothing to change: give a name, permissions, repos"):
            accounts.change_token(ID, ID)
        assert server.requests == []


def test_ctrl_c_leaves_no_token_that_nobody_knows_of() -> None:
    value = f"hf_app_{'Lost' * 8}"
    token = {"_id": ID, "displayName": "runner", "last4": "Lost"}
    account = {"_id": ID, "user": "acme--ci", "accessTokens": [token]}

    def answered(request: Request) -> bytes:
        if request.path.endswith(f"/service-accounts/{ID}"):
            return http(200, json.dumps(account))
        os.kill(os.getpid(), signal.SIGINT)
        return http(201, json.dumps({"token": value, "tokenInfo": token}))

    with serving(answered) as server:
        manager = hubtoken.HubToken(fake_token(), endpoint=server.endpoint)
        accounts = hubtoken.service_accounts("acme", manager)
        calls: list[Callable[[], Any]] = [
            lambda: accounts.create_token(ID, "runner"),
            lambda: accounts.rotate_token(ID, "runner"),
        ]
        for call in calls:
            with pytest.raises(KeyboardInterrupt) as stopped:
                call()
            notes = " ".join([*getattr(stopped.value, "__notes__", []), str(stopped.value)])
            assert f'the token "runner" ({ID}) has a value now that nobody has' in notes
            assert leaks(notes, value) == []


def test_what_somebody_wrote_on_the_hub_is_masked(home: Path) -> None:
    value = fake_token()
    token = {"_id": ID, "displayName": f"of {value}", "last4": value}
    account: dict[str, object] = {"_id": ID, "user": "acme--ci", "accessTokens": [token]}
    account |= {"name": value, "description": f"with {value}"}
    listed = json.dumps([account])

    def answered(request: Request) -> bytes:
        return http(200, json.dumps(account) if request.path.endswith(ID) else listed)

    with serving(answered) as server:
        manager = hubtoken.HubToken(fake_token(), endpoint=server.endpoint)
        accounts = hubtoken.service_accounts("acme", manager)
        [one] = accounts.list()
        shown = accounts.get(ID)
        assert shown.tokens is not None
        assert leaks(repr((one, shown, shown.tokens)), value) == []
        assert shown.tokens[0].last4 == value[-4:]
        for arguments in (("list", "acme"), ("show", "acme", ID)):
            for form in ((), ("--json",)):
                done = subprocess.run(
                    [sys.executable, "-m", "hubtoken", "service-accounts", *arguments, *form],
                    check=False,
                    env=child_environment(
                        home, HF_ENDPOINT=server.endpoint, HF_TOKEN=manager.reveal()
                    ),
                    cwd=home,
                    capture_output=True,
                    text=True,
                    timeout=HANG_LIMIT,
                )
                assert done.returncode == 0, done.stderr
                assert leaks(done.stdout + done.stderr, value) == []
