"""Starts programs that log in by a code, and decides about the code as a user would."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from urllib.request import urlopen

from tests.environment import HANG_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hubtoken.hub import Hub
    from tests.e2e.support.runner import Runner

CLIENT = "26be6b09-91c5-47da-9861-d2d2bb7a7e36"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
USER_CODE = re.compile(r"\b[B-DF-HJ-NP-TV-XZ]{4}-[B-DF-HJ-NP-TV-XZ]{4}\b")


@dataclass(frozen=True)
class Ended:
    """How such a program ended, and what it wrote on both streams."""

    code: int
    shown: str
    user_code: str


def log_in(runner: Runner, command: Sequence[str], decide: Callable[[str], None]) -> Ended:
    """Run a program without a terminal; once it shows its code, hand that over."""
    with subprocess.Popen(
        command,
        env=runner.environment(BROWSER="", PYTHONUNBUFFERED="1"),
        cwd=runner.home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as child:
        assert child.stdout is not None
        timer = threading.Timer(HANG_LIMIT, child.kill)
        timer.start()
        shown = ""
        user_code = ""
        for line in child.stdout:
            shown += line
            found = USER_CODE.search(line)
            if found and not user_code:
                user_code = found[0]
                decide(user_code)
        code = child.wait()
        timer.cancel()
    assert user_code, shown
    return Ended(code, shown, user_code)


def request_code(hub: Hub, scope: str = "") -> dict[str, Any]:
    """Ask for a code, as a program does."""
    return _form(hub, "/oauth/device", client_id=CLIENT, scope=scope)


def begin_login(hub: Hub, user: str, scope: str = "") -> str:
    """Log in a program as a user; the id of its login."""
    code = request_code(hub, scope)
    hub.approve_login(code["user_code"], user)
    device_code = code["device_code"]
    _form(hub, "/oauth/token", grant_type=DEVICE_GRANT, device_code=device_code, client_id=CLIENT)
    return hub.list_logins(user)[0].id


def _form(hub: Hub, path: str, **fields: str) -> dict[str, Any]:
    # The embedded Hub, at the address that it says itself.
    with urlopen(hub.endpoint + path, urlencode(fields).encode()) as answer:  # noqa: S310
        return dict(json.load(answer))
