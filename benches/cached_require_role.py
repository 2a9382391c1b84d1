"""Measures the check that a training script or a server repeats: answered from the cache.

Without `repo=`, the working directory decides which project's configuration applies, so asking
the system for it, as `os.getcwd` does, is the least that such a call can cost.
"""

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
    """huggingface_hub caches whoami on request, but never an auth-check."""
    from huggingface_hub import HfApi

    hub.create_user("alice")
    hub.create_repository(REPOSITORY, private=True)
    token = hub.create_token("alice", name="write", role="write")
    api = HfApi(token=token.reveal())
    require_role = hubtoken.require_role

    handed_over = nanoseconds(
        os.getcwd,
        lambda: require_role("write", token),
        lambda: api.whoami(cache=True),
    )
    os.environ["HF_TOKEN"] = token.reveal()
    ambient = nanoseconds(
        os.getcwd,
        lambda: require_role("write"),
        lambda: api.whoami(cache=True),
    )
    before = hub.request_count()
    on_repository = nanoseconds(
        nothing,
        lambda: require_role("write", token, repo=REPOSITORY),
        lambda: api.auth_check(REPOSITORY, write=True),
    )
    assert hub.request_count() > before, "the peer is expected to ask each time"
    target, getcwd = "at most floor + 400 ns", "os.getcwd"
    call = "a Python call that does nothing"
    return [
        Row("require_role / whoami(cache=True)", "ns", *handed_over, target, getcwd),
        Row("the same, HF_TOKEN's token", "ns", *ambient, "", getcwd),
        Row("require_role(repo=) / auth_check", "ns", *on_repository, "at most 400 ns", call),
    ]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        isolate(Path(folder))
        with Hub() as hub:
            os.environ.update(hub.environ())
            report(rows(hub))
