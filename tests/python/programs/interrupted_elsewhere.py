"""Waits for a Hub where it is unclear which thread Ctrl-C reaches.

`imported`: hubtoken was imported by another thread. `forked`: another thread has forked, so that
it is the main one in the child. Prints `ready` and the process ID before it sends the request.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading

LONG = 45.0


def run_in_thread(work: object) -> None:
    """Runs it in another thread, to its end."""
    thread = threading.Thread(target=work)  # type: ignore[arg-type]
    thread.start()
    thread.join()


def ask(request: dict[str, str]) -> None:
    """Sends the request, and prints the outcome."""
    import hubtoken

    print("ready", os.getpid(), flush=True)  # noqa: T201 - the test waits for it
    try:
        hubtoken.whoami(request["value"], endpoint=request["endpoint"], timeout=LONG)
        outcome = "nothing"
    except KeyboardInterrupt:
        outcome = "KeyboardInterrupt"
    except hubtoken.HubTokenError as error:
        outcome = repr(error)
    print(outcome, flush=True)  # noqa: T201 - the answer


def fork_and_ask(request: dict[str, str]) -> None:
    """Sends the request in a child, whose only thread is this one."""
    child = os.fork()
    if child == 0:
        ask(request)
        os._exit(0)
    os.waitpid(child, 0)


def main() -> None:
    """Prepare as requested, then send the request."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    request = json.loads(sys.stdin.readline())
    if request["case"] == "imported":
        run_in_thread(lambda: __import__("hubtoken"))
        ask(request)
    else:
        import hubtoken  # noqa: F401 - by the main thread

        run_in_thread(lambda: fork_and_ask(request))


if __name__ == "__main__":
    main()
