"""Activation warns about live processes that keep the old token, and about no others."""

from __future__ import annotations

import hashlib
import multiprocessing
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.environment import child_environment, fake_token
from tests.python.helpers import answer_of, leaks, run_program

if TYPE_CHECKING:
    from pathlib import Path

METHODS = multiprocessing.get_all_start_methods()
EMPTY = hashlib.sha256(b"").hexdigest()
needs_fork_server = pytest.mark.skipif(
    "forkserver" not in METHODS, reason="no fork server on this system"
)


def digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def outcome(how: str, method: str, home: Path, value: str | None = None) -> dict[str, Any]:
    """A program's warnings, which contain no value."""
    value = value or fake_token()
    done = run_program("stale_workers", home, {"how": how, "method": method, "value": value})
    answer: dict[str, Any] = answer_of(done)
    assert leaks(done.stdout + done.stderr, value) == []
    for warning in answer.get("alive", []):
        assert warning["category"] == "HubTokenWarning"
        assert warning["file"] == "stale_workers.py"
    assert answer.get("dead", []) == []
    return answer


@pytest.mark.parametrize("method", METHODS)
def test_a_live_process_is_warned_of_and_a_dead_one_is_not(method: str, home: Path) -> None:
    first, second = outcome("process", method, home)["alive"]
    assert "is active now" in first["text"]
    assert "is no longer active" in second["text"]
    for warning in (first, second):
        assert "1 child process of multiprocessing" in warning["text"]
        assert ("fork server" in warning["text"]) == (method == "forkserver")
        assert "Activate before a pool is created" in warning["text"]
        assert "initializer=hubtoken.HubToken.activate" in warning["text"]


@pytest.mark.parametrize("method", [method for method in METHODS if method != "forkserver"])
def test_a_process_that_was_not_waited_for_yet_counts_as_dead(method: str, home: Path) -> None:
    assert outcome("ended_unseen", method, home)["exit"] == 0


@pytest.mark.parametrize("method", METHODS)
def test_an_executor_that_was_started_before_keeps_its_environment(method: str, home: Path) -> None:
    value = fake_token()
    answer = outcome("executor", method, home, value)
    assert answer["before"] == answer["old"] == EMPTY
    assert len(answer["alive"]) == 1
    # The warning about the fork server is true: it passes on the environment it was started with.
    assert answer["new"] == (EMPTY if method == "forkserver" else digest(value))


@needs_fork_server
def test_a_fork_server_of_a_block_hands_its_token_on_after_it(home: Path) -> None:
    value = fake_token()
    answer = outcome("fork_server_inside", "forkserver", home, value)
    assert answer["after"] == digest(value)
    happened = f"HubToken(hf_…{value[-4:]}, source=argument) is no longer active"
    assert [warning["text"].partition(" started")[0] for warning in answer["alive"]] == [
        f"{happened}, but the fork server of multiprocessing"
    ]
    # A killed worker is gone, and its exit status is left to the code that waits for it.
    assert answer["new"] == EMPTY


def test_the_workers_of_joblib_are_warned_of(home: Path) -> None:
    pytest.importorskip("joblib")
    answer = outcome("loky", "loky", home)
    assert len(answer["alive"]) == 2
    for warning in answer["alive"]:
        assert "2 workers of joblib (loky)" in warning["text"]
        assert "child process" not in warning["text"]
        assert "shutdown()" in warning["text"]


@pytest.mark.parametrize("method", METHODS)
def test_the_workers_of_multiprocess_are_warned_of(method: str, home: Path) -> None:
    pytest.importorskip("multiprocess")
    answer = outcome("multiprocess_pool", method, home)
    assert len(answer["alive"]) == 2
    for warning in answer["alive"]:
        assert "2 child processes of multiprocess" in warning["text"]
        assert "multiprocessing" not in warning["text"].partition(" started")[0]
        assert ("fork server of multiprocess" in warning["text"]) == (method == "forkserver")
        assert "initializer=hubtoken.HubToken.activate" in warning["text"]


@pytest.mark.parametrize("method", METHODS)
def test_where_nothing_changes_for_a_child_nothing_is_said(method: str, home: Path) -> None:
    outcome("unchanged", method, home)


@needs_fork_server
def test_a_forked_child_has_no_children_yet(home: Path) -> None:
    outcome("forked", "forkserver", home)


@pytest.mark.parametrize("method", METHODS)
def test_where_warnings_are_errors_nothing_is_set(method: str, home: Path) -> None:
    value = fake_token()
    raised = outcome("errors", method, home, value)["raised"]
    assert raised == [EMPTY, EMPTY, digest(value), EMPTY]


@pytest.mark.parametrize("method", METHODS)
def test_a_warning_points_to_the_line_that_activates(method: str, home: Path) -> None:
    answer = outcome("places", method, home)
    lines = [warning["line"] for warning in answer["alive"]]
    assert lines[:3] == answer["lines"]
    # The end of a block belongs to its `with`.
    assert len(lines) == 4


def test_multiprocessing_is_never_imported_for_it(home: Path) -> None:
    program = (
        "import sys, hubtoken\n"
        "hubtoken.resolve_token('hf_' + 'Fake' * 8 + 'XX').activate()\n"
        "hubtoken.deactivate()\n"
        "import pickle\n"
        "pickle.dumps(hubtoken.resolve_token('hf_' + 'Fake' * 8 + 'XX'))\n"
        "assert not [name for name in sys.modules if name.startswith('multiprocessing')]\n"
        "assert not {'asyncio', 'joblib', 'opcode', 'warnings.'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], env=child_environment(home), check=True)
