"""`login()` in the browser: what is shown, what is stored, and what ends it."""

from __future__ import annotations

import json
import os
import signal
import sys
import types
from typing import TYPE_CHECKING, Any

import pytest

import hubtoken
from hubtoken import login_display
from tests.environment import fake_token
from tests.python.helpers import leaks
from tests.python.oauth_hub import CODE, oauth_hub_running, stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.python.oauth_hub import OAuthHub


@pytest.fixture
def oauth_hub(clean_environment: pytest.MonkeyPatch) -> Iterator[OAuthHub]:
    """The Hub that `HF_ENDPOINT` names. Nothing opens a browser."""
    clean_environment.setenv("BROWSER", "")
    with oauth_hub_running() as hub:
        clean_environment.setenv("HF_ENDPOINT", hub.server.endpoint)
        yield hub


@pytest.fixture
def typed(clean_environment: pytest.MonkeyPatch) -> Callable[[str | None], None]:
    """Types a line at the next prompt; `None` is nobody."""

    def typed(line: str | None) -> None:
        def getpass(prompt: str = "", stream: object = None) -> str:
            if line is None:
                raise EOFError(prompt, stream)
            return line

        clean_environment.setattr("getpass.getpass", getpass)

    return typed


@pytest.mark.parametrize("line", [None, "", "  "], ids=["nobody", "enter", "blank"])
def test_an_approved_login_is_stored_as_huggingface_hub_stores_it(
    oauth_hub: OAuthHub,
    home: Path,
    typed: Callable[[str | None], None],
    capsys: pytest.CaptureFixture[str],
    line: str | None,
) -> None:
    typed(line)
    oauth_hub.answers = ["authorization_pending"]
    token = hubtoken.login()
    assert (token.name, token.user, token.active) == ("oauth-alice", "alice", True)
    assert token.token.reveal() == oauth_hub.access
    section = stored(home)["oauth-alice"]
    assert section["hf_token"] == oauth_hub.access
    assert section["refresh_token"] == oauth_hub.refresh
    assert int(section["expires_at"]) > 2592000
    assert (home / "huggingface" / "token").read_text(encoding="utf-8") == oauth_hub.access
    out, err = capsys.readouterr()
    assert f"To log in, open {oauth_hub.server.endpoint}/oauth/device" in out
    assert f"and enter the code {CODE}" in out
    assert "stored as `oauth-alice`" in out
    assert leaks(out + err, *oauth_hub.secrets()) == []
    assert hubtoken.resolve_token().reveal() == oauth_hub.access


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("access_denied", "denied in the browser"),
        ("expired_token", "the code expired"),
        ("invalid_client", "`invalid_client`"),
    ],
)
def test_what_ends_a_login_leaves_nothing_behind(
    oauth_hub: OAuthHub, home: Path, typed: Callable[[str | None], None], code: str, words: str
) -> None:
    typed(None)
    oauth_hub.answers = [code]
    with pytest.raises(hubtoken.LoginError, match=words) as caught:
        hubtoken.login()
    assert caught.value.error_code == code
    assert leaks(repr(caught.value), *oauth_hub.secrets()) == []
    assert not (home / "huggingface" / "stored_tokens").exists()
    assert not (home / "huggingface" / "token").exists()


@pytest.mark.skipif(os.name != "posix", reason="a signal of one's own is POSIX's")
def test_ctrl_c_ends_the_wait_and_leaves_nothing_behind(
    oauth_hub: OAuthHub, home: Path, typed: Callable[[str | None], None]
) -> None:
    def interrupt() -> bytes:
        os.kill(os.getpid(), signal.SIGINT)
        return oauth_hub.json(400, error="authorization_pending")

    typed(None)
    oauth_hub.answers = [interrupt, *["authorization_pending"] * 100]
    with pytest.raises(KeyboardInterrupt):
        hubtoken.login()
    assert not (home / "huggingface" / "stored_tokens").exists()


