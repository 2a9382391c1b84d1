"""Keeps a database locked until its stdin is closed; prints `locked` once it has the lock."""

from __future__ import annotations

import sqlite3
import sys


def main() -> None:
    """A lock belongs to a process, so blocking a process takes another one."""
    database = sqlite3.connect(sys.argv[1], isolation_level=None)
    database.execute("PRAGMA locking_mode=EXCLUSIVE")
    database.execute("BEGIN EXCLUSIVE")
    database.execute("CREATE TABLE IF NOT EXISTS other (x)")
    print("locked", flush=True)  # noqa: T201 - the test waits for it
    sys.stdin.read()
    database.execute("ROLLBACK")
    database.close()


if __name__ == "__main__":
    main()
