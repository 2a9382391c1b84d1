"""`HubToken("hf_…")`, by itself and as a converter: no value is shown, not even an invalid one."""

from __future__ import annotations

import argparse
import dataclasses
import subprocess
import sys
import traceback
from typing import TYPE_CHECKING, Any

import attrs
import pytest

import hubtoken
from hubtoken import HubToken, TokenFormatError, UntrustedEndpointError
from tests.environment import child_environment, fake_token
from tests.python.helpers import handed_over, leaks

if TYPE_CHECKING:
    from pathlib import Path

BAD = ("hf_****abcd", "<MySecretPlaceholder>", "MySecret with space", "", "MySecret\udcff")


def test_it_makes_an_argument_token() -> None:
    value = fake_token()
    token = HubToken(f" {value}\n")
    assert (token.reveal(), token.source, token.endpoint) == (
        value,
        "argument",
        "https://huggingface.co",
    )
    assert token == handed_over(value)
    assert hubtoken.resolve_token(token) == token
    assert leaks(repr(token) + str(token) + f"{token}", value) == []


def test_a_token_stays_the_same_object() -> None:
    token = handed_over()
    assert HubToken(token) is token
    assert HubToken(token, endpoint=token.endpoint) is token
    with pytest.raises(UntrustedEndpointError):
        HubToken(token, endpoint="https://hub.example")


def test_the_endpoint_is_given_or_the_environments(clean_environment: pytest.MonkeyPatch) -> None:
    assert HubToken(fake_token(), endpoint="https://hub.example/").endpoint == "https://hub.example"
    clean_environment.setenv("HF_ENDPOINT", "http://127.0.0.1:8080")
    assert HubToken(fake_token()).endpoint == "http://127.0.0.1:8080"


@pytest.mark.parametrize("value", BAD)
def test_a_bad_value_is_neither_a_value_error_nor_shown(value: str) -> None:
    with pytest.raises(TokenFormatError) as caught:
        HubToken(value)
    assert not isinstance(caught.value, ValueError | TypeError)
    assert "MySecret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("value", [None, True, b"hf_MySecret", 7, ["hf_MySecret"]])
def test_other_types_are_refused_by_their_name(value: Any) -> None:
    with pytest.raises(
        TypeError, match="takes a str, a HubToken or an object with get_sec"
    ) as caught:
        HubToken(value)
    assert "MySecret" not in str(caught.value)
    with pytest.raises(TypeError):
        HubToken()  # type: ignore[call-arg]


def test_the_value_of_an_ambient_token_is_not_taken(clean_environment: pytest.MonkeyPatch) -> None:
    clean_environment.setenv("HF_TOKEN", fake_token())
    for blank in ("", " \n"):
        with pytest.raises(TokenFormatError, match="the token is blank") as caught:
            HubToken(blank)
        # It takes neither nothing nor False.
        assert "token=False" not in str(caught.value)
        assert "nothing" not in str(caught.value)


PROGRAM = """
import argparse
from hubtoken import HubToken
parser = argparse.ArgumentParser()
parser.add_argument("--token", type=HubToken)
arguments = parser.parse_args()
print(arguments, arguments.token.source)
"""


def ask(home: Path, *arguments: str, text: str = PROGRAM) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", text, *arguments],
        env=child_environment(home),
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_argparse_takes_it_as_a_type_and_shows_no_value(home: Path) -> None:
    value = fake_token()
    done = ask(home, "--token", value)
    assert done.returncode == 0, done.stderr
    assert "Namespace(token=HubToken(hf_…" in done.stdout
    assert leaks(done.stdout + done.stderr, value) == []


@pytest.mark.parametrize("value", [bad for bad in BAD if bad.isascii()])
def test_argparse_tells_of_a_bad_value_on_its_own_line_without_it(value: str, home: Path) -> None:
    done = ask(home, f"--token={value}")
    assert done.returncode == 2
    assert "error: argument --token: " in done.stderr
    assert "Traceback" not in done.stderr
    assert not value or value not in done.stderr
    assert "MySecret" not in done.stderr


def test_argparse_shows_no_value_that_is_not_text(home: Path) -> None:
    done = subprocess.run(
        [sys.executable.encode(), b"-c", PROGRAM.encode(), b"--token=MySecret\xff"],
        env=child_environment(home),
        cwd=home,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert b"MySecret" not in done.stderr
    assert b"error: argument --token: " in done.stderr


def test_only_argparse_gets_its_own_exception() -> None:
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--token", type=HubToken)
    with pytest.raises(argparse.ArgumentError) as caught:
        parser.parse_args(["--token", BAD[1]])
    assert "placeholder" in str(caught.value)
    assert "MySecret" not in str(caught.value)


@dataclasses.dataclass
class Settings:
    """A configuration that converts explicitly, like data classes."""

    token: HubToken

    def __post_init__(self) -> None:
        self.token = HubToken(self.token)


@attrs.define
class Options:
    """One that attrs converts."""

    token: HubToken = attrs.field(converter=HubToken)


@pytest.mark.parametrize("make", [Settings, Options])
def test_converters_of_classes_never_show_the_value(make: Any) -> None:
    value = fake_token()
    made = make(value)
    assert made.token.reveal() == value
    assert leaks(repr(made), value) == []
    assert make(made.token).token is made.token
    with pytest.raises(TokenFormatError) as caught:
        make(BAD[1])
    assert "MySecret" not in "".join(traceback.format_exception(caught.value)).replace(BAD[1], "")
