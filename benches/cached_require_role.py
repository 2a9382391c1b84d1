"""The check that a training script or a server makes again and again: answered from memory."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import hubtoken
from hubtoken.hub import Hub
from measure import Row, isolate, nanoseconds, report

REPOSITORY = "alice/model"


def nothing() -> None:
    """The least that a call costs."""


def rows(hub: Hub) -> list[Row]:
    """huggingface_hub keeps whoami on request, an auth-check never."""
    from huggingface_hub import HfApi

    hub.create_user("alice")
    hub.create_repository(REPOSITORY, private=True)
    token = hub.create_token("alice", name="write", role="write")
    api = HfApi(token=token.reveal())
    require_role = hubtoken.require_role

    general = nanoseconds(
        nothing,
        lambda: require_role("write", token),
        lambda: api.whoami(cache=True),
    )
    before = hub.request_count()
    on_repository = nanoseconds(
        nothing,
        lambda: require_role("write", token, repo=REPOSITORY),
        lambda: api.auth_check(REPOSITORY, write=True),
    )
    assert hub.request_count() > before, "the peer is expected to ask each time"
    floor = "a Python call that does nothing"
    return [
        Row("require_role / whoami(cache=True)", "ns", *general, "at most 1,000 ns", floor),
        Row("require_role(repo=) / auth_check", "ns", *on_repository, "at most 1,000 ns", floor),
    ]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        isolate(Path(folder))
        with Hub() as hub:
            os.environ.update(hub.environ())
            report(rows(hub))
