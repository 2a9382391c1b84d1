"""The OAuth token of a login is renewed before its end, and a `HubToken` has the current value."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import threading
import time
import warnings
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

import hubtoken
from tests.environment import child_environment
from tests.python.helpers import PROGRAMS, ROOT, ambient, leaks, run_program
from tests.python.issuer import HOUR, Issuer, access, log_in, refresh, refusal
from tests.python.servers import Server, http, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.python.servers import Request

DAY = 24 * HOUR
MINUTE = 60


@pytest.fixture
def issuer() -> Issuer:
    """A token endpoint whose tokens live for eight hours."""
    return Issuer()


@pytest.fixture
def server(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Its server, which is `HF_ENDPOINT`."""
    with serving(issuer) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        yield server


def renewals(server: Server) -> int:
    """How many requests the token endpoint got."""
    return sum(request.path == "/oauth/token" for request in server.requests)


class Prepared:
    """A request of `requests` or `httpx` that is about to be sent."""

    def __init__(self, url: str) -> None:
        """To that address."""
        self.url = url
        self.headers: dict[str, str] = {}


def test_every_use_has_the_renewed_value(server: Server, issuer: Issuer, home: Path) -> None:
    """The first use renews it, on the disk first, and each later one has the same value."""
    log_in(home, time.time() + HOUR)
    token = ambient()
    assert token.reveal() == access(1)
    assert token.bearer() == f"Bearer {access(1)}"
    url = f"{server.endpoint}/api"
    assert token.headers(url) == {"Authorization": f"Bearer {access(1)}"}
    request = Prepared(url)
    assert token(request).headers["Authorization"] == f"Bearer {access(1)}"
    assert token.environ({})["HF_TOKEN"] == access(1)
    assert hubtoken.get_token() == access(1)
    assert hubtoken.whoami(token).user == "alice"
    assert issuer.asked_by == [access(1)]
    assert (home / "huggingface/token").read_text() == access(1)
    stored = (home / "huggingface/stored_tokens").read_text()
    lines = stored.splitlines()
    assert lines[:3] == [
        "[oauth-alice]",
        f"hf_token = {access(1)}",
        f"refresh_token = {refresh(1)}",
    ]
    assert 0 <= time.time() + 8 * HOUR - int(lines[3].removeprefix("expires_at = ")) < HOUR
    # An eight-hour token is not renewed at every call.
    hubtoken.clear_cache()
    assert ambient().reveal() == access(1)
    assert (renewals(server), issuer.refused) == (1, [])


