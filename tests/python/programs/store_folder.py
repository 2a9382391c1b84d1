"""Writes in a folder of a given owner and mode, without a umask, and prints what it observed."""

from __future__ import annotations

import json
import os
import stat
import sys
import threading
from pathlib import Path

import hubtoken

ROUNDS = 60


def main() -> None:
    """Watch the folder's files from another thread while the verbs write."""
    request = json.load(sys.stdin)
    folder = Path(os.environ["HF_HOME"])
    folder.mkdir(parents=True)
    owner = request["owner"]
    os.umask(0)
    for name in ("token", "stored_tokens"):
        (folder / name).touch(0o600)
        if owner is not None:
            os.chown(folder / name, owner, owner)
    if owner is not None:
        os.chown(folder, owner, owner)
    folder.chmod(request["mode"])
    seen: set[str] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            for entry in os.scandir(folder):
                try:
                    mode = stat.S_IMODE(entry.stat().st_mode)
                except FileNotFoundError:
                    continue
                if entry.is_file() and not entry.name.endswith(".lock"):
                    seen.add(f"{mode:04o}")

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        hubtoken.login(request["tokens"][0], name="one")
        hubtoken.login(request["tokens"][1], name="two")
        for number in range(ROUNDS):
            hubtoken.switch_token("one" if number % 2 else "two")
            hubtoken.rename_token("one", "between")
            hubtoken.rename_token("between", "one")
    finally:
        done.set()
        watcher.join()
    status = folder.stat()
    files = {name: (folder / name).stat() for name in ("token", "stored_tokens")}
    answer = {
        "seen": sorted(seen),
        "folder": [stat.S_IMODE(status.st_mode), status.st_uid],
        "owners": sorted({file.st_uid for file in files.values()}),
        "us": os.getuid(),
    }
    sys.stdout.write(f"{json.dumps(answer)}\n")


if __name__ == "__main__":
    main()
