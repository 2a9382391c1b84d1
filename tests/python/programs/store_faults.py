"""Uses the store where it cannot be written to, and prints the outcome of each verb.

The parent selects the fault (`fault`) and the folder. Faults that need a mount use a mount
namespace of this process, which the parent has created and which ends with it.
"""

from __future__ import annotations

import json
import os
import resource
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hubtoken

# Before this process loses access, possibly even to the interpreter's files.
import hubtoken.errors
from hubtoken import _core

if TYPE_CHECKING:
    from collections.abc import Callable

NOBODY = 65_534
# Less than a token, so that a write fails in the middle.
FEW_BYTES = 20
PAGE = 4096


def mounted(folder: Path) -> None:
    """Mount a small disk on the folder."""
    options = "size=64k,mode=0755"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)


def remount(folder: Path, mode: str) -> None:
    """Make that mount read-only or writable, which a user may do in a namespace too."""
    subprocess.run(["mount", "-o", f"remount,bind,{mode}", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Write until the disk is full."""
    with (folder / "filler").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * PAGE)


def limit_files(size: int) -> None:
    """Let no file grow beyond a size; -1 for the hard limit."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard if size < 0 else size, hard))


def become_nobody() -> None:
    """Give up all privileges."""
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def nothing() -> None:
    """For a fault that cannot be reverted."""


def faults(folder: Path) -> dict[str, tuple[Callable[[], None], Callable[[], None]]]:
    """How each fault begins, and how it ends."""
    return {
        "full": (lambda: fill(folder), (folder / "filler").unlink),
        "read-only": (lambda: remount(folder, "ro"), lambda: remount(folder, "rw")),
        "file size": (lambda: limit_files(FEW_BYTES), lambda: limit_files(-1)),
        "not ours": (become_nobody, nothing),
    }


def snapshot(folder: Path) -> dict[str, Any]:
    """Names, contents, modes and inodes, but for the filler."""
    found = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name != "filler":
            status = path.stat()
            text = path.read_text(encoding="utf-8")
            found[path.name] = [
                text,
                stat.filemode(status.st_mode),
                status.st_ino,
            ]
    return found


def outcome(verb: Callable[[], object]) -> list[str]:
    """The outcome of a call: `ok`, or the error's class and message."""
    try:
        verb()
    except Exception as error:  # noqa: BLE001 - the parent judges
        return [type(error).__name__, str(error)]
    return ["ok", ""]


def command(*arguments: str) -> Callable[[], None]:
    """A verb of the command line, in this process."""

    def run() -> None:
        sys.argv = ["hubtoken", *arguments]
        code = _core.main()
        if code:
            raise SystemExit(code)

    def exit_as_error() -> None:
        try:
            run()
        except SystemExit as error:
            raise RuntimeError(error.code) from None

    return exit_as_error


def main() -> None:
    """Log in, break, try everything, repair, try again."""
    request = json.load(sys.stdin)
    fault = request["fault"]
    first, second, third = request["tokens"]
    folder = Path(os.environ["HF_HOME"])
    folder.mkdir(parents=True, exist_ok=True)
    if fault in {"full", "read-only"}:
        mounted(folder)
    hubtoken.login(first, name="one")
    hubtoken.login(second, name="two")
    if fault == "not ours":
        # Other users may read, as in a home that an administrator has filled.
        folder.chmod(0o755)
        for path in folder.iterdir():
            if path.is_file():
                path.chmod(0o644)
    reading: dict[str, Callable[[], object]] = {
        "stored_tokens": hubtoken.stored_tokens,
        "resolve": lambda: hubtoken.resolve_token(profile="one"),
        "explain": hubtoken.explain,
        "whoami": lambda: hubtoken.whoami(max_age=0),
        "list": command("list"),
        "token": command("token", "--profile", "two"),
        "command explain": command("explain"),
        "status": command("status"),
    }
    writing: dict[str, Callable[[], object]] = {
        "login": lambda: hubtoken.login(third, name="three"),
        "login again": lambda: hubtoken.login(third, name="one"),
        "switch": lambda: hubtoken.switch_token("one"),
        "rename": lambda: hubtoken.rename_token("one", "new"),
        "logout": lambda: hubtoken.logout("one"),
        "logout of the active one": lambda: hubtoken.logout("two"),
    }
    if fault in {"read-only", "not ours"}:
        # Removing needs no space, so that it works on a full disk.
        writing["logout of all"] = hubtoken.logout
        writing["command logout"] = command("logout", "--all")
    begin, end = faults(folder)[fault]
    before = snapshot(folder)
    begin()
    broken = {name: outcome(verb) for name, verb in reading.items()}
    refused = {name: outcome(verb) for name, verb in writing.items()}
    after = snapshot(folder)
    freed = outcome(hubtoken.logout) if fault in {"full", "file size"} else None
    end()
    mended = None
    if fault != "not ours":
        mended = outcome(writing["login"])
    left = sorted(path.name for path in folder.iterdir() if path.is_file())
    answer = {
        "reading": broken,
        "writing": refused,
        "unchanged": before == after,
        "names": sorted(after),
        "freed": freed,
        "mended": mended,
        "left": left,
    }
    sys.stdout.write(f"{json.dumps(answer)}\n")


if __name__ == "__main__":
    main()
