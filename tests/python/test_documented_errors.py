"""What a function raises is listed under `Raises:` in its docstring."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

import hubtoken
from hubtoken.hub import Hub
from tests.environment import fake_token
from tests.python.helpers import handed_over

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hubtoken import HubToken

MASK = "hf_****abcd"
FOREIGN = "sk-proj-FakeFakeFakeFakeFakeFakeFakeFakeFake"
PLAIN = "http://hub.example"


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    """Alice, and nothing of hers."""
    with Hub() as hub:
        hub.create_user("alice")
        yield hub


@pytest.fixture(scope="module")
def token(hub: Hub) -> HubToken:
    """Alice's write token."""
    return hub.create_token("alice", name="w", role="write")


def documented(function: Callable[..., object]) -> set[str]:
    """The classes under `Raises:`; another function's, where it refers to that."""
    text = function.__doc__ or ""
    section = text.partition("Raises:\n")[2].partition("\n\n")[0]
    assert section, function
    names = set(re.findall(r"^ +(?:hubtoken\.errors\.)?(\w+): ", section, re.MULTILINE))
    for line in re.findall(r"HubTokenError: As for `(\w+)`", section):
        names |= documented(getattr(hubtoken, line))
    return names


def check(
    function: Callable[..., object], expected: type[Exception], *args: Any, **options: Any
) -> None:
    """Check that a call raises a class that the docstring lists."""
    with pytest.raises(expected) as caught:
        function(*args, **options)
    # A class counts as listed if one that it derives from is, but for those of everything.
    classes = {kind.__name__ for kind in type(caught.value).__mro__}
    classes -= {"HubTokenError", "Exception", "BaseException", "object"}
    assert classes & documented(function), caught.value


# What each kind of argument raises in every function that finds a token.
ARGUMENTS: list[tuple[type[Exception], dict[str, Any]]] = [
    (hubtoken.TokenFormatError, {"token": ""}),
    (hubtoken.TokenFormatError, {"token": MASK}),
    (hubtoken.TokenNotFoundError, {}),
    (hubtoken.TokenNotFoundError, {"token": True}),
    (hubtoken.TokenNotFoundError, {"profile": "gone"}),
    (ValueError, {"token": "hf_" + "aB" * 17, "profile": "ci"}),
    (TypeError, {"token": 3}),
    (hubtoken.UntrustedEndpointError, {"token": "hf_" + "aB" * 17, "endpoint": PLAIN}),
]
FINDERS: dict[str, tuple[Callable[..., object], tuple[str, ...]]] = {
    "resolve_token": (hubtoken.resolve_token, ()),
    "whoami": (hubtoken.whoami, ()),
    "require_role": (hubtoken.require_role, ("write",)),
    "require_permission": (hubtoken.require_permission, ("job.write",)),
}


@pytest.mark.parametrize("name", FINDERS)
@pytest.mark.parametrize(
    ("expected", "options"), ARGUMENTS, ids=[str(list(case[1])) for case in ARGUMENTS]
)
def test_arguments(name: str, expected: type[Exception], options: dict[str, Any]) -> None:
    function, needs = FINDERS[name]
    check(function, expected, *needs, **options)


@pytest.mark.parametrize("name", FINDERS)
def test_files(name: str, home: Path) -> None:
    function, needs = FINDERS[name]
    project = home.parent / "project" / "hubtoken.toml"
    project.write_text('endpoint = "https://evil.example"')
    check(function, hubtoken.ConfigurationError, *needs)
    project.write_text('profile = "ci"')
    hubtoken.clear_cache()
    (home / "huggingface" / "stored_tokens").mkdir(parents=True)
    check(function, hubtoken.StoreError, *needs)


@pytest.mark.parametrize("name", ["whoami", "require_role", "require_permission"])
def test_answers(name: str, hub: Hub) -> None:
    function, needs = FINDERS[name]
    check(function, hubtoken.TokenFormatError, *needs, token=FOREIGN, endpoint=hub.endpoint)
    dead = handed_over(endpoint=hub.endpoint)
    check(function, hubtoken.InvalidTokenError, *needs, token=dead)
    for options in ({"max_age": -1}, {"max_stale": -1}, {"timeout": 0}):
        check(function, ValueError, *needs, token=dead, **options)
    nowhere = handed_over(endpoint="http://127.0.0.1:9")
    check(function, hubtoken.HubUnreachableError, *needs, token=nowhere)


@pytest.mark.parametrize(
    ("expected", "permission", "options"),
    [
        (ValueError, "repo.wrte", {}),
        (ValueError, "no permission", {}),
        (ValueError, "repo.write", {"repo": "a/b/c/d"}),
        (ValueError, "repo.write", {"namespace": ""}),
        (ValueError, "repo.write", {"namespace": "alice", "repo": "alice/x"}),
        (ValueError, "repo.write", {"must_exist": True}),
        (ValueError, "repo.write", {"repo": "alice/x", "repo_type": "paper"}),
        (ValueError, "repo.write", {"on_unknown": "ignore"}),
        (hubtoken.VerdictUnknownError, "later.version", {}),
        (hubtoken.InsufficientRoleError, "repo.write", {"repo": "bob/x"}),
        (hubtoken.RepositoryNotFoundError, "repo.write", {"repo": "alice/x", "must_exist": True}),
        (hubtoken.RepositoryNotFoundError, "repo.content.read", {"repo": "alice/x"}),
    ],
)
def test_permissions(
    expected: type[Exception], permission: str, options: dict[str, Any], token: HubToken
) -> None:
    check(hubtoken.require_permission, expected, permission, token, **options)


