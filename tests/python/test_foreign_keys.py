"""A key of another service is recognized, shown as what it is, and never sent."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import requests

import hubtoken
from hubtoken import HubToken, TokenFormatError
from tests.environment import child_environment, fake_token
from tests.python.helpers import ambient, leaks
from tests.python.servers import identity, serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.python.servers import Server

DEADLINE = 60.0
LETTERS = "FakeFakeFakeFakeFakeFakeFakeFakeFakeFakeFakeFake"
KEYS = {
    f"sk-proj-{LETTERS}": "OpenAI",
    f"sk-ant-api03-{LETTERS}": "Anthropic",
    f"ghp_{LETTERS[:36]}": "GitHub",
    f"github_pat_11FAKE_{LETTERS}": "GitHub",
    f"glpat-{LETTERS[:20]}": "GitLab",
    "AKIAFAKEFAKEFAKEFAKE": "AWS",
    f"AIzaSy{LETTERS[:33]}": "Google",
    f"xoxb-123456789012-123456789012-{LETTERS[:24]}": "Slack",
}
# Secrets that are no token by their form alone, and what is said of them.
OTHER_SECRETS = {
    "p@ssw0rd!-Fake": "as a password may",
    "p\u00e4ssword-Fake": "as a password may",
    f"123456789:AA{LETTERS[:33]}": "as a password may",
    f"-----BEGIN OPENSSH PRIVATE KEY-----\n{LETTERS}": "private key",
    f"AWS_SECRET_ACCESS_KEY={LETTERS[:20]}/{LETTERS[:18]}+": "another variable",
    "DB_PASSWORD=hunter2Fake": "another variable",
}
# Tokens of mirrors and artifact stores; a password.
SHAPES = (
    f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJmYWtlIn0.{LETTERS}",
    f"cmVmdGtuOjAx{LETTERS}Fake",
    "0123456789abcdef0123456789abcdef01234567",
    "correct-horse-battery-staple",
)


class Message:
    """What `requests` and `httpx` pass to `auth=`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.headers: dict[str, str] = {}


def fetch_with_urllib(token: HubToken) -> None:
    import urllib.request

    headers = token.headers(token.endpoint)
    request = urllib.request.Request(token.endpoint, headers=headers)  # noqa: S310 - a Hub's
    with urllib.request.urlopen(request, timeout=DEADLINE):  # noqa: S310 - the same
        pass


# Everything that sends the ambient token, or passes it to what sends it.
SENDERS: dict[str, Callable[[], object]] = {
    "whoami": hubtoken.whoami,
    "whoami(token=True)": lambda: hubtoken.whoami(True),
    "whoami(HubToken)": lambda: hubtoken.whoami(ambient()),
    "require_role": lambda: hubtoken.require_role("read"),
    "require_role(repo=)": lambda: hubtoken.require_role("write", repo="alice/tiny"),
    "require_permission": lambda: hubtoken.require_permission("inference.serverless.write"),
    "identify(HubToken)": lambda: hubtoken.identify(ambient()),
    "login(HubToken)": lambda: hubtoken.login(ambient()),
    "login(str)": lambda: hubtoken.login(str(str.__str__(ambient().reveal()))),
    "requests": lambda: requests.get(ambient().endpoint, auth=ambient(), timeout=DEADLINE),
    "httpx": lambda: httpx.get(ambient().endpoint, auth=ambient(), timeout=DEADLINE),
    "httpx's request": lambda: ambient()(Message(ambient().endpoint)),
    "urllib": lambda: fetch_with_urllib(ambient()),
    "headers": lambda: ambient().headers(),
    "bearer": lambda: ambient().bearer(),
    "basic_auth": lambda: ambient().basic_auth(),
    "environ": lambda: ambient().environ({}),
    "activate": lambda: ambient().activate(),
}


@pytest.fixture
def server() -> Any:
    with serving(identity()) as server:
        yield server


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("name", SENDERS)
def test_a_key_of_another_service_is_sent_to_no_hub(
    name: str, key: str, server: Server, clean_environment: pytest.MonkeyPatch
) -> None:
    clean_environment.setenv("HF_TOKEN", key)
    clean_environment.setenv("HF_ENDPOINT", server.endpoint)
    # Another token would work; using it instead would be just as wrong.
    clean_environment.setenv("HUGGING_FACE_HUB_TOKEN", fake_token())
    with pytest.raises(TokenFormatError, match=KEYS[key]) as caught:
        SENDERS[name]()
    message = str(caught.value)
    assert leaks(message, key) == []
    assert key[-4:] not in message
    assert name == "login(str)" or "the environment variable HF_TOKEN" in message
    assert (server.connections, server.requests) == (0, [])


