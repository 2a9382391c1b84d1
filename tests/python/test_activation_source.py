"""An active token keeps its source: no message names a variable that the user never set."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import hubtoken
from tests.environment import fake_token
from tests.python.helpers import DEADLINE, ambient, handed_over, leaks
from tests.python.servers import http, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hubtoken import HubToken

pytestmark = pytest.mark.usefixtures("alone", "inactive")

SOURCES = ["argument", "variable", "file", "store", "config"]


@pytest.fixture
def inactive() -> Iterator[None]:
    """Nothing stays active."""
    yield
    hubtoken.deactivate()


def token_from(source: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> HubToken:
    """A token from a source, which the libraries would not send by default."""
    value, folder = fake_token(), home / "huggingface"
    folder.mkdir()
    if source == "argument":
        return handed_over(value)
    if source == "variable":
        monkeypatch.setenv("HUGGING_FACE_HUB_TOKEN", value)
    elif source == "file":
        (folder / "token").write_text(value)
    else:
        (folder / "stored_tokens").write_text(f"[ci]\nhf_token = {value}\n")
    if source == "config":
        (home.parent / "project" / "hubtoken.toml").write_text('profile = "ci"\n')
    token = ambient(profile="ci") if source == "store" else ambient()
    # Another token in the way, so that there is something to activate.
    monkeypatch.setenv("HF_TOKEN", fake_token())
    return token


@pytest.mark.parametrize("source", SOURCES)
def test_an_active_token_keeps_its_source(
    source: str, home: Path, alone: pytest.MonkeyPatch
) -> None:
    token = token_from(source, home, alone)
    before = hubtoken.resolve_token(required=False)
    token.activate()
    found = hubtoken.resolve_token()
    assert found is not None
    assert (found.source, found.profile) == (token.source, token.profile)
    assert found == token
    trace = hubtoken.explain()
    assert trace.source == token.source
    step = next(step for step in trace.steps if step.answer == "found")
    assert step.detail == f"activated from {token.source}"
    assert leaks(str(trace), token.reveal()) == []
    hubtoken.deactivate()
    assert hubtoken.resolve_token(required=False) == before
    assert "activated" not in str(hubtoken.explain())


@pytest.mark.parametrize("source", SOURCES)
def test_an_error_names_the_source_and_not_the_variable(
    source: str, home: Path, alone: pytest.MonkeyPatch
) -> None:
    with serving(http(401)) as server:
        alone.setenv("HF_ENDPOINT", server.endpoint)
        token = token_from(source, home, alone)
        token.activate()
        with pytest.raises(hubtoken.InvalidTokenError) as caught:
            hubtoken.whoami()
    message = str(caught.value)
    assert f"activated from {token.source}" in message
    assert caught.value.source == token.source
    assert "unset" not in message
    assert "the environment variable HF_TOKEN" not in message
    assert message.endswith("activate it")
    assert leaks(message, token.reveal()) == []


def test_a_variable_that_the_user_sets_meanwhile_is_the_users(alone: pytest.MonkeyPatch) -> None:
    # Set and removed, so that whatever this test leaves is removed after it.
    alone.setenv("HF_TOKEN", "")
    alone.delenv("HF_TOKEN")
    token = handed_over()
    token.activate()
    assert ambient().source == "argument"
    os.environ["HF_TOKEN"] = fake_token()
    assert ambient().source == "env:HF_TOKEN"
    hubtoken.deactivate()
    # The same value, set by the user after it was active.
    alone.setenv("HF_TOKEN", token.reveal())
    assert ambient().source == "env:HF_TOKEN"


def test_the_source_is_the_innermost_ones() -> None:
    value = fake_token()
    outer, inner = handed_over(value), handed_over()
    with outer.activate():
        with inner.activate():
            assert ambient() == inner
        assert ambient() == outer
        assert ambient().source == "argument"
        # An active token that is activated again keeps its source.
        with ambient().activate():
            assert ambient().source == "argument"


def test_a_token_that_the_libraries_send_anyway_keeps_its_own_place(home: Path) -> None:
    folder = home / "huggingface"
    folder.mkdir()
    (folder / "token").write_text(fake_token())
    with ambient().activate():
        assert "HUBTOKEN_TOKEN_ORIGIN" not in os.environ
        assert "activated" not in str(hubtoken.explain())


def test_the_origin_holds_no_value_and_goes_away() -> None:
    token = handed_over()
    with token.activate():
        origin = os.environ["HUBTOKEN_TOKEN_ORIGIN"]
        assert token.fingerprint in origin
        assert leaks(origin, token.reveal()) == []
    assert "HUBTOKEN_TOKEN_ORIGIN" not in os.environ


def test_a_pickle_of_an_active_token_says_where_it_came_from_first(
    home: Path, alone: pytest.MonkeyPatch
) -> None:
    token = token_from("store", home, alone)
    token.activate()
    again = pickle.loads(pickle.dumps(ambient()))  # noqa: S301 - our own
    assert (again.source, again.profile) == ("store:ci", "ci")
    assert again == token


def test_warnings_of_the_store_do_not_tell_to_unset_the_variable(
    home: Path, alone: pytest.MonkeyPatch
) -> None:
    token = token_from("store", home, alone)
    with pytest.warns(hubtoken.HubTokenWarning, match="HF_TOKEN is set .* unset it"):
        hubtoken.switch_token("ci")
    del os.environ["HF_TOKEN"]
    (home / "huggingface" / "token").write_text(fake_token())
    token.activate()
    with pytest.warns(hubtoken.HubTokenWarning) as caught:
        hubtoken.logout()
    text = str(caught[-1].message)
    assert "activated from store:ci" in text
    assert "hubtoken.deactivate()" in text
    assert "unset" not in text


def in_child(*command: str) -> str:
    """The output of a program that inherits this process's environment."""
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=False, timeout=DEADLINE
    )
    return done.stdout + done.stderr