def test_a_token_that_the_hub_then_rejects_is_not_stored(
    oauth_hub: OAuthHub, home: Path, typed: Callable[[str | None], None]
) -> None:
    def another() -> bytes:
        return oauth_hub.json(200, access_token="hf_oauth_" + fake_token())

    typed(None)
    oauth_hub.answers = [another]
    with pytest.raises(hubtoken.InvalidTokenError, match="the login in the browser"):
        hubtoken.login()
    assert not (home / "huggingface" / "stored_tokens").exists()


def test_a_login_by_browser_takes_the_options_of_a_typed_one(
    oauth_hub: OAuthHub, home: Path, typed: Callable[[str | None], None]
) -> None:
    typed("")
    token = hubtoken.login(name="laptop", verify=False)
    assert (token.name, token.verified) == ("laptop", False)
    assert stored(home)["laptop"]["refresh_token"] == oauth_hub.refresh
    assert all("whoami" not in request.path for request in oauth_hub.server.requests)


def test_a_page_of_another_host_is_named(
    oauth_hub: OAuthHub,
    typed: Callable[[str | None], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    typed(None)
    oauth_hub.page = "@evil.example/oauth/device"
    with pytest.raises(hubtoken.TokenNotFoundError):
        # An address with a user name is none that can be shown.
        hubtoken.login()
    assert "evil.example" not in capsys.readouterr().out


class _Shell:
    kernel = object()


class _Handle:
    def __init__(self, shown: list[dict[str, str]]) -> None:
        self.shown = shown

    def update(self, bundle: dict[str, str], *, raw: bool) -> None:
        assert raw
        self.shown.append(bundle)


@pytest.fixture
def shown(clean_environment: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """What a notebook displays, one item for each state of its display."""
    shown: list[dict[str, str]] = []

    def display(bundle: dict[str, str], *, raw: bool, display_id: bool) -> _Handle:
        assert raw
        assert display_id
        shown.append(bundle)
        return _Handle(shown)

    notebook = types.ModuleType("IPython")
    notebook.get_ipython = _Shell  # type: ignore[attr-defined]
    displays = types.ModuleType("IPython.display")
    displays.display = display  # type: ignore[attr-defined]
    clean_environment.setitem(sys.modules, "IPython", notebook)
    clean_environment.setitem(sys.modules, "IPython.display", displays)
    return shown


def test_a_notebook_shows_one_display_that_says_how_it_ends(
    oauth_hub: OAuthHub,
    typed: Callable[[str | None], None],
    shown: list[dict[str, str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    typed(None)
    oauth_hub.answers = ["authorization_pending"]
    hubtoken.login()
    first, *between, last = shown
    assert "Waiting for the approval." in first["text/plain"]
    assert between
    assert "more." in between[0]["text/html"]
    assert "The login was approved." in last["text/html"]
    address = f"{oauth_hub.server.endpoint}/oauth/device"
    for bundle in shown:
        assert f'href="{address}"' in bundle["text/html"]
        assert CODE in bundle["text/html"]
        assert CODE in bundle["text/plain"]
        assert leaks(json.dumps(bundle), *oauth_hub.secrets()) == []
    assert CODE not in capsys.readouterr().out


def test_a_notebook_says_what_went_wrong(
    oauth_hub: OAuthHub,
    typed: Callable[[str | None], None],
    shown: list[dict[str, str]],
) -> None:
    typed(None)
    oauth_hub.answers = ["access_denied"]
    with pytest.raises(hubtoken.LoginError):
        hubtoken.login()
    assert "denied in the browser" in shown[-1]["text/plain"]


def test_a_display_that_fails_does_not_end_a_login(
    oauth_hub: OAuthHub,
    typed: Callable[[str | None], None],
    clean_environment: pytest.MonkeyPatch,
) -> None:
    class Broken:
        def waiting(self, _seconds: int) -> None:
            raise OSError("the page is gone")

        ended = waiting

    reported: list[Any] = []
    clean_environment.setattr("sys.unraisablehook", reported.append)
    clean_environment.setattr(login_display, "show", lambda *_: Broken())
    typed(None)
    oauth_hub.answers = ["authorization_pending"]
    assert hubtoken.login().name == "oauth-alice"
    assert [each.exc_type for each in reported] == [OSError, OSError]
