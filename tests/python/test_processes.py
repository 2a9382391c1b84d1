"""All processes of a machine share one request about a token."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.environment import HANG_LIMIT, child_environment, fake_token
from tests.python.helpers import PROGRAMS, ROOT, leaks
from tests.python.servers import http, identity, serving

if TYPE_CHECKING:
    from pathlib import Path

PROCESSES = 64
FEW = 6


def moment_after(home: Path) -> Path:
    """The clock of a home, which stands still while processes send requests; slightly advanced.

    Lease expiry and cache freshness then do not depend on how busy the machine is.
    """
    clock = home / "clock"
    now = int(clock.read_text()) if clock.exists() else int(time.time() * 1000)
    clock.write_text(str(now + 10))
    return clock


def ask(home: Path, number: int, request: dict[str, Any], **variables: str) -> list[dict[str, Any]]:
    """The results of that many cold processes that are released at once."""
    clock = moment_after(home)
    environment = child_environment(
        home, PYTHONPATH=str(ROOT), HUBTOKEN_TEST_CLOCK=str(clock), **variables
    )
    request = {"timeout": HANG_LIMIT} | request
    program = [sys.executable, str(PROGRAMS / "asking.py")]
    with ExitStack() as stack:
        children = [
            stack.enter_context(
                subprocess.Popen(
                    program,
                    env=environment,
                    cwd=home,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(number)
        ]
        for child in children:
            assert child.stdin is not None
            child.stdin.write(json.dumps(request) + "\n")
            child.stdin.flush()
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n", child.communicate()
        outcomes = []
        for child in children:
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        for child in children:
            output, errors = child.communicate()
            assert (child.returncode, errors) == (0, "")
            assert leaks(output, request["value"]) == []
            outcomes.append(json.loads(output))
    return outcomes


def test_64_processes_make_one_request(home: Path) -> None:
    with serving(identity()) as server:
        request = {"value": fake_token(), "endpoint": server.endpoint}
        outcomes = ask(home, PROCESSES, request)
        assert [outcome["user"] for outcome in outcomes] == ["alice"] * PROCESSES
        assert len(server.requests) == 1


def test_64_processes_with_a_dead_token_make_one_request(home: Path) -> None:
    with serving(http(401)) as server:
        request = {"value": fake_token(), "endpoint": server.endpoint}
        outcomes = ask(home, PROCESSES, request)
        assert {outcome["error"] for outcome in outcomes} == {"InvalidTokenError"}
        assert len(server.requests) == 1


@pytest.mark.parametrize("header", [{"Retry_After": "120"}, {"RateLimit": '"whoami";r=0;t=120'}])
def test_64_processes_obey_one_rate_limit(header: dict[str, Any], home: Path) -> None:
    with serving(http(429, **header)) as server:
        # Bypassing the cache is the caller's choice; waiting is required by the Hub.
        request = {"value": fake_token(), "endpoint": server.endpoint, "max_age": 0}
        outcomes = ask(home, PROCESSES, request)
        assert {outcome["error"] for outcome in outcomes} == {"RateLimitedError"}
        assert all(0 < outcome["retry_after"] <= 120 for outcome in outcomes)
        assert len(server.requests) == 1


def test_a_stale_identity_is_said_to_be_stale_in_every_process(home: Path) -> None:
    with serving(identity()) as server:
        request = {"value": fake_token(), "endpoint": server.endpoint}
        assert ask(home, 1, request) == [{"user": "alice", "warnings": []}]
        server.behavior = lambda _: http(503)
        # Fresh enough: no request is sent, and there is nothing to warn about.
        assert ask(home, 1, request) == [{"user": "alice", "warnings": []}]
        assert len(server.requests) == 1
        stale = {"user": "alice", "warnings": ["StaleIdentityWarning"]}
        assert ask(home, FEW, request | {"max_age": 0}) == [stale] * FEW
        failed = ask(home, 1, request | {"max_age": 0, "max_stale": 0})
        assert [outcome["error"] for outcome in failed] == ["HubUnreachableError"]


@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_offline_makes_no_call_and_uses_what_is_shared(variable: str, home: Path) -> None:
    with serving(identity()) as server:
        known = {"value": fake_token(), "endpoint": server.endpoint}
        unknown = known | {"value": fake_token()}
        ask(home, 1, known)
        assert server.connections == 1
        offline = {variable: "1"}
        fresh = ask(home, FEW, known, **offline)
        assert fresh == [{"user": "alice", "warnings": []}] * FEW
        stale = ask(home, FEW, known | {"max_age": 0}, **offline)
        assert stale == [{"user": "alice", "warnings": ["StaleIdentityWarning"]}] * FEW
        for request in (unknown, known | {"max_age": 0, "max_stale": 0}):
            outcomes = ask(home, FEW, request, **offline)
            assert {outcome["error"] for outcome in outcomes} == {"OfflineError"}
        assert server.connections == 1


def test_a_full_disk_costs_requests_and_no_more(home: Path) -> None:
    with serving(identity()) as server:
        request = {"value": fake_token(), "endpoint": server.endpoint, "full_disk": True}
        outcomes = ask(home, FEW, request)
        assert outcomes == [{"user": "alice", "warnings": []}] * FEW
        assert len(server.requests) == FEW
        left = [path for path in (home / "huggingface").rglob("*") if path.is_file()]
        assert left == []


def test_a_cache_that_is_turned_off_is_not_written(home: Path) -> None:
    with serving(identity()) as server:
        request = {"value": fake_token(), "endpoint": server.endpoint}
        ask(home, FEW, request, HUBTOKEN_DISABLE_CACHE="1")
        assert len(server.requests) == FEW
    assert not (home / "huggingface").exists()


def test_a_folder_of_others_is_not_believed(home: Path) -> None:
    with serving(identity()) as server:
        request = {"value": fake_token(), "endpoint": server.endpoint}
        ask(home, 1, request)
        (home / "huggingface" / "hubtoken" / "identities").chmod(0o777)
        server.behavior = lambda _: identity("bob")
        outcomes = ask(home, 1, request)
        assert outcomes == [{"user": "bob", "warnings": []}]
