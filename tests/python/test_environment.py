"""What `os.environ` is at a call counts, also where a test has put another mapping in its place."""

from __future__ import annotations

import os
from collections import UserDict
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

import hubtoken
from hubtoken.hub import Hub
from tests.environment import fake_token
from tests.python.helpers import handed_over
from tests.python.servers import identity, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path


def replaced(make: Callable[[dict[str, str]], Any]) -> Callable[..., AbstractContextManager[Any]]:
    """A way to put a mapping in the place of `os.environ`, with these variables as well."""
    return lambda **variables: mock.patch.object(os, "environ", make({**os.environ, **variables}))


WAYS: dict[str, Callable[..., AbstractContextManager[Any]]] = {
    "dict": replaced(dict),
    "subclass": replaced(type("Variables", (dict,), {})),
    "UserDict": replaced(UserDict),
    "read-only": replaced(MappingProxyType),
    "patch.dict": lambda **variables: mock.patch.dict(os.environ, variables),
    "cleared": lambda **variables: mock.patch.dict(
        os.environ, {**os.environ, **variables}, clear=True
    ),
}


@pytest.fixture(params=WAYS)
def patched(request: pytest.FixtureRequest) -> Callable[..., AbstractContextManager[Any]]:
    return WAYS[request.param]


def test_the_token_is_that_of_the_mapping(patched: Callable[..., Any]) -> None:
    value = fake_token()
    with patched(HF_TOKEN=value):
        token = hubtoken.resolve_token()
        assert token.reveal() == value
        assert token.source == "env:HF_TOKEN"
        assert hubtoken.get_token() == value
        assert hubtoken.explain().source == "env:HF_TOKEN"
    assert hubtoken.resolve_token(required=False) is None


def test_a_variable_that_the_mapping_lacks_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", fake_token())
    assert hubtoken.get_token() is not None
    with mock.patch.object(os, "environ", {}):
        assert hubtoken.get_token() is None
    # What only C code sees does not count either.
    monkeypatch.delenv("HF_TOKEN")
    os.putenv("HF_TOKEN", fake_token())
    try:
        assert hubtoken.get_token() is None
    finally:
        os.unsetenv("HF_TOKEN")


def test_bytes_that_are_no_text_arrive_unchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/\xff")
    os.mkdir(folder)  # noqa: PTH102 - the name is bytes
    value = fake_token()
    with open(f"{folder}/token", "w", encoding="utf-8") as file:  # noqa: PTH123 - same
        file.write(value)
    monkeypatch.setenv("HF_TOKEN_PATH", f"{folder}/token")
    assert hubtoken.get_token() == value
    monkeypatch.delenv("HF_TOKEN_PATH")
    with mock.patch.object(os, "environ", {**os.environ, "HF_TOKEN_PATH": f"{folder}/token"}):
        assert hubtoken.get_token() == value


@pytest.mark.parametrize("value", [None, 1, b"hf_x", "hf_\udfff"])
def test_what_no_variable_can_be_is_not_set(value: object) -> None:
    with mock.patch.object(os, "environ", {**os.environ, "HF_TOKEN": value}):
        assert hubtoken.get_token() is None


def test_what_is_no_mapping_is_an_error() -> None:
    with mock.patch.object(os, "environ", None), pytest.raises(TypeError):
        hubtoken.get_token()


def test_endpoint_offline_mode_and_caches_are_those_of_the_mapping(
    patched: Callable[..., Any],
) -> None:
    with serving(identity()) as server:
        value = fake_token()
        with patched(HF_ENDPOINT=server.endpoint, HF_TOKEN=value, HUBTOKEN_DISABLE_CACHE="1"):
            assert hubtoken.whoami().user == "alice"
            assert hubtoken.identify(value).user == "alice"
        with (
            patched(HF_ENDPOINT=server.endpoint, HF_TOKEN=value, HF_HUB_OFFLINE="1"),
            pytest.raises(hubtoken.OfflineError),
        ):
            hubtoken.whoami(max_age=0, max_stale=0)


def test_stored_tokens_are_where_the_mapping_says(
    home: Path, tmp_path: Path, patched: Callable[..., Any]
) -> None:
    with serving(identity()) as server:
        elsewhere = {"HF_HOME": str(tmp_path / "elsewhere"), "HF_ENDPOINT": server.endpoint}
        with patched(**elsewhere):
            hubtoken.login(fake_token(), name="ci")
            assert [stored.name for stored in hubtoken.stored_tokens()] == ["ci"]
            hubtoken.rename_token("ci", "old")
            hubtoken.switch_token("old")
        assert hubtoken.stored_tokens() == []
        with patched(**elsewhere):
            hubtoken.logout()
    assert not (home / "huggingface").exists()


