"""`make demo`: the story is complete, fits on one screen, and contains no secret."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.support.runner import Runner

ROOT = Path(__file__).parents[3]

# A complete token, as gitleaks and other scanners search for it.
WHOLE_TOKEN = re.compile(r"hf_[A-Za-z0-9]{34}")


def test_story_fits_one_screen_and_holds_no_secret(runner: Runner) -> None:
    pytest.importorskip("transformers")
    # Ambient settings must not influence the story.
    variables = {"HF_TOKEN": "", "HF_ENDPOINT": ""}
    done = runner.run("python", str(ROOT / "examples" / "quickstart.py"), variables=variables)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert len(lines) <= 45
    assert max(len(line) for line in lines) <= 110
    assert WHOLE_TOKEN.search(done.stdout) is None
    # What it must show, in this order.
    position = 0
    story = (
        "config",
        "env:HF_TOKEN",
        "argument",
        "refused",
        "may write",
        "hello",
        "refused",
        "refresh",
    )
    for shown in story:
        found = done.stdout.find(shown, position)
        assert found >= 0, f"{shown!r} is missing, or comes too early, in:\n{done.stdout}"
        position = found