@pytest.mark.parametrize("value", OTHER_SECRETS)
@pytest.mark.parametrize("where", ["variable", "token file"])
def test_another_secret_is_found_and_sent_to_no_hub(
    value: str, where: str, server: Server, home: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    clean_environment.setenv("HF_ENDPOINT", server.endpoint)
    if where == "variable":
        clean_environment.setenv("HF_TOKEN", value)
        clean_environment.setenv("HUGGING_FACE_HUB_TOKEN", fake_token())
    else:
        (home / "huggingface").mkdir()
        (home / "huggingface" / "token").write_text(value)
    token = ambient()
    assert token.reveal() == value
    assert leaks(repr(token), value) == []
    for name, send in SENDERS.items():
        match = None if name == "login(str)" else OTHER_SECRETS[value]
        with pytest.raises(TokenFormatError, match=match) as caught:
            send()
        assert leaks(str(caught.value), value) == []
    found = next(step for step in hubtoken.explain().steps if step.answer == "found")
    assert OTHER_SECRETS[value] in found.detail
    assert (server.connections, server.requests) == (0, [])


@pytest.mark.parametrize("value", [*KEYS, *SHAPES])
def test_the_public_hub_gets_nothing_that_begins_otherwise(
    value: str, clean_environment: pytest.MonkeyPatch
) -> None:
    clean_environment.setenv("HF_TOKEN", value)
    # No request is sent, so no server is needed.
    clean_environment.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    for send in SENDERS.values():
        with pytest.raises(TokenFormatError) as caught:
            send()
        assert leaks(str(caught.value), value) == []
        assert "https://huggingface.co" in str(caught.value)


@pytest.mark.parametrize("value", SHAPES)
def test_another_hub_gets_tokens_of_its_own_shape(
    value: str, server: Server, clean_environment: pytest.MonkeyPatch
) -> None:
    clean_environment.setenv("HF_TOKEN", value)
    clean_environment.setenv("HF_ENDPOINT", server.endpoint)
    assert hubtoken.whoami().user == "alice"
    assert requests.get(server.endpoint, auth=ambient(), timeout=DEADLINE).status_code == 200
    assert [request.authorization for request in server.requests] == [f"Bearer {value}"] * 2
    assert hubtoken.explain().steps[-1].detail.count("not sent") == 0


@pytest.mark.parametrize("key", KEYS)
def test_it_counts_as_found_and_is_shown_as_what_it_is(
    key: str, clean_environment: pytest.MonkeyPatch
) -> None:
    other = fake_token()
    clean_environment.setenv("HF_TOKEN", key)
    clean_environment.setenv("HUGGING_FACE_HUB_TOKEN", other)
    token = ambient()
    assert (token.source, token.kind) == ("env:HF_TOKEN", "opaque")
    # `reveal()` is the way to pass it explicitly.
    assert token.reveal() == key
    trace = hubtoken.explain()
    found, shadowed = [step for step in trace.steps if step.answer in ("found", "shadowed")]
    assert found.source == "env:HF_TOKEN"
    assert KEYS[key] in found.detail
    assert "not sent to https://huggingface.co" in found.detail
    assert KEYS[key] not in shadowed.detail
    assert leaks(str(trace) + repr(token), key, other) == []


@pytest.mark.parametrize("verb", ["whoami", "status", "login", "require", "run", "git-credential"])
@pytest.mark.parametrize("key", [*list(KEYS)[:3], "p@ssw0rd!-Fake"])
def test_the_command_line_sends_it_to_no_hub(
    verb: str, key: str, server: Server, home: Path
) -> None:
    arguments, stdin = [verb], ""
    if verb == "login":
        arguments, stdin = [verb, "--token-stdin"], key
    elif verb == "require":
        arguments = [verb, "read"]
    elif verb == "run":
        arguments = [verb, "--", sys.executable, "-c", "print('started')"]
    elif verb == "git-credential":
        arguments, stdin = [verb, "get"], f"url={server.endpoint}\n\n"
    done = subprocess.run(
        [sys.executable, "-m", "hubtoken", *arguments],
        env=child_environment(home, HF_TOKEN=key, HF_ENDPOINT=server.endpoint),
        cwd=home,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )
    shown = done.stdout + done.stderr
    assert done.returncode == 1, shown
    what = "bearer tokens cannot contain" if verb == "login" else OTHER_SECRETS.get(key, "")
    assert KEYS.get(key, what) in shown
    assert "started" not in shown
    assert "password=" not in done.stdout
    assert leaks(shown, key) == []
    if verb != "login":
        assert "HF_TOKEN" in shown
    assert (server.connections, server.requests) == (0, [])


def test_a_private_key_is_told_as_one() -> None:
    block = "-----BEGIN OPENSSH PRIVATE KEY-----\nFakeFakeFake\n-----END OPENSSH PRIVATE KEY-----"
    with pytest.raises(TokenFormatError, match="private key") as caught:
        hubtoken.resolve_token(block)
    assert "Fake" not in str(caught.value)


def test_the_remedy_for_a_configured_file_is_not_another_login(
    home: Path, clean_environment: pytest.MonkeyPatch, server: Server
) -> None:
    clean_environment.setenv("HF_ENDPOINT", server.endpoint)
    mounted = home / "mounted"
    mounted.write_text(next(iter(KEYS)))
    folder = home / "config" / "hubtoken"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(f'token_file = "{mounted}"\n')
    with pytest.raises(TokenFormatError, match="remove `token_file`") as caught:
        hubtoken.whoami()
    assert "log in again" not in str(caught.value)
    assert hubtoken.resolve_token().source == f"file:{mounted}"
    assert server.requests == []
