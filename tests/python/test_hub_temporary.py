"""Temporary folders of Hubs: what killed processes leave, and folders that cannot be written."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

import hubtoken
from hubtoken.hub import Hub
from tests.python.helpers import run_program

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")


def test_the_next_hub_removes_what_killed_ones_left_and_nothing_else(
    home: Path, tmp_path: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    folders = tmp_path / "temporary"
    folders.mkdir()
    clean_environment.setenv("TMPDIR", str(folders))
    other = folders / "hubtoken-hub-of-somebody"
    other.mkdir(mode=0o700)
    with Hub() as living:
        for _ in range(2):
            done = run_program("hub_life", home, {"how": "kill"}, TMPDIR=str(folders))
            assert done.returncode == -signal.SIGKILL
        # The second one has removed what the first one left.
        assert len(list(folders.iterdir())) == 3
        assert run_program("hub_life", home, {"how": "end"}, TMPDIR=str(folders)).returncode == 0
        assert {str(path) for path in folders.iterdir()} == {living.data, str(other)}
        living.create_user("alice")
    assert list(folders.iterdir()) == [other]


def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    missing = tmp_path / "missing"
    clean_environment.setenv("TMPDIR", str(missing))
    with pytest.raises(hubtoken.HubError, match="TMPDIR") as caught:
        Hub().start()
    assert str(missing) in str(caught.value)
    assert "hubtoken-hub-" not in str(caught.value)
