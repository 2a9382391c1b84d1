"""`login` with a role, a repository or permissions: the Hub's form, filled in, and its check."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import hubtoken
from hubtoken.hub import Hub
from tests.environment import HANG_LIMIT, child_environment, fake_token
from tests.python.helpers import leaks
from tests.python.servers import http, identity, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.python.servers import Request

FORM = "/settings/tokens/new?tokenType="


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    """Alice, who may write in acme, and one private repository of both."""
    with Hub() as hub:
        hub.create_user("alice")
        hub.create_organization("acme")
        hub.set_member("acme", "alice", "write")
        for repo in ("alice/tiny", "acme/tiny"):
            hub.create_repository(repo, private=True)
        yield hub


def token(hub: Hub, role: Any, **scopes: list[str]) -> str:
    """The value of a new token."""
    name = f"{role}-{secrets.token_hex(4)}"
    allowed = {entity.replace("__", "/"): granted for entity, granted in scopes.items()}
    return hub.create_token("alice", name=name, role=role, scopes=allowed or None).reveal()


@pytest.fixture
def paste(hub: Hub, clean_environment: pytest.MonkeyPatch) -> Callable[[str | None], None]:
    """Pastes a line at the next prompt of a program for this Hub; `None` is nobody."""
    clean_environment.setenv("HF_ENDPOINT", hub.endpoint)

    def paste(line: str | None) -> None:
        def getpass(prompt: str = "", stream: object = None) -> str:
            if line is None:
                raise EOFError(prompt, stream)
            return line

        clean_environment.setattr("getpass.getpass", getpass)

    return paste


def test_the_form_is_named_and_the_token_checked(
    hub: Hub, paste: Callable[[str | None], None], capsys: pytest.CaptureFixture[str]
) -> None:
    value = token(hub, "fine-grained", acme__tiny=["repo.write"])
    paste(value)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stored = hubtoken.login(role="write", repo="acme/tiny")
    shown = capsys.readouterr().out
    assert f"{hub.endpoint}{FORM}fineGrained&orgs=acme&orgPermissions=repo.write" in shown
    assert "For acme/tiny alone, choose it" in shown
    assert leaks(shown, value) == []
    assert stored.name.startswith("fine-grained-")
    assert stored.active


@pytest.mark.parametrize(
    "asked",
    [
        {"role": "write"},
        {"role": "write", "repo": "alice/tiny"},
        {"permissions": ["job.write"]},
        {"permissions": ("repo.content.read", "job.write")},
    ],
)
def test_a_token_that_lacks_something_is_not_stored(
    hub: Hub, paste: Callable[[str | None], None], asked: dict[str, Any]
) -> None:
    value = token(hub, "fine-grained", alice__tiny=["repo.content.read"])
    paste(value)
    for given in (None, value):
        with pytest.raises(hubtoken.InsufficientRoleError, match="nothing was stored") as caught:
            hubtoken.login(given, **asked)
        assert leaks(str(caught.value) + repr(vars(caught.value)), value) == []
    assert hubtoken.stored_tokens() == []


def test_what_it_has_beyond_is_a_warning(hub: Hub, paste: Callable[[str | None], None]) -> None:
    paste(token(hub, "write"))
    with pytest.warns(hubtoken.HubTokenWarning, match="it writes wherever alice may write") as seen:
        hubtoken.login(role="read", repo="tiny")
    narrower = f"{hub.endpoint}{FORM}fineGrained&ownUserPermissions=repo.content.read"
    assert str(seen[0].message).endswith(f"A narrower one can be created at {narrower}")
    wide = token(hub, "fine-grained", alice=["repo.write", "job.write"])
    with pytest.warns(hubtoken.HubTokenWarning) as seen:
        hubtoken.login(wide, role="write", repo="tiny")
    assert "repo.write on all of alice; job.write on alice" in str(seen[0].message)


def test_unverified_it_is_unchecked(hub: Hub, paste: Callable[[str | None], None]) -> None:
    paste(token(hub, "read"))
    with pytest.warns(hubtoken.HubTokenWarning, match="the Hub was not asked whether"):
        assert not hubtoken.login(role="write", verify=False).verified


def test_what_cannot_be_told_is_not_held_against_the_token(
    paste: Callable[[str | None], None],
) -> None:
    value = fake_token()
    paste(value)

    def answer(request: Request) -> bytes:
        return identity() if request.path == "/api/whoami-v2" else http(503)

    with serving(answer) as server, warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        stored = hubtoken.login(role="write", repo="tiny", endpoint=server.endpoint)
    assert stored.verified
    first, *_ = (str(each.message) for each in seen)
    assert first.startswith("it is not known whether the token has the access")


def test_without_a_terminal_the_form_is_named(
    hub: Hub, paste: Callable[[str | None], None]
) -> None:
    paste(None)
    with pytest.raises(hubtoken.TokenNotFoundError) as caught:
        hubtoken.login(role="read")
    assert f"Create it at {hub.endpoint}{FORM}read. Set HF_TOKEN" in str(caught.value)
    # Nothing pasted is no login by browser, which yields another kind of token.
    paste("")
    with pytest.raises(hubtoken.TokenFormatError):
        hubtoken.login(role="read")


BAD: list[dict[str, Any]] = [
    {"role": "admin"},
    {"role": "\ud800"},
    {"role": "read", "repo": "a b"},
    {"role": "read", "repo": "\x1b[31m"},
    {"role": "read", "repo": "x" * 10_000},
    {"role": "read", "repo_type": "kernel"},
    {"repo": "alice/tiny"},
    {"repo": "alice/tiny", "permissions": ["job.write"]},
    {"permissions": [""]},
    {"permissions": ["repo.writ"]},
    {"permissions": ["\ud800"]},
]


@pytest.mark.parametrize("asked", BAD, ids=lambda asked: ascii(asked)[:60])
def test_what_cannot_be_asked_for_is_refused_before_any_prompt(
    clean_environment: pytest.MonkeyPatch, asked: dict[str, Any]
) -> None:
    clean_environment.setattr("getpass.getpass", None)
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - each has its own message
        hubtoken.login(**asked)
    assert "\x1b" not in str(caught.value)
    with pytest.raises(TypeError):
        hubtoken.login(permissions="job.write")  # type: ignore[arg-type]


@pytest.mark.skipif(os.name != "posix", reason="terminals are POSIX's")
def test_at_a_terminal_the_browser_is_opened_and_the_token_stays_hidden(
    hub: Hub, home: Path, monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config
) -> None:
    monkeypatch.chdir(pytestconfig.rootpath)
    value = token(hub, "read")
    # The browser is a program that writes the address into a pipe, from which a test reads without
    # a deadline of its own.
    pipe, browser = home / "opened", home / "browser"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR)
    browser.write_text(f'#!/bin/sh\nprintf "%s\\n" "$1" > {pipe}\n')
    browser.chmod(0o755)
    request = {
        "command": [sys.executable, "-m", "hubtoken", "login", "--role", "read"],
        "prompt": "Token: ",
        "typed": value + "\n",
    }
    variables = {"BROWSER": str(browser), "PYTHONPATH": str(Path.cwd())}
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e.support.programs.terminal"],
        check=True,
        env=child_environment(home, HF_ENDPOINT=hub.endpoint, **variables),
        input=json.dumps(request),
        stdout=subprocess.PIPE,
        text=True,
        timeout=HANG_LIMIT,
    )
    ran = json.loads(done.stdout)
    assert ran["code"] == 0, ran
    assert leaks(ran["shown"], value) == []
    assert "is the active token" in " ".join(ran["shown"].split())
    with os.fdopen(reader) as opened:
        assert opened.readline() == f"{hub.endpoint}{FORM}read\n"