def test_disabled_implicit_tokens_are_those_of_the_mapping(patched: Callable[..., Any]) -> None:
    with patched(HF_TOKEN=fake_token(), HF_HUB_DISABLE_IMPLICIT_TOKEN="1"):
        assert hubtoken.get_token() is None
        with pytest.raises(hubtoken.ConfigurationError, match="DISABLE_IMPLICIT"):
            handed_over().activate()


def test_a_child_starts_from_the_mapping(patched: Callable[..., Any]) -> None:
    token = handed_over()
    with patched(ONLY_HERE="1"):
        environment = token.environ()
    assert environment["ONLY_HERE"] == "1"
    assert environment["HF_TOKEN"] == token.reveal()
    assert "ONLY_HERE" not in token.environ()


@pytest.mark.parametrize("base", [os.environ, MappingProxyType({"A": "b"}), UserDict(A="b")])
def test_a_child_starts_from_any_mapping(base: Mapping[str, str]) -> None:
    token = handed_over()
    assert token.environ(base)["HF_TOKEN"] == token.reveal()
    assert "HF_TOKEN" not in base


@pytest.fixture
def own(alone: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    yield alone
    hubtoken.deactivate()


@pytest.mark.parametrize("way", [way for way in WAYS if way != "read-only"])
def test_activation_sets_and_restores_the_mapping(own: pytest.MonkeyPatch, way: str) -> None:
    token, before = handed_over(), fake_token()
    own.delenv("HF_TOKEN", raising=False)
    with WAYS[way](HF_TOKEN=before):
        with token.activate():
            assert os.environ["HF_TOKEN"] == token.reveal()
            assert hubtoken.get_token() == token.reveal()
        assert os.environ["HF_TOKEN"] == before
        assert "HUBTOKEN_TOKEN_ORIGIN" not in os.environ
    assert "HF_TOKEN" not in os.environ


@pytest.mark.parametrize("way", [way for way in WAYS if way != "read-only"])
def test_what_was_set_in_a_mapping_that_is_gone_does_not_come_back(
    own: pytest.MonkeyPatch, way: str
) -> None:
    own.delenv("HF_TOKEN", raising=False)
    token = handed_over()
    with WAYS[way](HF_TOKEN=fake_token()):
        token.activate()
        mapping = os.environ
    hubtoken.deactivate()
    assert "HF_TOKEN" not in os.environ
    assert "HUBTOKEN_TOKEN_ORIGIN" not in os.environ
    assert way.startswith("patch") or mapping.get("HF_TOKEN") != token.reveal()
    # The next activation is as if nothing had happened.
    with token.activate():
        assert os.environ["HF_TOKEN"] == token.reveal()
    assert "HF_TOKEN" not in os.environ


def test_what_is_active_can_be_ended_while_another_mapping_is_there(
    own: pytest.MonkeyPatch,
) -> None:
    before = fake_token()
    own.setenv("HF_TOKEN", before)
    handed_over().activate()
    mocked = {"HF_TOKEN": fake_token()}
    with mock.patch.object(os, "environ", dict(mocked)):
        hubtoken.deactivate()
        assert os.environ == mocked
    assert os.environ["HF_TOKEN"] == before


def test_an_activation_moves_to_the_mapping_that_is_there(own: pytest.MonkeyPatch) -> None:
    own.delenv("HF_TOKEN", raising=False)
    first, second = handed_over(), handed_over()
    first.activate()
    with mock.patch.object(os, "environ", {"HF_TOKEN": "mine"}):
        second.activate()
        assert os.environ["HF_TOKEN"] == second.reveal()
        hubtoken.deactivate()
        assert os.environ == {"HF_TOKEN": "mine"}
    assert "HF_TOKEN" not in os.environ


def test_what_the_user_sets_meanwhile_stays(own: pytest.MonkeyPatch) -> None:
    # Set and removed, so that whatever this test leaves is removed after it.
    own.setenv("HF_TOKEN", "")
    own.delenv("HF_TOKEN")
    handed_over().activate()
    mine = fake_token()
    os.environ["HF_TOKEN"] = mine
    hubtoken.deactivate()
    assert os.environ["HF_TOKEN"] == mine
    assert "HUBTOKEN_TOKEN_ORIGIN" not in os.environ


def test_the_embedded_hub_finds_git_on_the_mappings_path(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with (
        mock.patch.object(os, "environ", {**os.environ, "PATH": str(tmp_path / "empty")}),
        Hub() as hub,
    ):
        hub.create_user("alice")
        token = hub.create_token("alice", name="t", role="read")
        assert hub.environ()["HF_ENDPOINT"] == hub.endpoint
        assert hubtoken.whoami(token).user == "alice"
