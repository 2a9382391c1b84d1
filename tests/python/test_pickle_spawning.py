"""A token reaches a worker that is being started, through the one pickle that carries its value."""

from __future__ import annotations

import hashlib
import io
import json
import multiprocessing
import pickle
import subprocess
import sys
from multiprocessing import context, reduction
from typing import TYPE_CHECKING, Any

import cloudpickle
import joblib
import pytest

import hubtoken
from tests.environment import child_environment, fake_token
from tests.python.helpers import answer_of, handed_over, leaks, run_program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

METHODS = multiprocessing.get_all_start_methods()
NEW_PROCESS = [method for method in METHODS if method != "fork"]


def digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def outcome(how: str, method: str, value: str, home: Path, *, environment: bool = False) -> Any:
    """The results of the workers; the value is in no file and in no output."""
    request = {"how": how, "method": method, "value": value, "environment": environment}
    done = run_program("spawning", home, request)
    answer = answer_of(done)
    assert leaks(done.stdout + done.stderr, value) == []
    assert answer["leaked"] == []
    assert answer["written"] == (4 if how.startswith("nosy") and method != "fork" else 0)
    return answer["answer"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("how", ["process", "nosy", "nosy_initializer"])
def test_an_argument_of_a_process_arrives(how: str, method: str, home: Path) -> None:
    value = fake_token()
    assert outcome(how, method, value, home) == [digest(value), False]


@pytest.mark.parametrize("method", METHODS)
def test_a_data_set_with_a_token_works_in_the_workers_of_a_loader(method: str, home: Path) -> None:
    value = fake_token()
    expected = [f"{index} {digest(value)}" for index in range(4)]
    assert outcome("loader", method, value, home) == expected


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("how", ["pool_initializer", "pool_activated", "executor_initializer"])
def test_an_argument_of_an_initializer_arrives(how: str, method: str, home: Path) -> None:
    value = fake_token()
    # And a later one through a queue is the token that the worker has by now.
    assert outcome(how, method, value, home) == [digest(value)] * 2


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("how", ["pool", "executor"])
def test_through_a_queue_it_is_looked_for_at_the_workers(how: str, method: str, home: Path) -> None:
    value = fake_token()
    assert outcome(how, method, value, home, environment=True) == digest(value)
    lost = outcome(how, method, value, home)
    if method == "fork":
        # A forked worker has its parent's tokens.
        assert lost == digest(value)
        return
    assert lost.startswith("TokenNotFoundError")
    assert "initializer=" in lost
    assert "initargs=" in lost
    assert "activate() before creating the pool" in lost


@pytest.mark.parametrize("method", NEW_PROCESS)
def test_other_threads_pickles_carry_nothing_meanwhile(method: str, home: Path) -> None:
    assert outcome("while_another_spawns", method, fake_token(), home) is False


class Popen:
    """Pickles for a new process as `multiprocessing` does, and starts none."""

    def launch(self, obj: object, protocol: int | None = None) -> bytes:
        """The pickle that the process would get."""
        file = io.BytesIO()
        reduction.dump(obj, file, protocol)
        return file.getvalue()


@pytest.fixture
def spawning() -> Iterator[Popen]:
    """This thread is starting a process, according to `multiprocessing`."""
    set_popen: Any = context.set_spawning_popen
    popen = Popen()
    set_popen(popen)
    yield popen
    set_popen(None)


class PythonPickler(pickle._Pickler):  # noqa: SLF001
    """The pickler that is written in Python, as joblib's is."""


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_only_the_pickle_of_the_new_process_carries_the_value(
    protocol: int, tmp_path: Path, spawning: Popen
) -> None:
    value = fake_token()
    token = handed_over(value)
    file = io.BytesIO()
    PythonPickler(file, protocol).dump([token])
    joblib.dump({"token": token}, tmp_path / "dumped", protocol=protocol)
    checkpoint = io.BytesIO()
    reduction.dump({"token": token}, checkpoint, protocol)
    others = [
        checkpoint.getvalue(),
        # Another process's, as far as the one that starts is concerned.
        Popen().launch(token, protocol),
        pickle.dumps(token, protocol),
        cloudpickle.dumps(lambda: token, protocol),
        file.getvalue(),
        (tmp_path / "dumped").read_bytes(),
        bytes(reduction.ForkingPickler.dumps(token, protocol)),
        json.dumps(repr(token.__reduce__())).encode(),
        json.dumps(repr(token.__reduce_ex__(protocol))).encode(),
    ]
    assert leaks(b"\n".join(others), value) == []
    assert leaks(spawning.launch(token, protocol), value) != []


def test_without_a_process_that_starts_it_carries_none() -> None:
    value = fake_token()
    assert leaks(Popen().launch(handed_over(value)), value) == []


def test_a_token_that_came_without_its_value_is_passed_on_without(spawning: Popen) -> None:
    value = fake_token()
    token = handed_over(value)
    data = pickle.dumps(token)
    del token
    detached = pickle.loads(data)  # noqa: S301 - our own
    assert leaks(spawning.launch(detached), value) == []


def test_a_joblib_cache_holds_no_value(tmp_path: Path) -> None:
    value = fake_token()
    token = handed_over(value)
    memory = joblib.Memory(tmp_path, verbose=0)
    cached = memory.cache(lambda given: [given])
    assert cached(token)[0] == token
    assert cached(token)[0].reveal() == value
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert leaks(b"".join(path.read_bytes() for path in files), value) == []


JOBLIB = """
import hashlib, json, os, sys, warnings
import joblib
import hubtoken

request = json.load(sys.stdin)
token = hubtoken.resolve_token(request["value"])
if request["activate"]:
    token.activate()

def use(token):
    import hashlib, hubtoken
    try:
        return hashlib.sha256(token.reveal().encode()).hexdigest()
    except hubtoken.HubTokenError as error:
        return type(error).__name__ + ": " + str(error)

print(json.dumps(joblib.Parallel(n_jobs=2)(joblib.delayed(use)(token) for _ in range(4))))
"""


@pytest.mark.parametrize("activate", [False, True])
def test_workers_of_joblib_have_the_token_that_was_active_when_they_started(
    activate: bool, home: Path
) -> None:
    value = fake_token()
    done = subprocess.run(
        [sys.executable, "-c", JOBLIB],
        input=json.dumps({"value": value, "activate": activate}),
        env=child_environment(home),
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    answers = answer_of(done)
    assert leaks(done.stdout + done.stderr, value) == []
    if activate:
        assert answers == [digest(value)] * 4
    else:
        assert {answer.partition(":")[0] for answer in answers} == {"TokenNotFoundError"}
        assert "activate() before creating the pool" in answers[0]


def test_unpickled_damage_is_not_believed() -> None:
    token, other = handed_over(), fake_token()
    restore, arguments = token.__reduce__()
    del token
    damaged = restore(*arguments[:5], other)
    with pytest.raises(hubtoken.TokenNotFoundError):
        damaged.reveal()
