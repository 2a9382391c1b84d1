"""A whole pasted line is understood wherever a token comes in, and a warning names the source."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from typing import TYPE_CHECKING

import pytest

import hubtoken
from tests.environment import HANG_LIMIT, child_environment, fake_token
from tests.python.helpers import ambient, leaks
from tests.python.servers import identity, serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LINES = [
    "HF_TOKEN={}",
    'export HF_TOKEN="{}"',
    "Authorization: Bearer {}",
    "Bearer {}",
    "HF_TOKEN = '{}';\r\n",
    '$env:HF_TOKEN = "{}"',
    '-H "Authorization: Bearer {}"',
    "token: {}",
]
KEY = "sk-proj-FakeFakeFakeFakeFakeFakeFakeFake"
FROM_TEXT: dict[str, Callable[[str], hubtoken.HubToken | None]] = {
    "resolve_token": hubtoken.resolve_token,
    "HubToken": hubtoken.HubToken,
}


@pytest.fixture(params=LINES)
def line(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def warned(record: pytest.WarningsRecorder, source: str, value: str) -> None:
    """There is one warning, which names the source, and shows nothing of the line."""
    [warning] = record
    message = str(warning.message)
    assert message.startswith(source), message
    assert message.isascii()
    assert leaks(message, value) == []


@pytest.mark.parametrize("make", FROM_TEXT.values(), ids=FROM_TEXT)
def test_an_argument_may_be_a_line(
    line: str, make: Callable[[str], hubtoken.HubToken | None]
) -> None:
    value = fake_token()
    with pytest.warns(hubtoken.HubTokenWarning) as record:
        token = make(line.format(value))
    assert token is not None
    assert token.reveal() == value
    assert token.bearer() == f"Bearer {value}"
    warned(record, "the argument holds", value)


@pytest.mark.parametrize("name", ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"])
def test_a_variable_may_hold_a_line(
    line: str, name: str, clean_environment: pytest.MonkeyPatch
) -> None:
    value = fake_token()
    clean_environment.setenv(name, line.format(value))
    with pytest.warns(hubtoken.HubTokenWarning) as record:
        token = ambient()
    assert token.reveal() == value
    assert token.source == f"env:{name}"
    warned(record, f"the environment variable {name} holds", value)


def test_a_file_and_a_stored_token_may_hold_a_line(line: str, home: Path) -> None:
    value = fake_token()
    folder = home / "huggingface"
    folder.mkdir()
    (folder / "token").write_text(line.format(value))
    with pytest.warns(hubtoken.HubTokenWarning) as record:
        assert ambient().reveal() == value
    warned(record, "the token file ", value)
    # The file of stored tokens has lines of its own.
    (folder / "stored_tokens").write_text(f"[ci]\nhf_token = {line.format(value).strip()}\n")
    with pytest.warns(hubtoken.HubTokenWarning) as record:
        assert ambient(profile="ci").reveal() == value
    warned(record, "the stored token `ci` holds", value)
    [stored] = hubtoken.stored_tokens()
    assert stored.token.reveal() == value


@pytest.mark.skipif(os.name != "posix", reason="the command is a shell's")
def test_a_command_may_print_a_line(line: str, home: Path) -> None:
    value = fake_token()
    (home / "line").write_text(line.format(value))
    folder = home / "config" / "hubtoken"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(f"token_command = ['cat', '{home / 'line'}']")
    with pytest.warns(hubtoken.HubTokenWarning) as record:
        assert ambient().reveal() == value
    warned(record, "the token_command `cat` holds", value)


def test_a_login_stores_the_token_alone(
    line: str, home: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    value, typed = fake_token(), fake_token()
    with serving(identity()) as server:
        clean_environment.setenv("HF_ENDPOINT", server.endpoint)
        with pytest.warns(hubtoken.HubTokenWarning) as record:
            assert hubtoken.login(line.format(value)).token.reveal() == value
        warned(record, "the argument holds", value)
        clean_environment.setattr(
            "getpass.getpass", lambda *_arguments, **_options: line.format(typed)
        )
        with pytest.warns(hubtoken.HubTokenWarning) as record:
            assert hubtoken.login().token.reveal() == typed
        warned(record, "the prompt holds", typed)
        assert (home / "huggingface" / "token").read_text().strip() == typed
        for request in server.requests:
            assert request.authorization in (f"Bearer {value}", f"Bearer {typed}")


def command(home: Path, *arguments: str, stdin: str = "", **variables: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "hubtoken", *arguments],
        env=child_environment(home, **variables),
        cwd=home,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG_LIMIT,
    )
    return done.returncode, done.stdout, done.stderr


def test_the_command_line_takes_it_and_warns(home: Path) -> None:
    value = fake_token()
    line = f"export HF_TOKEN={value}"
    code, out, err = command(home, "token", "--reveal", HF_TOKEN=line)
    assert (code, out) == (0, f"{value}\n")
    assert err.startswith("warning: the environment variable HF_TOKEN holds a whole line")
    assert leaks(err, value) == []
    code, out, err = command(home, "explain", HF_TOKEN=line)
    assert (code, err) == (0, "")
    assert "holds a whole line" in out
    assert leaks(out, value) == []
    with serving(identity()) as server:
        variables = {"HF_ENDPOINT": server.endpoint}
        code, out, err = command(home, "login", "--token-stdin", stdin=line, **variables)
    assert code == 0, err
    assert "warning: standard input holds a whole line" in err
    assert (home / "huggingface" / "token").read_text().strip() == value


def test_an_activated_token_is_the_token_alone(clean_environment: pytest.MonkeyPatch) -> None:
    value = fake_token()
    clean_environment.setenv("HF_TOKEN", f"HF_TOKEN={value}")
    with pytest.warns(hubtoken.HubTokenWarning):
        token = ambient()
    with token.activate():
        assert os.environ["HF_TOKEN"] == value
    assert token.environ({})["HF_TOKEN"] == value


@pytest.mark.parametrize(
    "line",
    [
        "{} {}",
        "HF_TOKEN={} HF_TOKEN={}",
        "HF_TOKEN={};HUGGING_FACE_HUB_TOKEN={}",
        "{}={}",
        "HF_TOKEN={} # was {}",
        "Authorization: Bearer {}, Bearer {}",
        "HF_TOKEN={}\nHF_TOKEN={}\n",
    ],
)
def test_two_tokens_stay_an_error(line: str) -> None:
    first, second = fake_token(), fake_token()
    with pytest.raises(hubtoken.TokenFormatError) as caught:
        hubtoken.resolve_token(line.format(first, second))
    assert leaks(str(caught.value), first, second) == []


@pytest.mark.parametrize("line", ["HF_TOKEN={}", "export OPENAI_API_KEY='{}'", "Bearer {}"])
def test_the_key_of_another_service_is_found_and_not_sent(line: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hubtoken.HubTokenWarning)
        token = hubtoken.resolve_token(line.format(KEY), endpoint="http://127.0.0.1:1")
    assert token is not None
    with pytest.raises(hubtoken.TokenFormatError, match="an API key of OpenAI") as caught:
        token.bearer()
    assert leaks(str(caught.value), KEY) == []


@pytest.mark.parametrize("line", LINES)
def test_nothing_is_stripped_from_what_a_caller_sends(line: str) -> None:
    value = fake_token()
    with pytest.raises(hubtoken.TokenFormatError) as caught:
        hubtoken.cached_identity(line.format(value))
    assert "Hand over the token alone" in str(caught.value)
    assert leaks(str(caught.value), value) == []
