"""Runs some code in a working directory, as another user or as this one.

Input: `{"folder": …, "user": …, "lock": …, "delete": …, "code": …}`. Root becomes `user`; for other
users, `lock` removes the right to search the folder, which would not affect root. All of hubtoken
is imported before that: the other user may not be able to read it.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import hubtoken
import hubtoken.__main__
import hubtoken.activation
import hubtoken.errors
from hubtoken import _core

# `run` replaces the process, and would lose unwritten output.
sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
request = json.load(sys.stdin)
folder = Path(request["folder"])
os.chdir(folder)
if request.get("delete"):
    folder.rmdir()
if request.get("lock"):
    folder.chmod(0o700 if os.geteuid() == 0 else 0)
if os.geteuid() == 0 and request.get("user"):
    os.setgroups([])
    os.setgid(request["user"])
    os.setuid(request["user"])


def command(*arguments: str) -> None:
    """The command line, in this process; its code goes to standard output."""
    sys.argv = ["hubtoken", *arguments]
    code = _core.main()
    sys.stdout.write(f"code {code}\n")


exec(request["code"], {"hubtoken": hubtoken, "command": command, "os": os})  # noqa: S102 - the tests' own code
