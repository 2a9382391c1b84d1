"""Measures one token lookup: from the environment, and from an unchanged token file."""

from __future__ import annotations

import os
import secrets
import string
import tempfile
from pathlib import Path

import hubtoken
from measure import Row, isolate, nanoseconds, report

TOKEN = "hf_" + "".join(secrets.choice(string.ascii_letters) for _ in range(34))


def rows(folder: Path) -> list[Row]:
    """The file comes first: no variable is set, and both libraries continue to the file."""
    from huggingface_hub import get_token

    file = folder / "huggingface" / "token"
    file.parent.mkdir()
    file.write_text(TOKEN, encoding="utf-8")
    path = str(file)
    assert get_token() == TOKEN
    found = hubtoken.resolve_token()
    assert found is not None
    assert found.reveal() == TOKEN
    stat = lambda: os.stat(path)  # noqa: E731, PTH116 - the bare call is the floor
    from_file = nanoseconds(stat, hubtoken.resolve_token, get_token)

    os.environ["HF_TOKEN"] = TOKEN
    found = hubtoken.resolve_token()
    assert found is not None
    assert found.source == "env:HF_TOKEN"
    from_environment = nanoseconds(
        lambda: os.environ.get("HF_TOKEN"), hubtoken.resolve_token, get_token
    )
    return [
        Row(
            "resolve from environment", "ns", *from_environment, "at most 500 ns", "os.environ.get"
        ),
        Row("resolve from token file", "ns", *from_file, "at most 5,000 ns", "os.stat of the file"),
    ]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        isolate(Path(name))
        report(rows(Path(name)))
