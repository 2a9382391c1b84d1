"""What `login` asks, says, and takes from `huggingface_hub`; and tokens stored without asking."""

from __future__ import annotations

import inspect
import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import hubtoken
from tests.environment import fake_token
from tests.python.helpers import leaks
from tests.python.servers import Request, http, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.python.servers import Server

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="no git program")


class OneAccount:
    """A Hub on which every token it was given is alice's."""

    def __init__(self) -> None:
        """No token is known yet."""
        self.known: set[str] = set()
        self.status = 200
        self.server: Server

    def token(self) -> str:
        """A new token."""
        value = fake_token()
        self.known.add(value)
        return value

    def answer(self, request: Request) -> bytes:
        """The whoami response."""
        value = (request.authorization or "").removeprefix("Bearer ")
        if self.status != 200:
            return http(self.status)
        if value not in self.known:
            return http(401, '{"error":"Invalid user token."}')
        access = {"displayName": "ci", "role": "write"}
        auth = {"type": "access_token", "accessToken": access}
        identity = {"type": "user", "name": "alice", "auth": auth}
        return http(200, json.dumps(identity), Content_Type="application/json")


@pytest.fixture
def account(clean_environment: pytest.MonkeyPatch) -> Iterator[OneAccount]:
    """The Hub that `HF_ENDPOINT` names."""
    account = OneAccount()
    with serving(account.answer) as server:
        account.server = server
        clean_environment.setenv("HF_ENDPOINT", server.endpoint)
        yield account


@pytest.fixture
def type_in(clean_environment: pytest.MonkeyPatch) -> Callable[[str | None], None]:
    """Types a line at the next prompt; `None` is nobody."""

    def type_in(line: str | None) -> None:
        def getpass(prompt: str = "", stream: object = None) -> str:
            if line is None:
                raise EOFError(prompt, stream)
            return line

        clean_environment.setattr("getpass.getpass", getpass)

    return type_in


def test_a_typed_login_shows_the_hub_and_then_what_was_stored_where(
    account: OneAccount,
    capsys: pytest.CaptureFixture[str],
    type_in: Callable[[str | None], None],
) -> None:
    value = account.token()
    type_in(value)
    stored = hubtoken.login()
    page, outcome = capsys.readouterr().out.splitlines()
    endpoint = account.server.endpoint
    assert page == (
        f"Create a token at {endpoint}/settings/tokens and paste it, or press Enter to log in with "
        "the browser"
    )
    assert outcome.startswith("alice (write) is stored as `ci` in ")
    assert "stored_tokens" in outcome
    assert outcome.endswith(f" for {endpoint}, and is the active token")
    assert f", alice (write), {endpoint}, active>" in repr(stored)
    # What is handed over by a program prints nothing: the returned token says it.
    hubtoken.login(value)
    assert capsys.readouterr().out == ""
    # The page is that of the Hub that is asked, which has no login by browser.
    type_in(None)
    with serving(http(404)) as other, pytest.raises(hubtoken.TokenNotFoundError):
        hubtoken.login(endpoint=other.endpoint)
    assert f"Create a token at {other.endpoint}/settings/tokens" in capsys.readouterr().out


def test_without_a_terminal_it_says_that_a_token_is_there(
    account: OneAccount,
    clean_environment: pytest.MonkeyPatch,
    type_in: Callable[[str | None], None],
) -> None:
    type_in(None)
    with pytest.raises(hubtoken.TokenNotFoundError) as caught:
        hubtoken.login()
    assert "logged in already" not in str(caught.value)
    hubtoken.login(account.token())
    with pytest.raises(hubtoken.TokenNotFoundError, match=r"logged in already, with hf_.*file"):
        hubtoken.login()
    value = fake_token()
    clean_environment.setenv("HF_TOKEN", value)
    with pytest.raises(hubtoken.TokenNotFoundError, match=r"already.*HF_TOKEN") as caught:
        hubtoken.login()
    assert leaks(str(caught.value), value) == []
    with serving(http(404)) as other, pytest.raises(hubtoken.TokenNotFoundError) as caught:
        hubtoken.login(endpoint=other.endpoint)
    assert "logged in already" not in str(caught.value)


