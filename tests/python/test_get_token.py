"""`get_token()`: what `resolve_token()` finds, as the `str` that `huggingface_hub` returns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import hubtoken
from hubtoken.revealed import RevealedToken
from tests.environment import fake_token
from tests.python.helpers import ambient

if TYPE_CHECKING:
    from pathlib import Path


def test_without_a_token_it_is_none() -> None:
    assert hubtoken.get_token() is None


def test_it_is_the_value_of_what_is_found(clean_environment: pytest.MonkeyPatch) -> None:
    value = fake_token()
    clean_environment.setenv("HF_TOKEN", f" {value}\n")
    assert hubtoken.get_token() == value == ambient().reveal()


def test_the_token_file_is_read(home: Path) -> None:
    value = fake_token()
    path = home / "huggingface" / "token"
    path.parent.mkdir()
    path.write_text(value, encoding="utf-8")
    assert hubtoken.get_token() == value
    path.unlink()
    assert hubtoken.get_token() is None


def test_its_repr_is_masked_and_nothing_is_printed(
    clean_environment: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    value = fake_token()
    clean_environment.setenv("HF_TOKEN", value)
    token = hubtoken.get_token()
    assert isinstance(token, RevealedToken)
    assert repr([token]) == "[<revealed token>]"
    assert capfd.readouterr() == ("", "")


def test_implicit_tokens_that_are_disabled_are_not_found(
    clean_environment: pytest.MonkeyPatch,
) -> None:
    clean_environment.setenv("HF_TOKEN", fake_token())
    clean_environment.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
    assert hubtoken.resolve_token(required=False) is None
    assert hubtoken.get_token() is None


def test_what_is_broken_is_an_error_as_for_resolve_token(
    clean_environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    configuration = tmp_path / "project" / "hubtoken.toml"
    configuration.write_text("profile = 1\n", encoding="utf-8")
    for find in (hubtoken.resolve_token, hubtoken.get_token):
        with pytest.raises(hubtoken.ConfigurationError):
            find()
    configuration.unlink()
    hubtoken.clear_cache()
    clean_environment.setenv("HF_TOKEN", fake_token())
    clean_environment.setenv("HF_ENDPOINT", "http://hub.example")
    for find in (hubtoken.resolve_token, hubtoken.get_token):
        with pytest.raises(hubtoken.UntrustedEndpointError):
            find()


def test_a_warning_points_at_the_caller(clean_environment: pytest.MonkeyPatch) -> None:
    # A unique position in the message: a process warns only once about the same problem.
    clean_environment.setenv("HF_TOKEN", fake_token() * 5 + " x" * 5)
    with pytest.warns(hubtoken.HubTokenWarning, match="env:HF_TOKEN was passed over") as record:
        assert hubtoken.get_token() is None
    assert [warning.filename for warning in record] == [__file__]


def test_it_takes_no_arguments() -> None:
    with pytest.raises(TypeError):
        hubtoken.get_token(True)  # type: ignore[call-arg]
