"""Ends a Hub in all the ways in which a program can end, and prints where its folder was."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from pathlib import Path

import hubtoken
from hubtoken.hub import Hub

# Kept to the end, so that only the end of the program stops them.
KEPT: list[Hub] = []


def in_child(hub: Hub) -> None:
    """A forked child stops, calls and drops the Hub, and exits; none of that may affect the Hub."""
    child = os.fork()
    if child:
        assert os.waitpid(child, 0)[1] == 0
        return
    code = 0
    try:
        hub.create_user("mallory")
        code = 1
    except hubtoken.HubError as error:
        code = 0 if str(os.getppid()) in str(error) else 2
    hub.stop()
    KEPT.clear()
    del hub
    # Not os._exit: exit handlers must run in the child as well.
    sys.exit(code)


def main() -> None:
    """Start a Hub, then do what the request says."""
    request = json.load(sys.stdin)
    # This test has a separate temporary folder.
    tempfile.tempdir = None
    hub = Hub(request.get("data")).start()
    KEPT.append(hub)
    hub.create_user("alice")
    token = hub.create_token("alice", name="ci", role="read")
    print(json.dumps({"data": hub.data}), flush=True)  # noqa: T201 - the answer
    how = request["how"]
    if how == "fork":
        in_child(hub)
        assert Path(hub.data).is_dir()
        assert hubtoken.whoami(token, max_age=0).user == "alice"
        assert [info.name for info in hub.list_tokens("alice")] == ["ci"]
    elif how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "raise":
        raise LookupError(repr(token))
    elif how == "exit":
        sys.exit(0)
    elif how == "with":
        with Hub() as second:
            assert second.data != hub.data


if __name__ == "__main__":
    main()
