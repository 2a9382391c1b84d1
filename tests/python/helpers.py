"""Shared code of the Python tests: tokens, child processes, and the detection of leaks."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import hubtoken
from tests.environment import HANG_LIMIT, child_environment, fake_token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubtoken import HubToken

PROGRAMS = Path(__file__).parent / "programs"
ROOT = Path(__file__).parents[2]
DEADLINE = HANG_LIMIT


def handed_over(value: str | None = None, endpoint: str | None = None) -> HubToken:
    """A token passed as an argument; a new fake one if no value is given."""
    token = hubtoken.resolve_token(value or fake_token(), endpoint=endpoint)
    assert token is not None
    return token


def ambient(**options: Any) -> HubToken:
    """The token of the environment."""
    token: HubToken | None = hubtoken.resolve_token(**options)
    assert token is not None
    return token


def forms(secret: str) -> Iterator[str]:
    """The forms in which a secret could leak: unchanged, in base64, in a URL."""
    yield secret
    # A part that is long enough to be unambiguous, whatever precedes it.
    yield secret[4:-4]
    yield quote(secret, safe="")
    for user in ("", ":", "hf_user:", "user:", "alice:", "x-access-token:"):
        yield base64.b64encode(f"{user}{secret}".encode()).decode().rstrip("=")


def leaks(text: str | bytes, *secrets: str) -> list[str]:
    """The secrets that a text contains, in any form; as masks, so that the test leaks none."""
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    return [
        f"{secret[:3]}…{secret[-4:]}"
        for secret in secrets
        if any(form.encode() in data for form in forms(secret))
    ]


def run_program(
    name: str,
    home: Path,
    request: object = None,
    *,
    without: tuple[str, ...] = (),
    **variables: str,
) -> subprocess.CompletedProcess[str]:
    """Run `programs/<name>.py` to its end; JSON is passed through stdin, including secrets."""
    environment = child_environment(home, PYTHONPATH=str(ROOT), **variables)
    for absent in without:
        del environment[absent]
    return subprocess.run(
        [sys.executable, str(PROGRAMS / f"{name}.py")],
        env=environment,
        cwd=home,
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )


def answer_of(done: subprocess.CompletedProcess[str]) -> Any:
    """The JSON on a program's last line."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
