"""Resolves its token through a `token_command`, in many threads, and is interrupted at the end."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path

import hubtoken

THREADS = 16


def configure(home: Path, script: str) -> None:
    """The user's own configuration."""
    folder = Path(os.environ["XDG_CONFIG_HOME"]) / "hubtoken"
    folder.mkdir(parents=True, exist_ok=True)
    script = f"echo run >> {home}/runs; {script}"
    (folder / "config.toml").write_text(f"token_command = ['sh', '-c', '''{script}''']")
    hubtoken.clear_cache()


def main() -> None:
    """Three commands: one that works, one that fails, one that never ends."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    value = json.loads(sys.stdin.read())["value"]
    os.environ["TEST_VALUE"] = value
    home = Path.cwd()
    configure(home, "sleep 0.1; echo $TEST_VALUE")
    found: list[hubtoken.HubToken] = []
    barrier = threading.Barrier(THREADS)

    def resolve() -> None:
        barrier.wait()
        token = hubtoken.resolve_token()
        assert token is not None
        found.append(token)

    threads = [threading.Thread(target=resolve) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    runs = len((home / "runs").read_text().splitlines())

    configure(home, "exit 7")
    failure = ""
    try:
        hubtoken.resolve_token(required=False)
    except hubtoken.HubTokenError as error:
        failure = repr(error)

    configure(home, "kill -INT $PPID; exec sleep 2")
    interrupted = "nothing"
    try:
        hubtoken.resolve_token()
    except KeyboardInterrupt:
        interrupted = "KeyboardInterrupt"
    answer = {
        "source": [token.source for token in found],
        "same": {token.reveal() for token in found} == {value},
        "runs": runs,
        "failure": failure,
        "interrupted": interrupted,
    }
    print(json.dumps(answer))  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
