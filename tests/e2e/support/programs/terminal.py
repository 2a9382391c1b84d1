"""Runs a command at a new terminal: waits for a prompt, types, and prints what was shown.

`then` has pairs: what to wait for afterwards (a regular expression), and what to type then.
"""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import sys
import termios


def read_until(terminal: int, shown: bytearray, wanted: bytes) -> None:
    """Read the command's output until it matches `wanted` or ends."""
    while not re.search(wanted, shown):
        try:
            part = os.read(terminal, 4096)
        except OSError:  # Linux reports a closed terminal this way
            return
        if not part:
            return
        shown += part


def main() -> None:
    """One prompt, one answer."""
    request = json.load(sys.stdin)
    child, terminal = pty.fork()
    if child == 0:
        # A parent in the background ignores Ctrl-C and passes that on; the typed one must arrive.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.execvp(request["command"][0], request["command"])  # noqa: S606
    shown = bytearray()
    read_until(terminal, shown, re.escape(request["prompt"].encode()))
    prompted = request["prompt"].encode() in shown
    # The prompt is written once echo is off.
    echo = bool(termios.tcgetattr(terminal)[3] & termios.ECHO) if prompted else None
    if prompted:
        os.write(terminal, request["typed"].encode())
        for wanted, typed in request.get("then", []):
            read_until(terminal, shown, wanted.encode())
            os.write(terminal, typed.encode())
        read_until(terminal, shown, b"\0 never shown \0")
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(json.dumps({"shown": shown.decode(), "echo": echo, "code": code}))


if __name__ == "__main__":
    main()
