"""Many threads share one request, a fork breaks nothing, and Ctrl-C works."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest

import hubtoken
from hubtoken.hub import Hub
from tests.environment import HANG_LIMIT, child_environment, fake_token
from tests.python.helpers import (
    DEADLINE,
    PROGRAMS,
    ROOT,
    answer_of,
    handed_over,
    leaks,
    run_program,
)
from tests.python.servers import hanging, http, identity, serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

THREADS = 64
WHOAMI = "/api/whoami-v2"


def all_at_once(
    ask: Callable[[], object], started: Callable[[], None] = lambda: None
) -> list[object]:
    """The outcomes of that many threads, exceptions included; `started` is called meanwhile."""
    barrier = threading.Barrier(THREADS)
    outcomes: list[object] = []

    def run() -> None:
        barrier.wait(DEADLINE)
        try:
            outcomes.append(ask())
        except hubtoken.HubTokenError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    started()
    for thread in threads:
        thread.join(DEADLINE)
    assert len(outcomes) == THREADS
    return outcomes


def test_64_threads_make_one_request() -> None:
    with Hub() as hub:
        hub.create_user("alice")
        token = hub.create_token("alice", name="ci", role="write")
        users = all_at_once(lambda: hubtoken.whoami(token).user)
        assert set(users) == {"alice"}
        assert hub.request_count(WHOAMI) == 1
        all_at_once(lambda: hubtoken.whoami(token))
        assert hub.request_count(WHOAMI) == 1


def test_64_threads_make_one_auth_check() -> None:
    with Hub() as hub:
        hub.create_user("alice")
        hub.create_repository("alice/tiny", private=True)
        token = hub.create_token("alice", name="ci", role="write")
        outcomes = all_at_once(lambda: hubtoken.require_role("write", token, repo="alice/tiny"))
        assert all(outcome is token for outcome in outcomes)
        assert hub.request_count(WHOAMI) == 1
        assert hub.request_count() == 2


def test_64_threads_make_one_request_of_a_slow_hub() -> None:
    gate = threading.Event()

    def slow(_request: object) -> bytes:
        gate.wait(DEADLINE)
        return identity()

    with serving(slow) as server:
        value = fake_token()

        def release() -> None:
            # The request is in flight; later callers join it, or get its answer.
            assert server.asked.wait(DEADLINE)
            gate.set()

        # Each thread has a separate token object: only the value counts.
        outcomes = all_at_once(
            lambda: hubtoken.whoami(value, endpoint=server.endpoint).user, release
        )
        assert set(outcomes) == {"alice"}
        assert len(server.requests) == 1


def test_followers_share_the_leaders_error() -> None:
    # Long enough for all threads to join the request in flight, which fails for all of them. A
    # thread that comes later leads another one: the machine was too busy, and they get more time.
    for seconds in (2, 10, 60, HANG_LIMIT):
        with hanging() as server:
            token = handed_over(endpoint=server.endpoint)
            outcomes = all_at_once(partial(hubtoken.whoami, token, timeout=seconds))
        if len(server.requests) == 1:
            break
    else:
        pytest.fail("they never came together")
    assert {type(outcome) for outcome in outcomes} == {hubtoken.HubUnreachableError}
    assert len({str(outcome) for outcome in outcomes}) == 1
    assert len({id(outcome) for outcome in outcomes}) == THREADS


def test_different_tokens_do_not_wait_for_each_other() -> None:
    slow, quick = fake_token(), fake_token()
    with hanging() as server:
        hang = server.hang
        server.behavior = lambda request: (
            hang(request) if request.authorization == f"Bearer {slow}" else identity()
        )

        def wait() -> None:
            with pytest.raises(hubtoken.HubUnreachableError):
                hubtoken.whoami(slow, endpoint=server.endpoint, timeout=DEADLINE)

        waiting = threading.Thread(target=wait, daemon=True)
        waiting.start()
        assert server.asked.wait(DEADLINE)
        assert hubtoken.whoami(quick, endpoint=server.endpoint).user == "alice"
        assert waiting.is_alive()
        server.closing.set()
        waiting.join(DEADLINE)
        assert not waiting.is_alive()


def test_asking_again_does_not_take_an_answer_that_is_under_way() -> None:
    gates = [threading.Event(), threading.Event()]
    with serving(identity()) as server:
        answers = iter([(gates[0], http(401)), (gates[1], identity("bob"))])

        def answer(_request: object) -> bytes:
            gate, text = next(answers)
            gate.wait(DEADLINE)
            return text

        server.behavior = answer
        token = handed_over(endpoint=server.endpoint)
        first: list[object] = []

        def ask() -> None:
            try:
                hubtoken.whoami(token)
            except hubtoken.InvalidTokenError as error:
                first.append(error)

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        assert server.asked.wait(DEADLINE)
        for gate in gates:
            gate.set()
        # Requested after the first request was sent: the first answer, a 401, is too old for it.
        assert hubtoken.whoami(token, max_age=0).user == "bob"
        thread.join(DEADLINE)
        assert len(first) == 1


@pytest.mark.parametrize("how", ["fork", "pool", "threads"])
def test_a_forked_child_asks_as_its_parent_did(how: str, home: Path) -> None:
    value = fake_token()
    with serving(identity()) as server:
        request = {"how": how, "value": value, "endpoint": server.endpoint}
        done = run_program("after_fork", home, request)
    answers = answer_of(done)
    assert set(answers) <= {"alice", "alice alice"}
    assert len(answers) > 4
    assert leaks(done.stdout + done.stderr, value) == []


@pytest.mark.parametrize("other", [False, True], ids=["alone", "with a follower"])
def test_ctrl_c_ends_the_wait_and_leaves_the_answer_to_others(other: bool, home: Path) -> None:
    value, gate = fake_token(), threading.Event()

    def slow(_request: object) -> bytes:
        gate.wait(DEADLINE)
        return identity()

    with serving(slow) as server:
        child = subprocess.Popen(
            [sys.executable, str(PROGRAMS / "interrupted.py")],
            env=child_environment(home, PYTHONPATH=str(ROOT)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with child:
            assert child.stdin is not None
            assert child.stdout is not None
            assert child.stderr is not None
            request = {"value": value, "endpoint": server.endpoint, "other": other}
            child.stdin.write(json.dumps(request) + "\n")
            child.stdin.flush()
            assert child.stdout.readline() == "ready\n"
            assert server.asked.wait(DEADLINE)
            child.send_signal(signal.SIGINT)
            # While the Hub still hangs: the interrupt came first.
            assert child.stdout.readline() == "interrupted\n"
            gate.set()
            answer = child.stdout.readline()
            errors = child.stderr.read()
            assert child.wait(DEADLINE) == 0, errors
        assert json.loads(answer) == ["KeyboardInterrupt", ["alice"] if other else []]
        assert len(server.requests) == 1
