"""What root leaves in another user's home belongs to that user, and what cannot be used is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.environment import child_environment, fake_token
from tests.python.helpers import DEADLINE, ROOT
from tests.python.servers import identity, serving

if TYPE_CHECKING:
    from pathlib import Path

USER = 12_345

pytestmark = pytest.mark.skipif(os.name != "posix", reason="owners are POSIX's")


def status(home: Path, *arguments: str, **variables: str) -> Any:
    """`hubtoken status --json` for a token that a Hub identifies."""
    with serving(identity()) as server:
        done = subprocess.run(
            [sys.executable, "-m", "hubtoken", "status", "--json", *arguments],
            env=child_environment(
                home,
                PYTHONPATH=str(ROOT),
                HF_ENDPOINT=server.endpoint,
                HF_TOKEN=fake_token(),
                **variables,
            ),
            cwd=home,
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE,
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root can do that")
@pytest.mark.parametrize("sudo", [True, False])
def test_the_cache_that_root_creates_is_the_users(sudo: bool, home: Path) -> None:
    os.chown(home, USER, USER)
    variables = {"SUDO_UID": str(USER)} if sudo else {}
    assert status(home, **variables)["shared_cache"]["problem"] is None
    folder = home / "huggingface" / "hubtoken" / "identities"
    made = [folder, *folder.parents[:2], *folder.iterdir()]
    assert len(made) > 3
    assert {path.stat().st_uid for path in made} == {USER}


def test_a_cache_that_cannot_be_used_is_told_with_the_reason(home: Path) -> None:
    folder = home / "huggingface" / "hubtoken" / "identities"
    assert status(home)["shared_cache"] == {"folder": str(folder), "problem": None}
    folder.chmod(0o777)
    assert "any user" in status(home)["shared_cache"]["problem"]
    folder.chmod(0o700)
    off = status(home, HUBTOKEN_DISABLE_CACHE="1")["shared_cache"]
    assert off == {"folder": None, "problem": "HUBTOKEN_DISABLE_CACHE is set"}
