"""Text with a lone surrogate, which nothing can send or store, is a wrong word or address."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest

import hubtoken
from hubtoken import HubToken, _core
from hubtoken.hub import Hub
from tests.environment import fake_token
from tests.python.helpers import handed_over, leaks
from tests.python.servers import identity, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LONE = ["\ud800", "https://huggingface.co\udcff/"]


class Request:
    """What `auth=` is called with."""

    def __init__(self, url: str) -> None:
        self.url, self.headers = url, dict[str, str]()


ADDRESSES: dict[str, Callable[[str], object]] = {
    "HubToken": lambda text: HubToken(fake_token(), endpoint=text),
    "headers": lambda text: handed_over().headers(text),
    "auth": lambda text: handed_over()(Request(text)),
    "resolve_token": lambda text: hubtoken.resolve_token(endpoint=text),
    "explain": lambda text: hubtoken.explain(endpoint=text),
    "whoami": lambda text: hubtoken.whoami(fake_token(), endpoint=text),
    "identify": lambda text: hubtoken.identify(fake_token(), endpoint=text),
    "cached_identity": lambda text: hubtoken.cached_identity(fake_token(), endpoint=text),
    "login": lambda text: hubtoken.login(fake_token(), endpoint=text),
    "require_role": lambda text: hubtoken.require_role("read", fake_token(), endpoint=text),
    "require_permission": lambda text: hubtoken.require_permission(
        "repo.write", fake_token(), endpoint=text
    ),
    "normalized_endpoint": _core.normalized_endpoint,
}


@pytest.mark.parametrize("name", ADDRESSES)
@pytest.mark.parametrize("text", LONE, ids=["alone", "in a host"])
def test_an_address_is_untrusted(
    name: str, text: str, clean_environment: pytest.MonkeyPatch
) -> None:
    value = fake_token()
    clean_environment.setenv("HF_TOKEN", value)
    with pytest.raises(hubtoken.UntrustedEndpointError, match="surrogate") as caught:
        ADDRESSES[name](text)
    assert leaks(repr(caught.value), value) == []


WORDS: dict[str, Callable[[Any], object]] = {
    "require_role": hubtoken.require_role,
    "require_role(repo=)": lambda text: hubtoken.require_role("read", repo=text),
    "require_role(profile=)": lambda text: hubtoken.require_role("read", profile=text),
    "require_role(on_unknown=)": lambda text: hubtoken.require_role("read", on_unknown=text),
    "require_permission": hubtoken.require_permission,
    "require_permission(namespace=)": lambda text: hubtoken.require_permission(
        "repo.write", namespace=text
    ),
    "resolve_token": lambda text: hubtoken.resolve_token(profile=text),
    "explain": lambda text: hubtoken.explain(profile=text),
    "whoami": lambda text: hubtoken.whoami(profile=text),
    "login": lambda text: hubtoken.login(fake_token(), name=text),
    "logout": hubtoken.logout,
    "logout of a token": lambda text: hubtoken.logout(token_name=text),
    "switch_token": hubtoken.switch_token,
    "rename_token": lambda text: hubtoken.rename_token(text, "new"),
    "rename_token to": lambda text: hubtoken.rename_token("old", text),
    "is_known_permission": _core.is_known_permission,
    "basic_auth": lambda text: handed_over().basic_auth(text),
}


@pytest.mark.parametrize("name", WORDS)
def test_a_word_is_a_value_error(name: str, clean_environment: pytest.MonkeyPatch) -> None:
    clean_environment.setenv("HF_TOKEN", fake_token())
    secret = fake_token()
    with pytest.raises(ValueError, match="lone surrogate") as caught:
        WORDS[name](f"{secret}\ud800")
    assert type(caught.value) is ValueError
    assert leaks(str(caught.value) + repr(vars(caught.value)), secret) == []


@pytest.mark.parametrize("parameter", ["need", "repo", "namespace", "repo_type"])
def test_a_word_of_a_decision_is_a_value_error(parameter: str) -> None:
    with serving(identity()) as server:
        who = hubtoken.whoami(handed_over(endpoint=server.endpoint))
    options: dict[str, Any] = {"need": "read", parameter: "\ud800"}
    with pytest.raises(ValueError, match="lone surrogate") as caught:
        hubtoken.authorize(who, **options)
    assert type(caught.value) is ValueError


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with Hub() as hub:
        yield hub


def texts(function: Callable[..., object]) -> Iterator[dict[str, Any]]:
    """Calls with a lone surrogate in each parameter that takes text."""
    parameters = [name for name in inspect.signature(function).parameters if name != "self"]
    values = {"disabled": False, "claims": {"repository": "acme/model"}}
    needed = {
        name: values.get(name, "x")
        for name in parameters
        if inspect.signature(function).parameters[name].default is inspect.Parameter.empty
    }
    other = {"since", "before", "limit", "expires_in", "private", "disabled"}
    for name in parameters:
        if name == "scopes":
            yield {**needed, name: {"alice\ud800": []}}
            yield {**needed, name: {"alice": ["\ud800"]}}
        elif name == "claims":
            yield {**needed, name: {"repository\ud800": "acme/model"}}
            yield {**needed, name: {"repository": "acme/model\ud800"}}
        elif name == "global_permissions":
            yield {**needed, name: ["\ud800"]}
        elif name not in other | {"can_read_gated_repos"}:
            yield {**needed, name: "\ud800"}


METHODS = [
    name
    for name, method in vars(Hub).items()
    if not name.startswith("_") and callable(method) and next(texts(method), None)
]


@pytest.mark.parametrize("method", METHODS)
def test_a_word_for_the_hub_is_a_value_error(method: str, hub: Hub) -> None:
    for options in texts(getattr(Hub, method)):
        with pytest.raises(ValueError, match="lone surrogate") as caught:
            getattr(hub, method)(**options)
        assert type(caught.value) is ValueError, options


@pytest.mark.parametrize(
    "parameter", ["data", "host", "base_url", "tls_cert", "tls_key", "log_format", "log_level"]
)
def test_a_word_for_a_new_hub_is_a_value_error(parameter: str) -> None:
    options: dict[str, Any] = {parameter: "\ud800"}
    with pytest.raises(ValueError, match="lone surrogate") as caught:
        Hub(**options)
    assert type(caught.value) is ValueError


def test_a_format_is_ignored_like_any_other() -> None:
    token = handed_over()
    assert format(token, "\ud800") == format(token, ">80") == str(token)
