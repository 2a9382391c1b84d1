"""Starts workers before, inside and after activation, and prints hubtoken's warnings."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hubtoken

if TYPE_CHECKING:
    from collections.abc import Callable


def sent(_: object = None) -> str:
    """The token that this process sends by default."""
    return hashlib.sha256(os.environ.get("HF_TOKEN", "").encode()).hexdigest()


def wait(answers: Any, leave: Any) -> None:
    """A process that lives until it is told to end."""
    answers.put(sent())
    leave.wait()


def context_of(method: str) -> Any:
    """The context of a start method."""
    return multiprocessing.get_context(method)


def fork_server() -> Any:
    """The fork server, which has no public API."""
    from multiprocessing import forkserver

    return vars(forkserver)["_forkserver"]


def warned(what: Callable[[], object]) -> list[dict[str, Any]]:
    """The warnings that it causes."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        what()
    return [
        {
            "text": str(warning.message),
            "category": warning.category.__name__,
            "file": Path(warning.filename).name,
            "line": warning.lineno,
        }
        for warning in caught
    ]


def line() -> int:
    """The line of the caller."""
    return sys._getframe(1).f_lineno  # noqa: SLF001 - there is no other way


def process(method: str, token: hubtoken.HubToken) -> dict[str, Any]:
    """One process that is alive, and dead afterwards."""
    context = context_of(method)
    answers, leave = context.Queue(), context.Event()
    worker = context.Process(target=wait, args=(answers, leave))
    worker.start()
    answers.get()
    alive = warned(token.activate) + warned(hubtoken.deactivate)
    again = warned(hubtoken.deactivate)
    leave.set()
    worker.join()
    if method == "forkserver":
        fork_server()._stop()  # noqa: SLF001 - for tests, as it says
    dead = warned(token.activate) + warned(hubtoken.deactivate)
    return {"alive": alive, "dead": again + dead}


def ended_unseen(method: str, token: hubtoken.HubToken) -> dict[str, Any]:
    """A process that has ended and was not waited for."""
    context = context_of(method)
    worker = context.Process(target=sent)
    worker.start()
    assert worker.pid is not None
    # Not by its sentinel, which is closed shortly before the process can be waited for.
    os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOWAIT)
    dead = warned(token.activate) + warned(hubtoken.deactivate)
    worker.join()
    return {"dead": dead, "exit": worker.exitcode}


def executor(method: str, token: hubtoken.HubToken) -> dict[str, Any]:
    """A `ProcessPoolExecutor`, before activation and after it."""
    context = context_of(method)
    with ProcessPoolExecutor(1, mp_context=context) as workers:
        before = workers.submit(sent).result()
        alive = warned(token.activate)
        old = workers.submit(sent).result()
    with ProcessPoolExecutor(1, mp_context=context) as workers:
        new = workers.submit(sent).result()
    return {"before": before, "alive": alive, "old": old, "new": new}


def fork_server_inside(_: str, token: hubtoken.HubToken) -> dict[str, Any]:
    """A fork server that is started inside a block, and passes on its environment afterwards."""
    context = context_of("forkserver")

    def block() -> None:
        with token.activate(), context.Pool(1) as pool:
            pool.apply(sent)
            pool.close()
            pool.join()

    alive = warned(block)
    with context.Pool(1) as pool:
        after = pool.apply(sent)
    pid = vars(fork_server())["_forkserver_pid"]
    os.kill(pid, 9)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    dead = warned(token.activate) + warned(hubtoken.deactivate)
    with context.Pool(1) as pool:
        new = pool.apply(sent)
    return {"alive": alive, "after": after, "dead": dead, "new": new}


def loky(_: str, token: hubtoken.HubToken) -> dict[str, Any]:
    """The workers that joblib keeps between calls."""
    import joblib
    from joblib.externals.loky import get_reusable_executor

    parallel = joblib.Parallel(n_jobs=2)
    parallel(joblib.delayed(len)("ab") for _ in range(4))
    alive = warned(token.activate) + warned(hubtoken.deactivate)
    get_reusable_executor().shutdown(wait=True)
    dead = warned(token.activate) + warned(hubtoken.deactivate)
    return {"alive": alive, "dead": dead}


def multiprocess_pool(method: str, token: hubtoken.HubToken) -> dict[str, Any]:
    """A pool of `multiprocess`, as `datasets` creates one for `num_proc=`."""
    import multiprocess
    from multiprocess import forkserver as module

    with multiprocess.get_context(method).Pool(2) as pool:
        pool.apply(len, ("",))
        alive = warned(token.activate) + warned(hubtoken.deactivate)
        pool.close()
        pool.join()
    if method == "forkserver":
        vars(module)["_forkserver"]._stop()  # noqa: SLF001 - for tests, as it says
    dead = warned(token.activate) + warned(hubtoken.deactivate)
    return {"alive": alive, "dead": dead}


def unchanged(method: str, token: hubtoken.HubToken) -> dict[str, Any]:
    """Nothing changes for a child: the token is sent anyway, or was active already."""
    os.environ["HF_TOKEN"] = str.__str__(token.reveal())
    context = context_of(method)
    answers, leave = context.Queue(), context.Event()
    worker = context.Process(target=wait, args=(answers, leave))
    worker.start()
    answers.get()
    dead = warned(token.activate) + warned(token.activate) + warned(hubtoken.deactivate)
    leave.set()
    worker.join()
    return {"dead": dead}


def forked(_: str, token: hubtoken.HubToken) -> dict[str, Any]:
    """In a forked child, which lists its parent's children and fork server but has none."""
    context = context_of("forkserver")
    with context.Pool(1) as pool:
        pool.apply(sent)
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.write(writer, json.dumps(warned(token.activate)).encode())
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as pipe:
            return {"dead": json.load(pipe)}


def errors(method: str, token: hubtoken.HubToken) -> dict[str, Any]:
    """If warnings are errors."""
    context = context_of(method)
    answers, leave = context.Queue(), context.Event()
    worker = context.Process(target=wait, args=(answers, leave))
    worker.start()
    answers.get()
    raised = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            try:
                token.activate()
            except hubtoken.HubTokenWarning:  # noqa: PERF203 - that is what is tested
                raised.append(sent())
    other = hubtoken.resolve_token("hf_" + "Fake" * 8 + "XX")
    assert other is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with token.activate():
            warnings.simplefilter("error")
            try:
                with other.activate():
                    raised.append("entered")
            except hubtoken.HubTokenWarning:
                raised.append(sent())
            warnings.simplefilter("ignore")
        raised.append(sent())
    leave.set()
    worker.join()
    return {"raised": raised}


def places(method: str, token: hubtoken.HubToken) -> dict[str, Any]:
    """The locations that the warnings report."""
    context = context_of(method)
    answers, leave = context.Queue(), context.Event()
    worker = context.Process(target=wait, args=(answers, leave))
    worker.start()
    answers.get()
    lines: list[int] = []

    def plain() -> None:
        lines.append(line() + 1)
        token.activate()
        lines.append(line() + 1)
        hubtoken.deactivate()

    def block() -> None:
        import contextlib

        with contextlib.ExitStack() as stack:
            lines.append(line() + 1)
            stack.enter_context(token.activate())

    alive = warned(plain) + warned(block)
    leave.set()
    worker.join()
    return {"alive": alive, "lines": lines}


def main() -> None:
    """Run what is requested."""
    request = json.load(sys.stdin)
    token = hubtoken.resolve_token(request["value"])
    assert token is not None
    print(json.dumps(globals()[request["how"]](request["method"], token)))  # noqa: T201


if __name__ == "__main__":
    main()