@pytest.mark.parametrize("name", ["login", "notebook_login", "interpreter_login", "logout"])
def test_every_option_of_huggingface_hub_is_known(name: str) -> None:
    # In another process: an imported `huggingface_hub` changes what `activate` does in this one.
    program = (
        "import huggingface_hub, inspect\n"
        f"print(*inspect.signature(huggingface_hub.{name}).parameters)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )
    theirs = set(done.stdout.split())
    assert theirs
    ours = hubtoken.logout if name == "logout" else hubtoken.login
    assert theirs <= inspect.signature(ours).parameters.keys()


def test_what_skips_the_prompt_is_refused_with_what_to_write(
    account: OneAccount, type_in: Callable[[str | None], None]
) -> None:
    type_in(account.token())
    logins: tuple[Any, ...] = (hubtoken.login, hubtoken.notebook_login)
    for login in logins:
        for options in ({"skip_if_logged_in": True}, {"new_session": False}):
            with pytest.raises(TypeError, match=r"resolve_token\(required=False\) or hubtoken"):
                login(**options)
    assert hubtoken.stored_tokens() == []
    # These ask, as this login always does; and with a token there is no prompt to skip.
    assert hubtoken.notebook_login(skip_if_logged_in=False, new_session=True).name == "ci"
    assert hubtoken.login(account.token(), skip_if_logged_in=True, new_session=False).active
    hubtoken.logout(token_name="ci")
    assert hubtoken.stored_tokens() == []
    with pytest.raises(TypeError, match="not both"):
        hubtoken.logout("ci", token_name="ci")


def test_active_is_what_counts_here(
    account: OneAccount,
    tmp_path: Path,
    clean_environment: pytest.MonkeyPatch,
) -> None:
    def marks() -> dict[str, tuple[bool, bool]]:
        return {each.name: (each.active, each.selected) for each in hubtoken.stored_tokens()}

    first, second = account.token(), account.token()
    hubtoken.login(first, name="one")
    hubtoken.login(second, name="two")
    assert marks() == {"one": (False, False), "two": (True, True)}
    clean_environment.setenv("HF_TOKEN", first)
    assert marks() == {"one": (True, False), "two": (False, True)}
    clean_environment.setenv("HF_TOKEN", fake_token())
    assert marks() == {"one": (False, False), "two": (False, True)}
    with pytest.warns(hubtoken.HubTokenWarning, match="takes precedence"):
        stored = hubtoken.login(second, name="two")
    assert (stored.active, stored.selected) == (False, True)
    clean_environment.delenv("HF_TOKEN")
    configuration = tmp_path / "project" / "hubtoken.toml"
    configuration.write_text('profile = "one"\n', encoding="utf-8")
    hubtoken.clear_cache()
    assert marks() == {"one": (True, False), "two": (False, True)}


@pytest.mark.parametrize("status", [200, 401, 429, 500])
def test_nothing_is_asked_about_a_token_that_is_not_verified(
    account: OneAccount, status: int
) -> None:
    value = account.token()
    account.status = status
    if status != 200:
        with pytest.raises(hubtoken.HubTokenError) as caught:
            hubtoken.login(value)
        assert hubtoken.stored_tokens() == []
        assert ("verify=False" in str(caught.value)) == (status != 401)
    asked = len(account.server.requests)
    stored = hubtoken.login(value, verify=False)
    assert len(account.server.requests) == asked
    assert (stored.verified, stored.user, stored.role) == (False, None, None)
    assert stored.active
    assert "unverified" in repr(stored)
    assert stored.name.startswith("token~")
    assert leaks(stored.name + repr(stored), value) == []
    found = hubtoken.resolve_token()
    assert found is not None
    assert found.reveal() == value
    # Known once the Hub has answered; and named by a login that asks.
    account.status = 200
    assert hubtoken.whoami(max_age=0).user == "alice"
    (known,) = hubtoken.stored_tokens()
    assert (known.verified, known.user, known.role) == (True, "alice", "write")
    assert hubtoken.login(value).name == "ci"
    assert [each.name for each in hubtoken.stored_tokens()] == ["ci"]


def test_offline_a_token_is_stored_on_request_alone(
    account: OneAccount, clean_environment: pytest.MonkeyPatch
) -> None:
    clean_environment.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(hubtoken.OfflineError, match="Nothing was stored; verify=False"):
        hubtoken.login(account.token())
    assert hubtoken.login(account.token(), name="mine", verify=False).name == "mine"
    for key in ("ghp_" + "Fake" * 9, "", "hf_xxx"):
        with pytest.raises(hubtoken.TokenFormatError):
            hubtoken.login(key, verify=False)
    assert [each.name for each in hubtoken.stored_tokens()] == ["mine"]


@needs_git
def test_gits_own_helper_gets_a_copy_and_logout_takes_it_back(
    account: OneAccount, home: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    kept = home / "kept"
    configuration = home / "gitconfig"
    configuration.touch()
    clean_environment.setenv("GIT_CONFIG_GLOBAL", str(configuration))
    clean_environment.setenv("GIT_CONFIG_NOSYSTEM", "1")
    value = account.token()
    with pytest.warns(hubtoken.HubTokenWarning, match=r"no credential helper.*setup-git"):
        hubtoken.login(value, add_to_git_credential=True)
    helper = f"store --file={kept.as_posix()}"
    configuration.write_text(f'[credential]\n\thelper = "{helper}"\n', encoding="utf-8")
    hubtoken.login(value, add_to_git_credential=True)
    host = account.server.endpoint.removeprefix("http://").replace(":", "%3a")
    assert kept.read_text(encoding="utf-8") == f"http://hf_user:{value}@{host}\n"
    if os.name == "posix":
        assert kept.stat().st_mode & 0o077 == 0
    hubtoken.logout()
    assert kept.read_text(encoding="utf-8") == ""
