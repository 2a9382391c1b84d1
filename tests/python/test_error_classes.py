"""Which class an error has: what the machine or the Hub has or lacks, or a wrong word in a call."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import hubtoken
from hubtoken import asgi
from hubtoken.hub import Hub
from tests.environment import child_environment, fake_token
from tests.python.helpers import DEADLINE, handed_over
from tests.python.servers import identity, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NAME = "nobody"
HUGE = 10**400

# What this machine does not have.
ABSENT: dict[str, Callable[[], Any]] = {
    "switch": lambda: hubtoken.switch_token(NAME),
    "logout": lambda: hubtoken.logout(NAME),
    "rename": lambda: hubtoken.rename_token(NAME, "new"),
    "resolve": lambda: hubtoken.resolve_token(profile=NAME),
    "resolve, not required": lambda: hubtoken.resolve_token(profile=NAME, required=False),
    "explain": lambda: hubtoken.explain(profile=NAME).steps[99],
    "whoami": lambda: hubtoken.whoami(profile=NAME),
    "require_role": lambda: hubtoken.require_role("read", profile=NAME),
    "require_permission": lambda: hubtoken.require_permission("repo.write", profile=NAME),
    "no token": hubtoken.resolve_token,
    "anonymous": lambda: hubtoken.whoami(False),
}


@pytest.mark.parametrize("name", [name for name in ABSENT if name != "explain"])
def test_what_the_machine_lacks_is_a_hub_token_error(name: str) -> None:
    with pytest.raises(hubtoken.TokenNotFoundError) as caught:
        ABSENT[name]()
    assert not isinstance(caught.value, ValueError)


@pytest.mark.parametrize("name", ["switch", "logout", "rename"])
def test_an_unknown_name_was_looked_for_in_no_source(name: str) -> None:
    with pytest.raises(hubtoken.TokenNotFoundError, match="no stored token `nobody`") as caught:
        ABSENT[name]()
    assert caught.value.trace is None


def test_a_name_that_is_taken_is_an_error_of_the_store() -> None:
    with serving(identity()) as server:
        for name in ("one", "two"):
            hubtoken.login(fake_token(), name=name, endpoint=server.endpoint)
        with pytest.raises(hubtoken.StoreError, match="already"):
            hubtoken.rename_token("one", "two")
        with pytest.raises(hubtoken.TokenNotFoundError, match="the stored tokens are: one, two"):
            hubtoken.switch_token(NAME)
        hubtoken.logout()


@pytest.mark.parametrize("verb", [["switch"], ["logout"], ["rename", "--", "new"]])
def test_the_command_exits_with_no_for_an_unknown_name(home: Path, verb: list[str]) -> None:
    command = [verb[0], NAME, *verb[2:], "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "hubtoken", *command],
        env=child_environment(home),
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )
    assert done.returncode == 1, done.stderr
    error = json.loads(done.stdout)["error"]
    assert error["kind"] == "TokenNotFoundError"
    assert "trace" not in error


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as hub:
        hub.create_user("alice")
        yield hub


# What the embedded Hub does not have.
UNKNOWN: dict[str, Callable[[Hub], Any]] = {
    "user": lambda hub: hub.create_token(NAME, name="x", role="read"),
    "token": lambda hub: hub.delete_token("alice", "x"),
    "organization": lambda hub: hub.token_policy("acme"),
    "repository": lambda hub: hub.set_gated("alice/x", "auto"),
    "entity": lambda hub: hub.create_token(
        "alice", name="x", role="fine-grained", scopes={"alice/x": ["repo.write"]}
    ),
    "free name": lambda hub: hub.create_user("alice"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_the_hub_lacks_is_a_hub_error(name: str, hub: Hub) -> None:
    with pytest.raises(hubtoken.HubError) as caught:
        UNKNOWN[name](hub)
    assert not isinstance(caught.value, ValueError)


def test_what_the_machine_lacks_for_a_hub_is_a_hub_error(tmp_path: Path) -> None:
    missing = str(tmp_path / "key")
    key = Hub(upstreams={"a/b": "http://127.0.0.1:9"}, upstream_keys={"a/b": missing})
    with pytest.raises(hubtoken.HubError, match="key cannot be used"):
        key.start()
    with pytest.raises(hubtoken.HubError, match="not running"):
        Hub().list_tokens("alice")


# A word or a number that no machine and no Hub could make right.
WRONG: dict[str, Callable[[], Any]] = {
    "role": lambda: hubtoken.require_role("admin", fake()),  # type: ignore[arg-type]
    "repo_type": lambda: hubtoken.require_role(
        "read",
        fake(),
        repo="a/b",
        repo_type="bucket",  # type: ignore[arg-type]
    ),
    "on_unknown": lambda: hubtoken.require_role("read", fake(), on_unknown="ignore"),  # type: ignore[arg-type]
    "repo": lambda: hubtoken.require_role("read", fake(), repo="a/b/c/d"),
    "repo and namespace": lambda: hubtoken.require_permission(
        "repo.write", fake(), repo="a/b", namespace="a"
    ),
    "permission": lambda: hubtoken.require_permission("no permission", fake()),
    "must_exist": lambda: hubtoken.require_role("read", fake(), must_exist=True, repo=False),
    "token and profile": lambda: hubtoken.resolve_token(fake_token(), profile="ci"),
    "timeout": lambda: hubtoken.whoami(fake(), timeout=0),
    "negative timeout": lambda: hubtoken.whoami(fake(), timeout=-1),
    "huge timeout": lambda: hubtoken.whoami(fake(), timeout=HUGE),
    "max_age": lambda: hubtoken.identify(fake(), max_age=float("nan")),
    "huge max_age": lambda: hubtoken.cached_identity(fake(), max_age=HUGE),
    "huge max_stale": lambda: hubtoken.require_role("read", fake(), max_stale=-HUGE),
    "asgi require": lambda: asgi.TokenAuthentication(None, require="x"),  # type: ignore[arg-type]
    "asgi max_age": lambda: asgi.TokenAuthentication(None, max_age=HUGE),  # type: ignore[arg-type]
    "log_level": lambda: Hub(log_level="loud"),  # type: ignore[arg-type]
    "upstream_keys": lambda: Hub(upstream_keys={"a": "b"}),
    "host": lambda: Hub(host="192.0.2.1").start(),
    "base_url": lambda: Hub(base_url="hub.example", behind_proxy=True).start(),
    "audit_days": lambda: Hub(audit_days=0).start(),
    "upstream": lambda: Hub(upstreams={"a": "ftp://x"}).start(),
}
NUMBERS = (
    "port",
    "local_port",
    "whoami_limit",
    "whoami_window",
    "audit_days",
    "connections",
    "connections_per_address",
    "upstream_timeout",
    "inference_limit",
    "inference_window",
    "grace",
)


def fake() -> hubtoken.HubToken:
    return handed_over(endpoint="http://127.0.0.1:9")


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_word_or_number_is_a_value_error(name: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        WRONG[name]()
    assert not isinstance(caught.value, hubtoken.HubTokenError)


@pytest.mark.parametrize(
    "value", [-1, 1 << 32, HUGE, -HUGE], ids=["-1", "33 bits", "huge", "-huge"]
)
@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_out_of_range_is_a_value_error(name: str, value: int) -> None:
    options: dict[str, Any] = {name: value}
    with pytest.raises(ValueError, match=f"^{name} must be a whole number from 0 to"):
        Hub(**options)


WRONG_FOR_HUB: dict[str, Callable[[Hub], Any]] = {
    "user's name": lambda hub: hub.create_user("a b"),
    "organization's name": lambda hub: hub.create_organization(""),
    "repository's name": lambda hub: hub.create_repository("x"),
    "token's name": lambda hub: hub.create_token("alice", name="", role="read"),
    "role": lambda hub: hub.create_token("alice", name="x", role="admin"),  # type: ignore[arg-type]
    "permission": lambda hub: hub.create_token(
        "alice", name="x", role="fine-grained", scopes={"alice": ["no permission"]}
    ),
    "lifetime": lambda hub: hub.create_token("alice", name="x", role="read", expires_in=HUGE),
    "limit": lambda hub: hub.audit(limit=-1),
    "huge limit": lambda hub: hub.audit(limit=HUGE),
}


@pytest.mark.parametrize("name", WRONG_FOR_HUB)
def test_a_wrong_word_for_the_hub_is_a_value_error(name: str, hub: Hub) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        WRONG_FOR_HUB[name](hub)
    assert not isinstance(caught.value, hubtoken.HubTokenError)
    assert hub.list_tokens("alice") == []


TYPES: dict[str, Callable[[], Any]] = {
    "token": lambda: hubtoken.resolve_token(1),  # type: ignore[call-overload]
    "HubToken": lambda: hubtoken.HubToken(None),  # type: ignore[arg-type]
    "identify": lambda: hubtoken.identify(1),  # type: ignore[arg-type]
    "login": lambda: hubtoken.login(1),  # type: ignore[arg-type]
    "repo": lambda: hubtoken.require_role("read", fake(), repo=1),  # type: ignore[arg-type]
    "timeout": lambda: hubtoken.whoami(fake(), timeout="x"),  # type: ignore[arg-type]
    "port": lambda: Hub(port="x"),  # type: ignore[arg-type]
    "environ": lambda: fake().environ(1),  # type: ignore[arg-type]
    "scopes": lambda: Hub(upstreams=1),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", TYPES)
def test_an_argument_of_another_type_is_a_type_error(name: str) -> None:
    with pytest.raises(TypeError) as caught:
        TYPES[name]()
    assert not isinstance(caught.value, hubtoken.HubTokenError)


def test_a_broken_configuration_is_a_hub_token_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for line in ('role = "admin"', "repo = 1", 'repo = "a b"', "role"):
        (tmp_path / "hubtoken.toml").write_text(line)
        monkeypatch.chdir(tmp_path)
        hubtoken.clear_cache()
        with pytest.raises(hubtoken.ConfigurationError):
            hubtoken.require_role("read" if "repo" in line else None, fake())
