"""Stores tokens where the system refuses some calls, as network file systems and sandboxes do.

A filter of the kernel refuses them to this process alone. Prints `null` if there can be none.
"""

from __future__ import annotations

import ctypes
import errno
import json
import platform
import struct
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hubtoken
from hubtoken.hub import Hub

if TYPE_CHECKING:
    from collections.abc import Callable

NUMBERS = {
    "x86_64": {"flock": 73, "fsync": 74, "fdatasync": 75},
    "aarch64": {"flock": 32, "fsync": 82, "fdatasync": 83},
}
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD_NUMBER, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, FAIL = 0x7FFF0000, 0x00050000


class Program(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def refuse(calls: list[str], error: int) -> bool:
    """Make some system calls fail, for this process and the threads that it starts from now on."""
    numbers = NUMBERS.get(platform.machine())
    if numbers is None or not sys.platform.startswith("linux"):
        return False
    code = struct.pack("HBBI", LOAD_NUMBER, 0, 0, 0)
    for call in calls:
        code += struct.pack("HBBI", JUMP_IF_EQUAL, 0, 1, numbers[call])
        code += struct.pack("HBBI", RETURN, 0, 0, FAIL | error)
    code += struct.pack("HBBI", RETURN, 0, 0, ALLOW)
    program = Program(len(code) // 8, code)
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in (
        (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0),
    ):
        if libc.prctl(*arguments) != 0:
            return False
    return True


def use_store(value: str) -> dict[str, Any]:
    """Every verb that changes the store, with its warnings."""
    folder = Path.cwd() / "huggingface"
    folder.mkdir()
    (folder / "stored_tokens").write_text(f"[ci]\nhf_token = {value}\n\n")
    told: dict[str, list[str]] = {}
    changes: dict[str, Callable[[], object]] = {
        "switch": lambda: hubtoken.switch_token("ci"),
        "rename": lambda: hubtoken.rename_token("ci", "new"),
        "logout": hubtoken.logout,
    }
    for verb, change in changes.items():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            change()
        told[verb] = [str(warning.message) for warning in caught]
    return {"warnings": told, "left": sorted(path.name for path in folder.iterdir())}


def use_hub() -> dict[str, Any]:
    """A Hub, whose data folder is locked, a login, and an identity that processes share."""
    with Hub() as hub:
        data = Path(hub.data)
        hub.create_user("alice")
        token = hub.create_token("alice", name="ci", role="read")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            stored = hubtoken.login(token)
        in_use = ""
        try:
            Hub(data).start()
        except hubtoken.HubError as error:
            in_use = str(error)
        user = hubtoken.whoami(token).user
    return {
        "stored": stored.name,
        "user": user,
        "warnings": [str(warning.message) for warning in caught],
        "in use": in_use,
        "left": data.exists(),
    }


def main() -> None:
    """Refuse what the request says, then use what it says."""
    request = json.load(sys.stdin)
    answer = None
    if refuse(request["calls"], getattr(errno, request["error"])):
        answer = use_hub() if request["use"] == "hub" else use_store(request["value"])
    print(json.dumps(answer))  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