@pytest.mark.parametrize(
    ("expected", "options"),
    [
        (hubtoken.HubError, {"user": "nobody"}),
        (ValueError, {"name": ""}),
        (hubtoken.HubError, {"role": "fine-grained", "scopes": {"alice/gone": ["repo.write"]}}),
        (ValueError, {"role": "god"}),
        (ValueError, {"role": "read", "scopes": {"alice": ["repo.write"]}}),
        (ValueError, {"role": "fine-grained", "scopes": {"alice": ["repo.wrte"]}}),
        (ValueError, {"expires_in": -1}),
        (ValueError, {"expires_in": float("nan")}),
        (TypeError, {"role": "fine-grained", "scopes": {"alice": "repo.write"}}),
    ],
)
def test_new_tokens(expected: type[Exception], options: dict[str, Any], hub: Hub) -> None:
    arguments = {"user": "alice", "name": "x", "role": "read"} | options
    user = arguments.pop("user")
    with pytest.raises(expected) as caught:
        hub.create_token(user, **arguments)
    assert type(caught.value).__name__ in documented(type(hub).create_token)


@pytest.mark.parametrize(
    ("expected", "method", "arguments", "options"),
    [
        (hubtoken.HubError, "create_user", ("alice",), {}),
        (ValueError, "create_organization", ("a/b",), {}),
        (hubtoken.HubError, "create_repository", ("nobody/x",), {}),
        (ValueError, "create_repository", ("alice/x",), {"type": "paper"}),
        (ValueError, "create_repository", ("alice/x",), {"gated": "maybe"}),
        (hubtoken.HubError, "set_member", ("nobody", "alice", "read"), {}),
        (ValueError, "set_member", ("nobody", "alice", "god"), {}),
        (hubtoken.HubError, "remove_member", ("nobody", "alice"), {}),
        (hubtoken.HubError, "list_tokens", ("nobody",), {}),
        (hubtoken.HubError, "rename_token", ("alice", "gone", "x"), {}),
        (hubtoken.HubError, "change_token", ("alice", "gone"), {"role": "read"}),
        (ValueError, "change_token", ("alice", "gone"), {"role": "god"}),
        (hubtoken.HubError, "refresh_token", ("alice", "gone"), {}),
        (hubtoken.HubError, "delete_token", ("alice", "gone"), {}),
        (hubtoken.HubError, "set_gated", ("alice/gone", None), {}),
        (ValueError, "set_gated", ("alice/gone", "maybe"), {}),
        (hubtoken.HubError, "grant_access", ("alice/gone", "alice"), {}),
        (ValueError, "grant_access", ("alice/gone", "alice"), {"type": "paper"}),
        (hubtoken.HubError, "set_disabled", ("alice/gone", True), {}),
        (ValueError, "set_disabled", ("alice/gone", True), {"type": "paper"}),
        (hubtoken.HubError, "token_policy", ("nobody",), {}),
        (hubtoken.HubError, "set_token_policy", ("nobody", "allow-all"), {}),
        (ValueError, "set_token_policy", ("nobody", "none"), {}),
        (hubtoken.HubError, "list_approvals", ("nobody",), {}),
        (hubtoken.HubError, "approve_token", ("nobody", "x"), {}),
        (hubtoken.HubError, "deny_token", ("nobody", "x"), {}),
        (hubtoken.HubError, "revoke_token", ("nobody", "x"), {}),
        (TypeError, "audit", (), {"since": 3}),
        (ValueError, "audit", (), {"limit": -1}),
        (ValueError, "audit", (), {"limit": 1001}),
    ],
)
def test_administration(
    expected: type[Exception],
    method: str,
    arguments: tuple[Any, ...],
    options: dict[str, Any],
    hub: Hub,
) -> None:
    with pytest.raises(expected) as caught:
        getattr(hub, method)(*arguments, **options)
    assert type(caught.value).__name__ in documented(getattr(type(hub), method))


@pytest.mark.parametrize("method", ["environ", "request_count", "audit"])
def test_a_hub_that_does_not_run_answers_nothing(method: str) -> None:
    hub = Hub()
    with pytest.raises(hubtoken.HubError, match="not running"):
        hub.create_token("alice", name="x", role="read")
    with pytest.raises(hubtoken.HubError, match="not running"):
        getattr(hub, method)()
    assert "HubError" in documented(getattr(Hub, method))


def test_activation(alone: pytest.MonkeyPatch) -> None:
    token = handed_over()
    cases = [
        (hubtoken.ConfigurationError, "HF_HUB_DISABLE_IMPLICIT_TOKEN", "1"),
        (hubtoken.UntrustedEndpointError, "HF_ENDPOINT", "https://hub.example"),
        (hubtoken.UntrustedEndpointError, "HF_ENDPOINT", PLAIN),
    ]
    listed = documented(hubtoken.HubToken.activate)
    for expected, name, value in cases:
        with alone.context() as variables:
            variables.setenv(name, value)
            with pytest.raises(expected):
                token.activate()
        assert expected.__name__ in listed
    with pytest.raises(hubtoken.TokenFormatError):
        handed_over(FOREIGN).activate()
    assert "TokenFormatError" in listed


@pytest.mark.parametrize("ask", [hubtoken.identify, hubtoken.cached_identity])
def test_callers_tokens(ask: Callable[..., object], token: HubToken) -> None:
    for value in (None, "", token.bearer(), FOREIGN):
        check(ask, hubtoken.TokenFormatError, value)
    check(ask, hubtoken.UntrustedEndpointError, fake_token(), endpoint=PLAIN)
    check(ask, hubtoken.UntrustedEndpointError, token, endpoint="https://hub.example")
    check(ask, ValueError, token, max_age=-1)
    check(ask, TypeError, 3)
