"""A change that is made through a `Hub` counts at once in its own process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import hubtoken
from hubtoken.hub import Hub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WHOAMI = "/api/whoami-v2"


@pytest.fixture
def hub() -> Iterator[Hub]:
    """Alice, who may write in acme, with a gated repository of bob's."""
    with Hub() as hub:
        for name in ("alice", "bob"):
            hub.create_user(name)
        hub.create_organization("acme")
        hub.set_member("acme", "alice", "write")
        hub.create_repository("bob/gated", gated="manual")
        hub.create_token("alice", name="other", role="read")
        yield hub


CHANGES: dict[str, Callable[[Hub], object]] = {
    "create_user": lambda hub: hub.create_user("carol"),
    "create_organization": lambda hub: hub.create_organization("lab"),
    "create_repository": lambda hub: hub.create_repository("bob/new"),
    "set_member": lambda hub: hub.set_member("acme", "alice", "read"),
    "remove_member": lambda hub: hub.remove_member("acme", "alice"),
    "rename_token": lambda hub: hub.rename_token("alice", "other", "another"),
    "change_token": lambda hub: hub.change_token("alice", "other", role="write"),
    "refresh_token": lambda hub: hub.refresh_token("alice", "other"),
    "delete_token": lambda hub: hub.delete_token("alice", "other"),
    "set_gated": lambda hub: hub.set_gated("bob/gated", None),
    "grant_access": lambda hub: hub.grant_access("bob/gated", "alice"),
    "set_disabled": lambda hub: hub.set_disabled("bob/gated", True),
    "set_token_policy": lambda hub: hub.set_token_policy("acme", "fine-grained-only"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_the_next_call_asks_the_hub(name: str, hub: Hub) -> None:
    token = hub.create_token("alice", name="w", role="write")
    for ask in (hubtoken.whoami, hubtoken.identify):
        ask(token)
    known = hub.request_count(WHOAMI)
    hubtoken.whoami(token)
    assert hub.request_count(WHOAMI) == known
    CHANGES[name](hub)
    assert hubtoken.cached_identity(token) is None
    hubtoken.whoami(token)
    assert hub.request_count(WHOAMI) == known + 1


def test_a_new_token_changes_no_other(hub: Hub) -> None:
    token = hub.create_token("alice", name="w", role="write")
    hubtoken.identify(token)
    hub.create_token("alice", name="x", role="write")
    assert hubtoken.cached_identity(token) is not None


def test_a_no_does_not_outlive_its_cause(hub: Hub) -> None:
    token = hub.create_token("alice", name="w", role="write")
    with pytest.raises(hubtoken.GatedRepoError):
        hubtoken.require_role("read", token, repo="bob/gated")
    hub.grant_access("bob/gated", "alice")
    assert hubtoken.require_role("read", token, repo="bob/gated") is token
    with pytest.raises(hubtoken.InsufficientRoleError, match="no user or organization `lab`"):
        hubtoken.require_role("write", token, repo="lab/x")
    hub.create_organization("lab")
    with pytest.raises(hubtoken.InsufficientRoleError) as caught:
        hubtoken.require_role("write", token, repo="lab/x")
    assert "no user or organization" not in str(caught.value)


def test_a_deleted_token_is_dead_here(hub: Hub) -> None:
    token = hub.create_token("alice", name="w", role="write")
    hubtoken.identify(token)
    hub.delete_token("alice", "w")
    with pytest.raises(hubtoken.InvalidTokenError):
        hubtoken.identify(token)
