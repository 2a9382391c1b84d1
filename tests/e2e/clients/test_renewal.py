"""`hubtoken` and `huggingface_hub` renew the same login, through the lock that both take."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from tests.environment import child_environment
from tests.python.helpers import ROOT
from tests.python.issuer import HOUR, Issuer, access, log_in
from tests.python.servers import serving

PROGRAMS = Path(__file__).parents[1] / "support" / "programs"
PROCESSES = 50


def test_fifty_processes_use_a_refresh_token_once(tmp_path: Path) -> None:
    """Whichever library gets the lock first renews it, and all others adopt its result."""
    issuer = Issuer(lifetime=30 * 24 * HOUR)
    log_in(tmp_path, time.time() + HOUR)
    with serving(issuer) as server:
        done = subprocess.run(
            [sys.executable, str(PROGRAMS / "renewing_together.py"), str(PROCESSES)],
            env=child_environment(tmp_path, PYTHONPATH=str(ROOT), HF_ENDPOINT=server.endpoint),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert (issuer.number, issuer.refused) == (1, [])
    # One that reads the token file before the winner has written it gets the old value, which is
    # valid for another hour: `huggingface_hub` writes that file last.
    assert set(done.stdout.split()) <= {access(0), access(1)}
    assert len(done.stdout.split()) == PROCESSES
    assert (tmp_path / "huggingface/token").read_text() == access(1)


def test_each_library_renews_what_the_other_has_renewed(tmp_path: Path) -> None:
    """Six renewals in turn: each one finds the refresh token that the other has stored."""
    issuer = Issuer(lifetime=60)
    log_in(tmp_path, time.time() + HOUR)
    programs = [
        "import huggingface_hub; print(huggingface_hub.get_token())",
        "import hubtoken; print(str.__str__(hubtoken.get_token()))",
    ]
    with serving(issuer) as server:
        environment = child_environment(tmp_path, PYTHONPATH=str(ROOT), HF_ENDPOINT=server.endpoint)
        for number in range(6):
            stored = tmp_path / "huggingface/stored_tokens"
            lines = stored.read_text().splitlines()
            # Due by the rule of both libraries.
            lines = [f"expires_at = {int(time.time())}" if "expires_at" in x else x for x in lines]
            stored.write_text("\n".join(lines) + "\n\n")
            done = subprocess.run(
                [sys.executable, "-c", programs[number % 2]],
                env=environment,
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=True,
            )
            assert done.stdout.strip() == access(number + 1), done.stderr
            assert (tmp_path / "huggingface/token").read_text() == access(number + 1)
    assert issuer.refused == []
