"""Stored tokens without a home folder: there are none, and that is no error."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.python.helpers import answer_of, run_program

if TYPE_CHECKING:
    from pathlib import Path

HOME_VARIABLES = ("HOME", "USERPROFILE", "HF_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root can become a user")
def test_what_reads_finds_nothing_and_what_writes_says_what_to_set(home: Path) -> None:
    answer = answer_of(run_program("homeless", home, without=HOME_VARIABLES))
    assert answer["stored"] == "[]"
    unknown = "TokenNotFoundError: there is no stored token `ci`: no token is stored"
    for verb in ("switch", "rename", "remove"):
        assert answer[verb] == unknown, verb
    assert answer["resolve"].startswith("TokenNotFoundError: there is no stored token `ci`")
    assert answer["logout"] == "None"
    assert answer["login"].startswith("StoreError:")
    assert "HF_HOME" in answer["login"]
