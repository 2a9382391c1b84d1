"""Waits for a Hub in the main thread, which Ctrl-C reaches, and optionally in another one as well.

Prints `ready` before it sends the request. The last line has the outcomes of both.
"""

from __future__ import annotations

import json
import signal
import sys
import threading

import hubtoken

LONG = 300.0


def main() -> None:
    """Send a request, be interrupted, and let the other thread get its answer."""
    # A parent in the background ignores Ctrl-C and passes that on; this one must receive it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    request = json.loads(sys.stdin.readline())
    token = hubtoken.resolve_token(request["value"], endpoint=request["endpoint"])
    assert token is not None
    others: list[str] = []

    def ask() -> None:
        try:
            others.append(hubtoken.whoami(token, timeout=LONG).user)
        except hubtoken.HubTokenError as error:
            others.append(repr(error))

    thread = threading.Thread(target=ask)
    print("ready", flush=True)  # noqa: T201 - the test waits for it
    outcome = "nothing"
    try:
        # Inside: once the other has sent its request, the signal may arrive at any time.
        if request["other"]:
            thread.start()
        hubtoken.whoami(token, timeout=LONG)
    except KeyboardInterrupt:
        outcome = "KeyboardInterrupt"
    except hubtoken.HubTokenError as error:
        outcome = repr(error)
    print("interrupted", flush=True)  # noqa: T201 - the test waits for it
    if request["other"]:
        thread.join()
    print(json.dumps([outcome, others]))  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
