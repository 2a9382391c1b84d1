"""The store on a full disk, on a read-only one, and in other users' folders."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.environment import child_environment, fake_token
from tests.python.helpers import DEADLINE, PROGRAMS, ROOT, answer_of, leaks, run_program
from tests.python.servers import identity, serving

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes, mounts and limits are POSIX's")

NOBODY = 65_534


@cache
def own_mounts() -> list[str]:
    """The command prefix that lets a program mount something, if that is possible."""
    rest = ["--mount", "--propagation", "private"]
    for command in (["unshare", *rest], ["unshare", "--user", "--map-root-user", *rest]):
        trial = [*command, "sh", "-c", "mount -t tmpfs tmpfs /mnt"]
        try:
            if subprocess.run(trial, capture_output=True, check=False).returncode == 0:
                return command
        except FileNotFoundError:
            break
    return []


def needs(fault: str) -> None:
    """Skip what this machine does not allow."""
    if fault in {"full", "read-only"} and not own_mounts():
        pytest.skip("nothing may be mounted here, not even in a namespace of its own")
    if fault == "not ours" and os.getuid() != 0:
        pytest.skip("only root can become somebody else")


def run(fault: str, home: Path) -> Any:
    """The output of `store_faults.py` for a fault."""
    needs(fault)
    prefix = own_mounts() if fault in {"full", "read-only"} else []
    tokens = [fake_token() for _ in range(3)]
    with serving(identity()) as server:
        done = subprocess.run(
            [*prefix, sys.executable, str(PROGRAMS / "store_faults.py")],
            env=child_environment(home, PYTHONPATH=str(ROOT), HF_ENDPOINT=server.endpoint),
            cwd=home,
            input=json.dumps({"fault": fault, "tokens": tokens}),
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE,
        )
    answer = answer_of(done)
    assert leaks(json.dumps(answer) + done.stderr, *tokens) == []
    return answer


FAULTS = ["full", "read-only", "file size", "not ours"]


@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_be_written_fails_whole_and_what_is_there_is_read(
    fault: str,
) -> None:
    # Other users can reach this home, unlike the folders of pytest.
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o755)
        answer = run(fault, Path(home))
    assert {name: told[0] for name, told in answer["reading"].items()} == dict.fromkeys(
        answer["reading"], "ok"
    )
    for verb, (kind, message) in answer["writing"].items():
        if verb.startswith("command"):
            assert (kind, message) == ("RuntimeError", "2"), verb
        else:
            assert kind == "StoreError", (verb, kind, message)
            assert "set HF_HOME to another folder" in message, (verb, message)
    assert answer["unchanged"]
    kept = {"token", "stored_tokens", "stored_tokens.lock", "hubtoken_endpoints.json"}
    assert set(answer["names"]) == kept
    if answer["freed"] is not None:
        # Logging out of everything needs no space.
        assert answer["freed"] == ["ok", ""]
    if answer["mended"] is not None:
        assert answer["mended"] == ["ok", ""]
        assert set(answer["left"]) == kept


MODES = [0o700, 0o755, 0o775, 0o2770, 0o1777]


@pytest.mark.parametrize("mode", MODES, ids=[f"{mode:o}" for mode in MODES])
@pytest.mark.parametrize("owner", [None, NOBODY], ids=["ours", "another's"])
def test_a_folder_keeps_mode_and_owner_and_its_files_are_private_from_the_first_byte(
    home: Path, mode: int, owner: int | None
) -> None:
    if owner is not None and os.getuid() != 0:
        pytest.skip("only root can make a folder somebody else's")
    with serving(identity()) as server:
        request = {"mode": mode, "owner": owner, "tokens": [fake_token(), fake_token()]}
        done = run_program("store_folder", home, request, HF_ENDPOINT=server.endpoint)
    answer = answer_of(done)
    assert answer["seen"] == ["0600"]
    assert answer["folder"] == [mode, answer["us"] if owner is None else owner]
    # Writing to another user's home does not change the owner of the files.
    assert answer["owners"] == [answer["us"] if owner is None else owner]
