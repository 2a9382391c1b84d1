"""Every test of the Python layer starts without any token and in an empty directory."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

import hubtoken

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def clean_environment(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[pytest.MonkeyPatch]:
    """No token, project configuration, or cache; yields a `monkeypatch` for setting variables.

    The process itself is cleaned once in `tests/conftest.py`; here each test gets its own home
    and its own working directory, since project configuration is searched from there upwards.
    """
    assert "HF_TOKEN" not in os.environ, "an earlier test has left it set"
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    hubtoken.clear_cache()
    assert not (home / "huggingface").exists()
    yield monkeypatch
    hubtoken.clear_cache()


@pytest.fixture
def alone(clean_environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No `huggingface_hub` in this process: another test may have imported it for its own Hub."""
    clean_environment.delitem(sys.modules, "huggingface_hub.constants", raising=False)
    return clean_environment
