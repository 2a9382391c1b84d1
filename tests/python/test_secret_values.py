"""Objects that hide a text, such as `SecretStr` of pydantic, are taken wherever a token is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pydantic
import pytest
from pydantic import SecretStr

import hubtoken
from hubtoken import HubToken
from hubtoken.hub import Hub
from tests.environment import fake_token
from tests.python.helpers import leaks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Vault:
    """Such an object of another library."""

    def __init__(self, value: object) -> None:
        self._value = value

    def get_secret_value(self) -> Any:
        """Return it."""
        return self._value


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with Hub() as hub:
        hub.create_user("alice")
        hub.create_organization("acme")
        hub.set_member("acme", "alice", "write")
        yield hub


TAKE: dict[str, Callable[..., Any]] = {
    "HubToken": HubToken,
    "resolve_token": hubtoken.resolve_token,
    "explain": hubtoken.explain,
    "whoami": hubtoken.whoami,
    "require_role": lambda token, **options: hubtoken.require_role("write", token, **options),
    "require_permission": lambda token, **options: hubtoken.require_permission(
        "repo.write", token, repo="alice/x", **options
    ),
    "identify": hubtoken.identify,
    "cached_identity": hubtoken.cached_identity,
    "login": hubtoken.login,
}


@pytest.mark.parametrize("name", TAKE)
@pytest.mark.parametrize("wrap", [SecretStr, Vault, pydantic.Secret[str]])
def test_a_secret_is_taken_wherever_a_token_is(
    name: str, wrap: Any, hub: Hub, clean_environment: pytest.MonkeyPatch
) -> None:
    token = hub.create_token("alice", name=f"{name}-{wrap.__name__}", role="write")
    clean_environment.setenv("HF_ENDPOINT", hub.endpoint)
    got = TAKE[name](wrap(token.reveal()))
    if isinstance(got, HubToken):
        assert got == token
    # The argument was there, whatever the environment has.
    with pytest.raises(hubtoken.UntrustedEndpointError):
        TAKE[name](wrap(token.reveal()), endpoint="http://hub.example")
    assert leaks(repr(got), token.reveal()) == []


@pytest.mark.parametrize("name", TAKE)
@pytest.mark.parametrize("wrap", [Vault, pydantic.Secret[HubToken]])
def test_a_token_in_a_secret_is_that_token(
    name: str, wrap: Any, hub: Hub, clean_environment: pytest.MonkeyPatch
) -> None:
    token = hub.create_token("alice", name=f"{name}-{wrap.__name__}", role="write")
    clean_environment.setenv("HF_ENDPOINT", hub.endpoint)
    got = TAKE[name](wrap(token))
    if isinstance(got, HubToken):
        assert got == token
    with pytest.raises(hubtoken.UntrustedEndpointError, match="belongs"):
        TAKE[name](wrap(token), endpoint="https://hub.example")
    with pytest.raises(TypeError, match="get_secret_value"):
        TAKE[name](object())


@pytest.mark.parametrize("name", TAKE)
@pytest.mark.parametrize(
    "value", [b"hf_MySecret", None, 7, Vault("hf_MySecret")], ids=["bytes", "None", "int", "secret"]
)
def test_a_secret_of_another_type_is_refused_by_its_name(
    name: str, value: Any, clean_environment: pytest.MonkeyPatch
) -> None:
    clean_environment.setenv("HF_TOKEN", fake_token())
    with pytest.raises(TypeError, match=r"get_secret_value\(\) of this Vault returned") as caught:
        TAKE[name](Vault(value))
    assert "MySecret" not in str(caught.value)


@pytest.mark.parametrize("name", TAKE)
def test_a_bad_secret_is_an_error_like_bad_text(
    name: str, clean_environment: pytest.MonkeyPatch
) -> None:
    clean_environment.setenv("HF_TOKEN", fake_token())
    with pytest.raises((hubtoken.TokenFormatError, hubtoken.InvalidTokenError)) as caught:
        TAKE[name](SecretStr("MySecret with space"))
    assert "MySecret" not in str(caught.value)
    with pytest.raises(TypeError, match="not type"):
        TAKE[name](SecretStr)
