"""Measures large files through the embedded Hub: speed and memory.

Run it directly: `python benches/large_files.py`; `--help` lists options for smaller runs. A Hub in
a separate process receives and serves a file of a gigabyte, by git, by LFS and by download;
sixty-four clients download at once; and a snapshot of ten thousand files is downloaded. The memory
is the peak of the Hub's process (`VmHWM`), reset before each part; that of git's own programs is
reported separately.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.e2e.support.served import Served
from tests.e2e.support.working_copy import Git

if TYPE_CHECKING:
    from collections.abc import Iterator

MEGABYTE = 1 << 20
PIECE = MEGABYTE


class Watch:
    """The memory of a process and of its descendants."""

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
        """The peak of the process itself, and of the largest of the others, in MiB."""
        self._stop.set()
        self._thread.join()
        return most_memory(self.process) // 1024, self.children // 1024


def most_memory(process: int) -> int:
    """In KiB; 0 if the process has ended."""
    try:
        text = Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    lines = [line.split()[1] for line in text.splitlines() if line.startswith("VmHWM:")]
    return int(lines[0]) if lines else 0


def descendants(process: int) -> list[int]:
    """The descendants of a process."""
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
    """Print how long a part took, and how much memory it used."""
    watch = Watch(hub.process.pid)
    begun = time.perf_counter()
    yield
    took = time.perf_counter() - begun
    own, git = watch.end()
    speed = f"{megabytes / took:7.0f} MB/s" if megabytes else ""
    print(f"{what:44} {took:7.1f} s {speed:12} Hub {own:4} MiB   git {git:5} MiB", flush=True)


def write_random(path: Path, megabytes: int) -> str:
    """Write a file that cannot be compressed; returns its SHA-256."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(megabytes):
            piece = os.urandom(MEGABYTE)
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()


def pieces(path: Path) -> Iterator[bytes]:
    """The content of a file, in chunks."""
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


def received(client: httpx.Client, url: str, headers: dict[str, str] | None = None) -> str:
    """Download a file; returns its SHA-256."""
    digest = hashlib.sha256()
    with client.stream("GET", url, headers=headers) as answer:
        answer.raise_for_status()
        for piece in answer.iter_bytes(PIECE):
            digest.update(piece)
    return digest.hexdigest()


class Bench:
    """A Hub, and alice's clients."""

    def __init__(self, hub: Served, megabytes: int, folder: Path) -> None:
        self.hub, self.megabytes, self.folder = hub, megabytes, folder
        admin = self.hub.connect()
        admin.admin("POST", "users", {"name": "alice"})
        made = admin.admin("POST", "users/alice/tokens", {"name": "w", "role": "write"})
        self.token: str = made["token"]
        self.client = httpx.Client(trust_env=False, timeout=600)
        self.client.headers["Authorization"] = f"Bearer {self.token}"
        for name in ("m", "many"):
            body = {"name": name}
            self.client.post(f"{self.hub.endpoint}/api/repos/create", json=body).raise_for_status()
        self.git = Git(folder, self.hub.endpoint, self.token)
        self.url = f"{self.hub.endpoint}/alice/m"

    def link(self, operation: str, oid: str, size: int) -> str:
        """The URL that a large file is uploaded to or downloaded from."""
        body = {"operation": operation, "objects": [{"oid": oid, "size": size}]}
        answer = self.client.post(f"{self.url}.git/info/lfs/objects/batch", json=body)
        return str(answer.json()["objects"][0]["actions"][operation]["href"])

    def lfs(self, large: Path, digest: str) -> None:
        """One large file, up and down, by LFS."""
        size = large.stat().st_size
        with httpx.Client(trust_env=False, timeout=600) as bare:
            target = self.link("upload", digest, size)
            with measured(f"LFS upload of {self.megabytes} MB", self.hub, self.megabytes):
                length = {"Content-Length": str(size)}
                bare.put(target, content=pieces(large), headers=length).raise_for_status()
            with measured(f"LFS download of {self.megabytes} MB", self.hub, self.megabytes):
                assert received(bare, self.link("download", digest, size)) == digest

    def pushes(self, large: Path, digest: str) -> None:
        """One large file by git."""
        clone, again = self.folder / "clone", self.folder / "again"
        self.git.good("clone", "--quiet", self.url, str(clone))
        large.rename(clone / "big")
        self.git.good("add", "big", folder=clone)
        self.git.good("commit", "--quiet", "-m", "Add a large file", folder=clone)
        file = f"{self.url}/resolve/main/big"
        with measured(f"git push of {self.megabytes} MB", self.hub, self.megabytes):
            self.git.good("push", "--quiet", "origin", "main", folder=clone)
        with measured("download of it, out of a pack", self.hub, self.megabytes):
            assert received(self.client, file) == digest
        with measured("the last megabyte of it", self.hub, 1):
            received(self.client, file, headers={"Range": f"bytes=-{MEGABYTE}"})
        with measured("git clone of it", self.hub, self.megabytes):
            self.git.good("clone", "--quiet", self.url, str(again))
        shutil.rmtree(again)
        shutil.rmtree(clone)

    def crowd(self, clients: int) -> None:
        """Many downloads at once."""
        content = os.urandom(20 * MEGABYTE)
        oid = hashlib.sha256(content).hexdigest()
        target = self.link("upload", oid, len(content))
        httpx.put(target, content=content, timeout=600, trust_env=False).raise_for_status()
        source = self.link("download", oid, len(content))

        def download(_: int) -> None:
            with httpx.Client(trust_env=False, timeout=600) as bare:
                assert received(bare, source) == oid

        with (
            measured(f"{clients} downloads of 20 MB at once", self.hub, clients * 20),
            ThreadPoolExecutor(clients) as pool,
        ):
            list(pool.map(download, range(clients)))

    def snapshot(self, files: int) -> None:
        """Many small files."""
        from huggingface_hub import snapshot_download

        lines = [json.dumps({"key": "header", "value": {"summary": "Many"}})]
        for number in range(files):
            path = f"{number % 100}/{number}.txt"
            value = {"path": path, "content": str(number), "encoding": "utf-8"}
            lines.append(json.dumps({"key": "file", "value": value}))
        with measured(f"commit of {files} files", self.hub, 0):
            url = f"{self.hub.endpoint}/api/models/alice/many/commit/main"
            self.client.post(url, content="\n".join(lines)).raise_for_status()
        with measured(f"snapshot of {files} files", self.hub, 0):
            got = snapshot_download(
                "alice/many",
                endpoint=self.hub.endpoint,
                token=self.token,
                cache_dir=self.folder / "cache",
            )
        assert sum(1 for path in Path(got).rglob("*.txt")) == files


def main() -> None:
    """Run it in a temporary folder."""
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    parser = argparse.ArgumentParser(description="Large files through the embedded Hub")
    parser.add_argument("--megabytes", type=int, default=1024, help="of the large file")
    parser.add_argument("--clients", type=int, default=64, help="that download at once")
    parser.add_argument("--files", type=int, default=10_000, help="of the snapshot")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Served(folder, folder / "data") as hub:
            bench = Bench(hub, wanted.megabytes, folder)
            large = folder / "large"
            digest = write_random(large, wanted.megabytes)
            bench.lfs(large, digest)
            bench.pushes(large, digest)
            bench.crowd(wanted.clients)
            bench.snapshot(wanted.files)
            hub.stop()


if __name__ == "__main__":
    main()
