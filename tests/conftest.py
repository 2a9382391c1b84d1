"""Cleans the environment before any client is imported, since clients read it at import."""

from __future__ import annotations

import signal
import tempfile
from pathlib import Path

import pytest

from tests.environment import clean_process, home_variables

_HOME = pytest.StashKey[tempfile.TemporaryDirectory[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Give this process (each xdist worker is one) its own empty home."""
    config.stash[_HOME] = tempfile.TemporaryDirectory(prefix="hubtoken-tests-")
    clean_process(Path(config.stash[_HOME].name))
    # A shell that starts the tests in the background has Ctrl-C ignored, also by their children.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the home."""
    config.stash[_HOME].cleanup()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home directory, used by this test's process and its children."""
    home = tmp_path / "home"
    home.mkdir()
    for name, value in home_variables(home).items():
        monkeypatch.setenv(name, value)
    return home
