"""Large files through the embedded Hub: how fast, and in how much memory.

Run by hand: `python benches/large_files.py [MEGABYTES]`. A Hub in a process of its own takes and
gives a file of a gigabyte, by git, by LFS and by download; sixty-four clients download at once; and
a snapshot of ten thousand files is taken. The memory is the most that the Hub's process ever had
(`VmHWM`), reset before each part; what git's own programs had is told apart.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.e2e.served import Served
from tests.e2e.working_copy import Git

if TYPE_CHECKING:
    from collections.abc import Iterator

MEGABYTE = 1 << 20
PIECE = MEGABYTE
CLIENTS = 64
FILES = 10_000


class Watch:
    """The memory of a process and of those that it starts."""

    def __init__(self, process: int) -> None:
        self.process = process
        self.children = 0
        self._stop = threading.Event()
        Path(f"/proc/{process}/clear_refs").write_text("5", encoding="ascii")
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._stop.wait(0.05):
            self.children = max([self.children, *map(most_memory, descendants(self.process))])

    def end(self) -> tuple[int, int]:
        """The most of the process itself, and of the largest of the others, in MiB."""
        self._stop.set()
        self._thread.join()
        return most_memory(self.process) // 1024, self.children // 1024


def most_memory(process: int) -> int:
    """In KiB; nothing if the process has gone."""
    try:
        text = Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    lines = [line.split()[1] for line in text.splitlines() if line.startswith("VmHWM:")]
    return int(lines[0]) if lines else 0


def descendants(process: int) -> list[int]:
    """The processes that a process has started, and theirs."""
    found = []
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            children = [int(child) for child in task.read_text(encoding="ascii").split()]
        except OSError:
            continue
        for child in children:
            found += [child, *descendants(child)]
    return found


@contextmanager
def measured(what: str, hub: Served, megabytes: float) -> Iterator[None]:
    """Print how long a part took, and in how much memory."""
    watch = Watch(hub.process.pid)
    begun = time.perf_counter()
    yield
    took = time.perf_counter() - begun
    own, git = watch.end()
    speed = f"{megabytes / took:7.0f} MB/s" if megabytes else ""
    print(f"{what:44} {took:7.1f} s {speed:12} Hub {own:4} MiB   git {git:5} MiB", flush=True)


def write_random(path: Path, megabytes: int) -> str:
    """A file that cannot be made smaller; its SHA-256."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(megabytes):
            piece = os.urandom(MEGABYTE)
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()


def pieces(path: Path) -> Iterator[bytes]:
    """The content of a file."""
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


def received(client: httpx.Client, url: str, **options: Any) -> str:
    """Download, and say the SHA-256."""
    digest = hashlib.sha256()
    with client.stream("GET", url, **options) as answer:
        answer.raise_for_status()
        for piece in answer.iter_bytes(PIECE):
            digest.update(piece)
    return digest.hexdigest()


def run(megabytes: int, folder: Path) -> None:
    """All parts, one after the other."""
    home = folder / "home"
    home.mkdir()
    hub = Served(home, folder / "data")
    admin = hub.connect()
    admin.admin("POST", "users", {"name": "alice"})
    made = admin.admin("POST", "users/alice/tokens", {"name": "w", "role": "write"})
    token = made["token"]
    client = httpx.Client(trust_env=False, timeout=600)
    client.headers["Authorization"] = f"Bearer {token}"
    for name in ("m", "many"):
        client.post(f"{hub.endpoint}/api/repos/create", json={"name": name}).raise_for_status()
    large = folder / "large"
    digest = write_random(large, megabytes)
    base = f"{hub.endpoint}/alice/m"

    about = {"oid": digest, "size": large.stat().st_size}

    def link(operation: str) -> str:
        body = {"operation": operation, "objects": [about]}
        answer = client.post(f"{base}.git/info/lfs/objects/batch", json=body)
        return str(answer.json()["objects"][0]["actions"][operation]["href"])

    with httpx.Client(trust_env=False, timeout=600) as bare:
        target = link("upload")
        with measured(f"LFS upload of {megabytes} MB", hub, megabytes):
            length = {"Content-Length": str(about["size"])}
            bare.put(target, content=pieces(large), headers=length).raise_for_status()
        with measured(f"LFS download of {megabytes} MB", hub, megabytes):
            assert received(bare, link("download")) == digest

    git = Git(home, hub.endpoint, token)
    clone = folder / "clone"
    git.good("clone", "--quiet", base, str(clone))
    os.rename(large, clone / "big")
    git.good("add", "big", folder=clone)
    git.good("commit", "--quiet", "-m", "Add a large file", folder=clone)
    with measured(f"git push of {megabytes} MB", hub, megabytes):
        git.good("push", "--quiet", "origin", "main", folder=clone)
    with measured("download of it, out of a pack", hub, megabytes):
        assert received(client, f"{base}/resolve/main/big") == digest
    with measured("the last megabyte of it", hub, 1):
        received(client, f"{base}/resolve/main/big", headers={"Range": f"bytes=-{MEGABYTE}"})
    with measured("git clone of it", hub, megabytes):
        git.good("clone", "--quiet", base, str(folder / "again"))
    subprocess.run(["rm", "-rf", str(folder / "again"), str(clone)], check=True)

    small = os.urandom(20 * MEGABYTE)
    oid = hashlib.sha256(small).hexdigest()
    about = {"oid": oid, "size": len(small)}
    client.put(link("upload"), content=small).raise_for_status()
    target = link("download")

    def download(_: int) -> None:
        with httpx.Client(trust_env=False, timeout=600) as bare:
            assert received(bare, target) == oid

    with (
        measured(f"{CLIENTS} downloads of 20 MB at once", hub, CLIENTS * 20),
        ThreadPoolExecutor(CLIENTS) as pool,
    ):
        list(pool.map(download, range(CLIENTS)))

    lines = [json.dumps({"key": "header", "value": {"summary": "Many"}})]
    for number in range(FILES):
        value = {"path": f"{number % 100}/{number}.txt", "content": str(number), "encoding": "utf-8"}
        lines.append(json.dumps({"key": "file", "value": value}))
    with measured(f"commit of {FILES} files", hub, 0):
        url = f"{hub.endpoint}/api/models/alice/many/commit/main"
        client.post(url, content="\n".join(lines)).raise_for_status()
    from huggingface_hub import snapshot_download

    with measured(f"snapshot of {FILES} files", hub, 0):
        got = snapshot_download(
            "alice/many", endpoint=hub.endpoint, token=token, cache_dir=folder / "cache"
        )
    assert sum(1 for path in Path(got).rglob("*.txt")) == FILES
    admin.close()
    hub.stop()


def main() -> None:
    """Run it in a folder of its own, which goes away."""
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
    with tempfile.TemporaryDirectory() as folder:
        run(megabytes, Path(folder))


if __name__ == "__main__":
    main()
