"""Data folders as each earlier schema left them, and how they are made and unpacked.

`schema-N.json` is what a Hub of schema N wrote: its database as SQL, and the files of its
repositories. No part of it is written by hand: `make.py` filled a Hub of that version through its
own interface, stopped it and packed it. Only the digests of its tokens and of its session were
replaced, by those of values that are plainly fake (`values` in the file), since nobody else knows
what belongs to a digest.

Before a step is added to the schema, run `python -m tests.folders.make` once more, with the version
that is to be left behind. A test demands a folder for every schema but the newest.
"""

from __future__ import annotations

import base64
import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def packed(schema: int) -> dict[str, Any]:
    """What was packed of a schema."""
    content: dict[str, Any] = json.loads((HERE / f"schema-{schema}.json").read_text("utf-8"))
    return content


def unpack(schema: int, folder: Path, crowd: int = 0) -> dict[str, Any]:
    """Make a data folder as a Hub of this schema left it; say what is known of it.

    A crowd of further tokens, whose values nobody knows, makes it as large as is wanted.
    """
    content = packed(schema)
    folder.mkdir(mode=0o700)
    for name, data in content["files"].items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(data))
    for name in content["folders"]:
        (folder / name).mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(folder / "hub.sqlite3")) as database:
        database.executescript("\n".join(content["sql"]))
        (user,) = database.execute("SELECT id FROM namespaces WHERE name = 'carol'").fetchone()
        database.executemany(
            "INSERT INTO tokens VALUES (?, ?, ?, 'read', NULL, ?, 'abcd', 1, NULL, NULL)",
            ((f"{n:024x}", user, f"token {n}", n.to_bytes(32, "big")) for n in range(crowd)),
        )
        database.commit()
        database.execute("PRAGMA journal_mode = WAL")
    return content
