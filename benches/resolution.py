"""Measures one token lookup: from the environment, and from an unchanged token file.

The token of an OAuth login that is not due for a renewal comes from the same file.
"""

from __future__ import annotations

import os
import secrets
import string
import tempfile
import time
from pathlib import Path

import hubtoken
from measure import Row, isolate, nanoseconds, report

MONTH = 30 * 24 * 60 * 60
TOKEN = "hf_" + "".join(secrets.choice(string.ascii_letters) for _ in range(34))
OAUTH_TOKEN = "hf_oauth_" + "".join(secrets.choice(string.ascii_letters) for _ in range(34))
# The stamp of a file that has changed more recently is not trusted, in seconds.
SETTLED = 0.2


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

    stored = file.with_name("stored_tokens")
    section = [
        "[oauth-alice]",
        f"hf_token = {OAUTH_TOKEN}",
        "refresh_token = hf_oauth__refresh_Fake",
        f"expires_at = {int(time.time()) + MONTH}",
    ]
    stored.write_text("\n".join(section) + "\n\n", encoding="utf-8")
    file.write_text(OAUTH_TOKEN, encoding="utf-8")
    found = hubtoken.resolve_token()
    assert found is not None
    assert found.reveal() == OAUTH_TOKEN
    # A file that has just changed is read again, since a second change might not show.
    time.sleep(SETTLED)
    hubtoken.resolve_token()
    from_login = nanoseconds(stat, hubtoken.resolve_token, get_token)

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
        Row("resolve an OAuth token", "ns", *from_login, "at most 5,000 ns", "os.stat of the file"),
    ]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        isolate(Path(name))
        report(rows(Path(name)))
