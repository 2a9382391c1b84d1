"""`revoke`: tokens are dead at the Hub, gone here, and said to be neither where nobody knows."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from typing import TYPE_CHECKING, Any

import pytest

import hubtoken
from hubtoken.hub import Hub
from tests.environment import HANG_LIMIT, child_environment, fake_token
from tests.python.code_login import code_login
from tests.python.helpers import ROOT, handed_over, leaks
from tests.python.servers import http, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hubtoken import HubToken

MANY = 2_500


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with Hub() as hub:
        hub.create_user("alice")
        yield hub


@pytest.fixture
def endpoint(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> str:
    """The Hub is `HF_ENDPOINT`."""
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    return hub.endpoint


@pytest.fixture
def token(hub: Hub) -> HubToken:
    return hub.create_token("alice", name=fake_token()[-9:], role="write")


def states(revoked: list[hubtoken.RevokedToken]) -> list[str]:
    return [each.state for each in revoked]


def test_a_revoked_token_is_dead_at_once_and_no_longer_here(
    endpoint: str, token: HubToken, home: Path
) -> None:
    hubtoken.login(token, name="ci")
    hubtoken.require_role("write", token)
    (revoked,) = hubtoken.revoke(name="ci")
    assert (revoked.state, revoked.reason) == ("dead", None)
    assert revoked.token in repr(token)
    assert revoked.fingerprint == token.fingerprint
    assert leaks(f"{revoked!r}{revoked.to_dict()}", token.reveal()) == []
    assert hubtoken.stored_tokens() == []
    assert not (home / "huggingface" / "token").exists()
    # Nothing that is remembered lets it in, neither here nor in another process.
    for call in (lambda: hubtoken.require_role("write", token), lambda: hubtoken.whoami(token)):
        with pytest.raises(hubtoken.InvalidTokenError):
            call()
    program = "import hubtoken, sys; hubtoken.require_role('write', sys.stdin.read())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=child_environment(home, PYTHONPATH=str(ROOT), HF_ENDPOINT=endpoint),
        input=token.reveal(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "InvalidTokenError" in done.stderr


def test_tokens_come_in_many_forms(endpoint: str, hub: Hub, tmp_path: Path) -> None:
    made = [hub.create_token("alice", name=fake_token()[-9:], role="read") for _ in range(6)]
    one, two, three, four, five, six = made
    assert states(hubtoken.revoke(one)) == ["dead"]
    assert states(hubtoken.revoke(two.reveal())) == ["dead"]
    assert states(hubtoken.revoke([three, four.reveal(), three])) == ["dead", "dead"]
    assert states(hubtoken.revoke(f"export HF_TOKEN={five.reveal()}\n")) == ["dead"]
    log = tmp_path / "build.log"
    log.write_bytes(b"\xff\0 HF_TOKEN=" + six.reveal().encode() + b" pushed to hf_hub_download\n")
    assert states(hubtoken.revoke(leaked=log)) == ["dead"]
    assert hub.list_tokens("alice") == []
    assert endpoint


def test_what_the_hub_does_not_take_is_said(endpoint: str, hub: Hub) -> None:
    login = code_login(hub, "alice")["access_token"]
    foreign = "ghp_" + fake_token()[3:] + "AB"
    (revoked,) = hubtoken.revoke(login, endpoint=endpoint)
    assert revoked.state == "not sent"
    assert revoked.reason is not None
    assert "200 characters" in revoked.reason
    assert len(hub.list_logins("alice")) == 1
    with pytest.raises(hubtoken.TokenFormatError, match="no token of a Hub"):
        hubtoken.revoke(foreign)


@pytest.mark.usefixtures("home")
def test_a_hub_that_does_not_answer_is_an_error_and_nothing_is_removed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    value = fake_token()
    errors: list[tuple[Any, type[Exception]]] = [
        (http(500), hubtoken.HubTokenError),
        (http(429, Retry_After="60"), hubtoken.HubTokenError),
        (b"", hubtoken.HubTokenError),
    ]
    for answer, kind in errors:
        with serving(answer) as server:
            monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
            hubtoken.login(value, name="ci", verify=False)
            with pytest.raises(kind) as caught:
                hubtoken.revoke(name="ci")
            assert leaks(str(caught.value), value) == []
            assert [stored.name for stored in hubtoken.stored_tokens()] == ["ci"]
            hubtoken.logout("ci")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(hubtoken.OfflineError):
        hubtoken.revoke(value)


def test_a_hub_that_says_no_more_leaves_it_unverified(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(request: Any) -> bytes:
        return http(202) if request.path == "/api/credentials/revoke" else http(503)

    with serving(answer) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        (revoked,) = hubtoken.revoke(fake_token())
    assert revoked.state == "unverified"
    assert revoked.reason is not None


def test_a_hub_that_stops_in_the_middle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    batches: list[int] = []

    def answer(request: Any) -> bytes:
        if request.path != "/api/credentials/revoke":
            return http(401)
        batches.append(len(json.loads(request.body)["credentials"]))
        return http(202) if len(batches) == 1 else http(500)

    leaked = tmp_path / "leaked.txt"
    leaked.write_text("\n".join(fake_token() for _ in range(2_500)))
    with serving(answer) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        with pytest.warns(hubtoken.HubTokenWarning, match="not all were sent"):
            revoked = hubtoken.revoke(leaked=leaked)
    assert batches == [1_000, 1_000]
    # The second request had no answer and may have done its work: whoami knows.
    assert states(revoked) == ["dead"] * 2_000 + ["not sent"] * 500


def test_two_thousand_five_hundred_tokens(endpoint: str, hub: Hub, tmp_path: Path) -> None:
    """In three requests: whoami rejects each of them, and the Hub has none of them any more."""
    hub.create_user("bob")
    made = [hub.create_token("bob", name=f"t{number}", role="read") for number in range(MANY)]
    leaked = tmp_path / "leaked.txt"
    leaked.write_text("\n".join(token.reveal() for token in made))
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        revoked = hubtoken.revoke(leaked=leaked)
    print(f"{MANY} tokens: {time.perf_counter() - start:.2f} s")  # noqa: T201 - for the reader
    assert states(revoked) == ["dead"] * MANY
    assert hub.list_tokens("bob") == []
    assert endpoint


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"name": "ci", "leaked": "x"},
        {"token": fake_token(), "name": "ci"},
        {"leaked": "/nowhere"},
    ],
)
def test_wrong_words_are_value_errors(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"one of them alone|cannot be read"):
        hubtoken.revoke(**wrong)


@pytest.mark.parametrize("wrong", [True, False, 1, b"hf_x", {"token"}, [None], [True]])
def test_other_types_are_type_errors(wrong: Any) -> None:
    with pytest.raises(TypeError):
        hubtoken.revoke(wrong)


def test_tokens_of_two_hubs_are_two_calls(hub: Hub, token: HubToken) -> None:
    other = handed_over(endpoint="https://hub.example")
    with pytest.raises(ValueError, match="several Hubs"):
        hubtoken.revoke([token, other])
    assert hubtoken.whoami(token, max_age=0).user == "alice"
    with pytest.raises(hubtoken.TokenFormatError):
        hubtoken.revoke([], endpoint=hub.endpoint)
    with pytest.raises(hubtoken.TokenNotFoundError):
        hubtoken.revoke(name="nobody")


@pytest.mark.skipif(os.name != "posix", reason="no such files elsewhere")
def test_what_may_never_end_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    wrong: list[tuple[str | Path, str]] = [
        (tmp_path, "is a directory"),
        (tmp_path / "fifo", "is not a plain file"),
        ("/dev/zero", "is not a plain file"),
        (tmp_path / "missing", "missing"),
    ]
    for path, reason in wrong:
        with pytest.raises(ValueError, match=reason):
            hubtoken.revoke(leaked=path)


def test_another_hub_than_the_tokens_own_is_wrong(hub: Hub, token: HubToken) -> None:
    with pytest.raises(ValueError, match=r"belongs to .* and endpoint= names https://hub.example"):
        hubtoken.revoke(token, endpoint="https://hub.example")
    assert hubtoken.whoami(token, max_age=0).user == "alice"
    (revoked,) = hubtoken.revoke(token, endpoint=hub.endpoint)
    assert revoked.state == "dead"


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_leaves_what_was_sent_known(home: Path) -> None:
    asked, ended = threading.Event(), threading.Event()

    def answer(request: Any) -> bytes:
        if request.path.endswith("/revoke"):
            return http(202)
        asked.set()
        # There is no answer before the wait has ended.
        ended.wait(HANG_LIMIT)
        return http(401)

    program = "import hubtoken, sys; hubtoken.revoke(sys.stdin.read().split())"
    with (
        serving(answer) as server,
        subprocess.Popen(
            [sys.executable, "-c", program],
            env=child_environment(home, PYTHONPATH=str(ROOT), HF_ENDPOINT=server.endpoint),
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as child,
    ):
        assert child.stdin is not None
        assert child.stderr is not None
        child.stdin.write(f"{fake_token()}\n{fake_token()}")
        child.stdin.close()
        assert asked.wait(HANG_LIMIT)
        child.send_signal(signal.SIGINT)
        errors = child.stderr.read()
        ended.set()
    assert "of 2 tokens, 2 were sent to the Hub and forgotten here, and 0 are known" in errors
    assert "KeyboardInterrupt" in errors
