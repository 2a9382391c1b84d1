"""Measures a machine's named tokens: listing 1, 10 and 1,000 of them, and finding one by name."""

from __future__ import annotations

import os
import secrets
import string
import tempfile
from pathlib import Path

import hubtoken
from measure import Row, isolate, nanoseconds, report

COUNTS = (1, 10, 1_000)
MICRO = 1_000.0


def fake() -> str:
    """A value in the right format."""
    return "hf_" + "".join(secrets.choice(string.ascii_letters) for _ in range(34))


def rows(folder: Path) -> list[Row]:
    """The file is the one that huggingface_hub writes."""
    from huggingface_hub.utils._auth import (
        _get_token_by_name,
        _save_stored_tokens_full,
        get_stored_tokens,
    )

    path = folder / "huggingface" / "stored_tokens"

    def read() -> bytes:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            return os.read(descriptor, size)
        finally:
            os.close(descriptor)

    measured = []
    size = 0
    tokens: dict[str, str] = {}
    for count in COUNTS:
        tokens = {f"name {number:04}": fake() for number in range(count)}
        _save_stored_tokens_full({name: {"hf_token": value} for name, value in tokens.items()})
        assert get_stored_tokens() == tokens
        assert {e.name: e.token.reveal() for e in hubtoken.stored_tokens()} == tokens
        size = path.stat().st_size
        times = nanoseconds(read, hubtoken.stored_tokens, get_stored_tokens)
        floor, ours, peer = (time / MICRO for time in times)
        target = "at most 400 us" if count == COUNTS[-1] else ""
        what = f"list {count:,} stored token{'s' * (count > 1)}"
        measured.append(Row(what, "us", floor, ours, peer, target, "open, read and close"))
    name = "name 0500"
    found = hubtoken.resolve_token(profile=name)
    assert found is not None
    assert found.reveal() == _get_token_by_name(name) == tokens[name]
    times = nanoseconds(
        read, lambda: hubtoken.resolve_token(profile=name), lambda: _get_token_by_name(name)
    )
    floor, ours, peer = (time / MICRO for time in times)
    what = "one of 1,000 by its name"
    measured.append(Row(what, "us", floor, ours, peer, "", "open, read and close"))
    return measured


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        isolate(Path(name))
        report(rows(Path(name)))
