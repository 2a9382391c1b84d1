"""Records on disk as another process would have written them, of any age, so that no test waits."""

from __future__ import annotations

import hashlib
import json
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from hubtoken import HubToken


def write(home: Path, token: HubToken, suffix: str, age: float, **fields: Any) -> Path:
    """Write a record that is `age` seconds old."""
    folder = home / "huggingface" / "hubtoken" / "identities"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest = hashlib.sha256(token.reveal().encode()).hexdigest()
    hub = hashlib.sha256(token.endpoint.encode()).hexdigest()
    record = {
        "version": 1,
        "endpoint": token.endpoint,
        "digest": digest,
        "asked_at": int((time.time() - age) * 1000),
        **fields,
    }
    path = folder / f"{digest[:32]}-{hub[:16]}{suffix}"
    path.write_text(json.dumps(record))
    path.chmod(0o600)
    return path


def body(role: str = "read", user: str = "alice", **more: Any) -> dict[str, Any]:
    """The whoami response for a token."""
    auth = {"type": "access_token", "accessToken": {"displayName": "ci", "role": role}}
    return {"type": "user", "name": user, "auth": auth, **more}


def identity(home: Path, token: HubToken, age: float, **said: Any) -> None:
    """Another process has requested the token's identity."""
    write(home, token, ".json", age, identity=body(**said))


def rejection(home: Path, token: HubToken, age: float) -> None:
    """Another process has received a rejection of the token."""
    write(home, token, ".rejected", age)