def test_a_child_process_knows_where_the_token_came_from(
    home: Path, alone: pytest.MonkeyPatch
) -> None:
    token = token_from("store", home, alone)
    program = "import hubtoken; token = hubtoken.resolve_token(); print(token.source)"
    token.activate()
    assert in_child("-c", program).strip() == "store:ci"
    explained = in_child("-m", "hubtoken", "explain")
    assert "activated from store:ci" in explained
    status = in_child("-m", "hubtoken", "status")
    assert "activated from store:ci" in status
    assert leaks(explained + status, token.reveal()) == []
    # A child with its own token reports nothing about ours.
    os.environ["HF_TOKEN"] = fake_token()
    assert in_child("-c", program).strip() == "env:HF_TOKEN"


def test_what_run_starts_knows_where_the_token_came_from(
    home: Path, alone: pytest.MonkeyPatch
) -> None:
    with serving(http(401)) as server:
        alone.setenv("HF_ENDPOINT", server.endpoint)
        token = token_from("store", home, alone)
        alone.delenv("HF_TOKEN")
        inner = ["-m", "hubtoken", "whoami", "--json"]
        output = in_child("-m", "hubtoken", "run", "--profile", "ci", "--", sys.executable, *inner)
    message = json.loads(output.splitlines()[-1])["error"]["message"]
    assert "handed over by `hubtoken run` from store:ci" in message
    assert "unset" not in message
    assert "run the command again" in message
    assert leaks(output, token.reveal()) == []


@pytest.mark.parametrize("other", [False, True], ids=["nothing active", "another active"])
@pytest.mark.parametrize("source", SOURCES)
def test_what_an_environment_is_made_for_knows_where_the_token_came_from(
    source: str, other: bool, home: Path, alone: pytest.MonkeyPatch
) -> None:
    with serving(http(401)) as server:
        alone.setenv("HF_ENDPOINT", server.endpoint)
        token = token_from(source, home, alone)
        if other:
            # Its own `HUBTOKEN_TOKEN_ORIGIN` must not be passed on.
            handed_over(endpoint=server.endpoint).activate()
        made = token.environ()
        assert token.fingerprint in made["HUBTOKEN_TOKEN_ORIGIN"]
        assert leaks(made["HUBTOKEN_TOKEN_ORIGIN"], token.reveal()) == []
        done = subprocess.run(
            [sys.executable, "-m", "hubtoken", "whoami", "--json"],
            env=made,
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE,
        )
    message = json.loads(done.stdout.splitlines()[-1])["error"]["message"]
    assert f"handed over by `token.environ()` from {token.source}" in message
    assert "unset" not in message
    assert "start this process again with `token.environ()`" in message
    assert leaks(done.stdout + done.stderr, token.reveal()) == []


def test_a_token_that_was_handed_over_keeps_its_source_when_it_is_handed_on(
    home: Path, alone: pytest.MonkeyPatch
) -> None:
    token = token_from("store", home, alone)
    program = (
        "import hubtoken, os, subprocess, sys\n"
        "token = hubtoken.resolve_token()\n"
        "print(token.source, token.profile)\n"
        "sys.stdout.flush()\n"
        "if sys.argv[1:] == ['outer']:\n"
        "    command = [sys.executable, '-c', os.environ['PROGRAM']]\n"
        "    subprocess.run(command, env=token.environ(), check=True)\n"
    )
    alone.setenv("PROGRAM", program)
    done = subprocess.run(
        [sys.executable, "-c", program, "outer"],
        env=token.environ(),
        capture_output=True,
        text=True,
        check=True,
        timeout=DEADLINE,
    )
    assert done.stdout.splitlines() == ["store:ci ci"] * 2
