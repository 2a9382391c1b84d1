"""git gets the current token of a login, so that a push does not fail because it has ended."""

from __future__ import annotations

import subprocess
import sysconfig
import time
from pathlib import Path

import pytest

from tests.environment import child_environment
from tests.python.issuer import HOUR, Issuer, access, log_in, refusal
from tests.python.servers import serving

SCRIPTS = Path(sysconfig.get_path("scripts"))
HELPERS = {
    "the program": [str(SCRIPTS / "git-credential-hubtoken"), "get"],
    "the command": [str(SCRIPTS / "hubtoken"), "git-credential", "get"],
}


def ask(home: Path, endpoint: str, helper: str) -> subprocess.CompletedProcess[str]:
    """What git would get for that Hub."""
    host = endpoint.removeprefix("http://")
    return subprocess.run(
        HELPERS[helper],
        input=f"protocol=http\nhost={host}\n\n",
        env=child_environment(home, HF_ENDPOINT=endpoint),
        cwd=home,
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.mark.parametrize("helper", HELPERS)
def test_git_gets_the_renewed_token(tmp_path: Path, helper: str) -> None:
    """The helper without an interpreter has the command renew it, once."""
    issuer = Issuer()
    log_in(tmp_path, time.time() + HOUR)
    with serving(issuer) as server:
        for _ in range(2):
            given = ask(tmp_path, server.endpoint, helper)
            assert f"password={access(1)}\n" in given.stdout
            assert given.stderr == ""
        assert len(server.requests) == 1
    assert issuer.refused == []


@pytest.mark.parametrize("helper", HELPERS)
def test_git_gets_the_token_that_there_is(tmp_path: Path, helper: str) -> None:
    """If it cannot be renewed: the Hub decides, and a warning says why."""
    issuer = Issuer()
    issuer.fault = refusal("invalid_grant")
    log_in(tmp_path, time.time() + HOUR)
    with serving(issuer) as server:
        given = ask(tmp_path, server.endpoint, helper)
    assert f"password={access(0)}\n" in given.stdout
    assert "log in again with `hubtoken login`" in given.stderr