def test_a_token_of_a_variable_or_an_argument_stays_as_it_is(
    server: Server, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user has put the value there, and other programs would not see another one."""
    log_in(home, time.time() + HOUR, active=False)
    monkeypatch.setenv("HF_TOKEN", access(0))
    assert ambient().reveal() == access(0)
    argument = hubtoken.resolve_token(access(0))
    assert argument is not None
    assert argument.reveal() == access(0)
    assert renewals(server) == 0


def test_many_threads_renew_once(server: Server, issuer: Issuer, home: Path) -> None:
    """One of them sends the request."""
    log_in(home, time.time() + HOUR)
    token = ambient()
    values = []
    barrier = threading.Barrier(16)

    def use() -> None:
        barrier.wait()
        values.append(token.reveal())

    threads = [threading.Thread(target=use) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert values == [access(1)] * 16
    assert (renewals(server), issuer.refused) == (1, [])


def test_a_login_that_has_ended(server: Server, issuer: Issuer, home: Path) -> None:
    """One warning says what to do, the value is used to its end, and then it is an error."""
    issuer.fault = refusal("invalid_grant", "The session was revoked.")
    log_in(home, time.time() + HOUR)
    token = ambient()
    with pytest.warns(hubtoken.HubTokenWarning, match="log in again with `hubtoken login`"):
        assert token.reveal() == access(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert token.reveal() == access(0)
    assert renewals(server) == 1
    log_in(home, time.time() - MINUTE, 5)
    ended = hubtoken.resolve_token(profile="oauth-alice")
    assert ended is not None
    with pytest.raises(hubtoken.InvalidTokenError, match="invalid_grant") as raised:
        ended.reveal()
    assert raised.value.source == "store:oauth-alice"
    assert not leaks(str(raised.value), access(5), refresh(5))


def test_a_hub_that_fails_says_nothing_about_the_login(
    server: Server, issuer: Issuer, home: Path
) -> None:
    """The old value is used, after its end as well, and one warning says so."""
    issuer.fault = http(500)
    log_in(home, time.time() - MINUTE)
    token = ambient()
    with pytest.warns(hubtoken.HubTokenWarning, match="nothing is known against") as told:
        assert token.reveal() == access(0)
    assert token.reveal() == access(0)
    assert (len(told), renewals(server)) == (1, 1)


def test_offline_no_request_is_sent(
    server: Server, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is anything said before its end."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    log_in(home, time.time() + HOUR)
    assert ambient().reveal() == access(0)
    assert server.connections == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written(server: Server, home: Path) -> None:
    """Nothing is requested: the answer would be lost."""
    log_in(home, time.time() + HOUR)
    folder = home / "huggingface"
    folder.chmod(0o500)
    try:
        with pytest.warns(hubtoken.HubTokenWarning, match="was not renewed"):
            assert ambient().reveal() == access(0)
    finally:
        folder.chmod(0o700)
    assert renewals(server) == 0


@pytest.mark.usefixtures("alone")
def test_an_active_token_follows(server: Server, home: Path) -> None:
    """`HF_TOKEN`, which the Hub's libraries read, has the renewed value."""
    log_in(home, time.time() + 30 * DAY, active=False)
    token = hubtoken.resolve_token(profile="oauth-alice")
    assert token is not None
    with token.activate():
        assert os.environ["HF_TOKEN"] == access(0)
        log_in(home, time.time() + HOUR, active=False)
        hubtoken.clear_cache()
        again = hubtoken.resolve_token(profile="oauth-alice")
        assert again is not None
        assert again.reveal() == access(1)
    due = hubtoken.resolve_token(profile="oauth-alice")
    assert due is not None
    with due.activate():
        assert os.environ["HF_TOKEN"] == access(1)
    assert "HF_TOKEN" not in os.environ
    assert renewals(server) == 1


@pytest.mark.usefixtures("alone")
def test_nothing_is_set_for_the_token_that_huggingface_hub_renews_itself(
    server: Server, home: Path
) -> None:
    """The active token of the file, before and after its renewal."""
    log_in(home, time.time() + HOUR)
    with ambient().activate() as token:
        assert "HF_TOKEN" not in os.environ
        assert token.reveal() == access(1)
        assert "HF_TOKEN" not in os.environ
    assert renewals(server) == 1


@pytest.mark.usefixtures("server")
def test_equality_and_hash_do_not_change(home: Path) -> None:
    """A renewal changes what is sent, and not which object this is."""
    log_in(home, time.time() + HOUR)
    token, same = hubtoken.HubToken(access(0)), ambient()
    before = hash(same)
    known = {same: 1}
    mask = repr(same)
    assert same.reveal() == access(1)
    assert hash(same) == before
    assert same == token
    assert known[same] == 1
    # What is shown is what is sent.
    assert repr(same) != mask
    assert same.fingerprint == hubtoken.HubToken(access(1)).fingerprint


def test_a_pickle_refers_to_the_current_value(server: Server, home: Path) -> None:
    """An unpickled token is the same one, and carries no value."""
    log_in(home, time.time() + HOUR)
    token = ambient()
    early = pickle.dumps(token)
    assert token.reveal() == access(1)
    late = pickle.dumps(token)
    assert not leaks(early + late, access(0), access(1), refresh(0), refresh(1))
    for text in (early, late):
        assert pickle.loads(text).reveal() == access(1)  # noqa: S301 - its own pickle
    assert renewals(server) == 1


def run(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "hubtoken", *arguments],
        env=child_environment(home, PYTHONPATH=str(ROOT), **variables),
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_renews(server: Server, issuer: Issuer, home: Path) -> None:
    """`hubtoken token` prints the renewed value, and says what to do if there is none."""
    log_in(home, time.time() + HOUR)
    done = run(home, "token", HF_ENDPOINT=server.endpoint)
    assert (done.stdout, done.stderr, done.returncode) == (f"{access(1)}\n", "", 0)
    listed = json.loads(run(home, "list", "--json", HF_ENDPOINT=server.endpoint).stdout)
    assert listed["tokens"][0]["name"] == "oauth-alice"
    issuer.fault = refusal("invalid_grant")
    log_in(home, time.time() - MINUTE, 7)
    done = run(home, "token", HF_ENDPOINT=server.endpoint)
    assert (done.stdout, done.returncode) == ("", 1)
    assert "hubtoken login" in done.stderr
    assert not leaks(done.stderr, access(7), refresh(7))


def test_an_object_that_is_kept_has_the_current_value(issuer: Issuer, home: Path) -> None:
    """Service accounts take their token once, and use it for as long as they are kept."""

    def answered(request: Request) -> bytes:
        return http(200, "[]") if "service-accounts" in request.path else issuer(request)

    start = int(time.time())
    with serving(answered) as server:
        log_in(home, start + 30 * DAY)
        done = run_program(
            "managing_for_days",
            home,
            [start * 1000, (start + 30 * DAY - HOUR) * 1000, (start + 31 * DAY) * 1000],
            HF_ENDPOINT=server.endpoint,
            HUBTOKEN_TEST_CLOCK=str(home / "clock"),
        )
        assert done.returncode == 0, done.stderr
        asked = [request for request in server.requests if "service-accounts" in request.path]
        values = [request.authorization for request in asked]
        assert values == [f"Bearer {access(number)}" for number in range(3)]


def test_two_processes_hold_an_eight_hour_token_for_a_week(
    server: Server, issuer: Issuer, home: Path
) -> None:
    """Each refresh token is used once, and both have the current value at any time."""
    clock = home / "clock"
    start = time.time()
    clock.write_text(str(int(start * 1000)))
    log_in(home, start + 8 * HOUR)
    environment = child_environment(
        home,
        PYTHONPATH=str(ROOT),
        HF_ENDPOINT=server.endpoint,
        HUBTOKEN_TEST_CLOCK=str(clock),
    )
    with ExitStack() as stack:
        holders = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, str(PROGRAMS / "renewing.py")],
                    env=environment,
                    cwd=home,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(2)
        ]
        issued_at = {0: start}
        for hour in range(0, 7 * 24, 2):
            now = start + hour * HOUR
            clock.write_text(str(int(now * 1000)))
            for holder in holders:
                assert holder.stdin is not None
                holder.stdin.write("\n")
                holder.stdin.flush()
            for holder in holders:
                assert holder.stdout is not None
                assert holder.stdout.readline() == f"{access(issuer.number)}\n", hour
            issued_at.setdefault(issuer.number, now)
            assert now < issued_at[issuer.number] + 8 * HOUR
        for holder in holders:
            assert holder.stdin is not None
            holder.stdin.close()
    # Every six hours, and once more for the login of which nothing but the end was known.
    assert renewals(server) == issuer.number
    assert 27 <= issuer.number <= 29
    assert issuer.refused == []
