"""The store, the shared cache, and a Hub where the file system refuses `flock` and `fsync`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.environment import fake_token
from tests.python.helpers import answer_of, leaks, run_program

if TYPE_CHECKING:
    from pathlib import Path

# What network and FUSE file systems, and the sandboxes of containers, answer.
ERRORS = ["ENOSYS", "EOPNOTSUPP", "ENOLCK", "EINVAL", "EPERM"]
SYNCS = ["fsync", "fdatasync"]


def run(home: Path, **request: Any) -> Any:
    """The output of `refused_calls.py`."""
    value = fake_token()
    done = run_program("refused_calls", home, {"value": value, **request})
    answer = answer_of(done)
    if answer is None:
        pytest.skip("the system has no filter for system calls")
    assert leaks(done.stdout + done.stderr, value) == []
    return answer


@pytest.mark.parametrize("error", ERRORS)
def test_every_verb_works_and_warns_once(error: str, home: Path) -> None:
    answer = run(home, use="store", calls=["flock", *SYNCS], error=error)
    for verb, warnings in answer["warnings"].items():
        assert len(warnings) == 1, (verb, warnings)
        assert "does not support locks" in warnings[0]
        assert "Check the folder's owner" not in warnings[0]
    assert answer["left"] == ["stored_tokens.lock"]


@pytest.mark.parametrize("error", ERRORS)
def test_a_refused_sync_is_not_worth_a_word(error: str, home: Path) -> None:
    answer = run(home, use="store", calls=SYNCS, error=error)
    assert answer["warnings"] == {"switch": [], "rename": [], "logout": []}


@pytest.mark.parametrize("error", ERRORS[:3])
def test_a_hub_starts_and_a_login_is_stored(error: str, home: Path) -> None:
    answer = run(home, use="hub", calls=["flock"], error=error)
    assert (answer["stored"], answer["user"], answer["left"]) == ("ci", "alice", False)
    assert len(answer["warnings"]) == 1, answer["warnings"]
    assert "in use by another Hub" in answer["in use"]
