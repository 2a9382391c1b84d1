"""Uses a token and its Hub in children that were forked after the parent had used them.

The request's `how` selects the kind of fork. The test's deadline ends anything that hangs here.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import threading

import hubtoken

CHILDREN = 4


def ask(token: hubtoken.HubToken) -> str:
    """Send one request that reaches the Hub."""
    return hubtoken.whoami(token, max_age=0).user


def in_child(token: hubtoken.HubToken) -> str:
    """Fork, send a request in the child, and return its outcome."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            answer = f"{ask(token)} {hubtoken.whoami(token).user}"
        except BaseException as error:  # noqa: BLE001 - everything is reported
            answer = repr(error)
        os.write(writer, answer.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return answer


def fork(token: hubtoken.HubToken) -> list[str]:
    """One child after the other, and the parent in between."""
    answers = []
    for _ in range(CHILDREN):
        answers += [in_child(token), ask(token)]
    return answers


def pool(token: hubtoken.HubToken) -> list[str]:
    """Workers of a pool."""
    with multiprocessing.get_context("fork").Pool(CHILDREN) as workers:
        return workers.map(ask, [token] * 4 * CHILDREN, chunksize=1)


def threads(token: hubtoken.HubToken) -> list[str]:
    """Children are forked while other threads of the parent send requests continuously."""
    stop = threading.Event()
    failures: list[str] = []
    asked = threading.Barrier(CHILDREN + 1)

    def busy() -> None:
        asked.wait()
        try:
            while not stop.is_set():
                ask(token)
        except hubtoken.HubTokenError as error:
            failures.append(repr(error))

    running = [threading.Thread(target=busy) for _ in range(CHILDREN)]
    for thread in running:
        thread.start()
    asked.wait()
    answers = [in_child(token) for _ in range(5 * CHILDREN)]
    stop.set()
    for thread in running:
        thread.join()
    return answers + failures


def main() -> None:
    """Use it once, then fork as requested."""
    request = json.load(sys.stdin)
    token = hubtoken.resolve_token(request["value"], endpoint=request["endpoint"])
    assert token is not None
    before = ask(token)
    how = {"fork": fork, "pool": pool, "threads": threads}[request["how"]]
    print(json.dumps([before, *how(token)]))  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
