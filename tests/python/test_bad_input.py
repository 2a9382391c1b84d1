"""Every bad input in one process: a clear error each, nothing lost, and no token in any output."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.python.helpers import answer_of, leaks, run_program

if TYPE_CHECKING:
    from pathlib import Path

# The prefix of a case's name, and the error that it must end in; the longest prefix applies.
EXPECTED = {
    "": "?",
    "argument: ": "TokenFormatError",
    "argument: bytes": "TypeError",
    "argument: of another Hub": "UntrustedEndpointError",
    "variable: ": "TokenNotFoundError",
    "token file: ": "TokenNotFoundError",
    "project: ": "ConfigurationError",
    "project: an unknown profile": "TokenNotFoundError",
    "pyproject: ": "ConfigurationError",
    "pyproject: an unknown profile": "TokenNotFoundError",
    "user: ": "ConfigurationError",
    "user: an unknown profile": "TokenNotFoundError",
    "stored tokens: ": "StoreError",
    "stored tokens: a continued value": "TokenFormatError",
    "endpoint: ": "UntrustedEndpointError",
    "HF_ENDPOINT: ": "UntrustedEndpointError",
    "Hub: ": "HubUnreachableError",
    "Hub: HTML": "VerdictUnknownError",
    "Hub: broken JSON": "VerdictUnknownError",
    "Hub: redirects to another host": "VerdictUnknownError",
    "Hub: 403": "VerdictUnknownError",
    "Hub: 401": "InvalidTokenError",
    "Hub: 429": "RateLimitedError",
    "embedded Hub: ": "HubError",
    "role: too little": "InsufficientRoleError",
    "role: somebody else's": "RepositoryNotFoundError",
    "role: dead token": "InvalidTokenError",
}

CASES = 100


def expected(name: str) -> str:
    return EXPECTED[max((start for start in EXPECTED if name.startswith(start)), key=len)]


def test_every_bad_input_is_told_clearly_and_no_secret_gets_out(tmp_path: Path) -> None:
    home = tmp_path / "world"
    home.mkdir()
    done = run_program("bad_input", home, TMPDIR=str(home))
    outcomes = answer_of(done)
    assert outcomes == {name: expected(name) for name in outcomes}
    assert len(outcomes) >= CASES

    planted = home / "planted"
    secrets = json.loads((planted / "secrets.json").read_text())
    assert len(secrets) >= CASES
    keys = list(home.rglob("admin-key"))
    assert len(keys) >= 2
    secrets += [key.read_text().strip() for key in keys]

    # The search itself works.
    assert leaks("x" + secrets[0] + "y", *secrets) == [f"hf_…{secrets[0][-4:]}"]
    assert leaks(done.stdout, *secrets) == []
    assert leaks(done.stderr, *secrets) == []
    written = [
        path
        for path in home.rglob("*")
        if path.is_file() and planted not in path.parents and path.name != "admin-key"
    ]
    assert {"program.log", "errors.pickle", "hub.sqlite3"} <= {path.name for path in written}
    for path in written:
        assert leaks(path.read_bytes(), *secrets) == [], path
        assert leaks(path.name, *secrets) == []
