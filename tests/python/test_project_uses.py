"""What `require_*` asked for is what `hubtoken status --advice` calls the project's need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import hubtoken
from hubtoken.hub import Hub

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with Hub() as hub:
        hub.create_user("alice")
        hub.create_repository("alice/model", private=True)
        yield hub


@pytest.fixture
def project(hub: Hub, alone: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    token = hub.create_token("alice", name=tmp_path.name, role="write", expires_in=86_400)
    folder = tmp_path / "project" / "src"
    folder.mkdir(parents=True)
    (folder.parent / "pyproject.toml").write_text("")
    alone.setenv("HF_HOME", str(tmp_path / "home"))
    alone.setenv("HF_TOKEN", token.reveal())
    alone.setenv("HF_ENDPOINT", hub.endpoint)
    alone.chdir(folder)
    return folder.parent


def advice() -> dict[str, str]:
    command = [sys.executable, "-m", "hubtoken", "status", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    answer: Any = json.loads(done.stdout)
    return {each["about"]: each["text"] for each in answer["advice"]}


def test_what_is_asked_in_a_project_is_its_need(project: Path) -> None:
    assert advice() == {}
    for _ in range(3):
        hubtoken.require_role("read", repo="alice/model")
    assert "asked for `read` on alice/model, and the token can do more" in advice()["access"]
    hubtoken.require_permission("repo.write", repo="alice/model")
    text = advice()["access"]
    assert "`read` on alice/model and `repo.write` on alice/model" in text
    records = list((project.parent / "home" / "hubtoken" / "uses").iterdir())
    assert len(records) == 2
    for record in records:
        assert record.stat().st_mode & 0o777 == 0o600
        assert os.environ["HF_TOKEN"][3:] not in record.read_text()


def test_what_is_denied_or_not_recorded_is_not(project: Path, alone: pytest.MonkeyPatch) -> None:
    with pytest.raises(hubtoken.AccessDeniedError):
        hubtoken.require_role("write", repo="bob/x")
    assert advice() == {}
    alone.setenv("HUBTOKEN_DISABLE_CACHE", "1")
    hubtoken.require_role("read", repo="alice/model", max_age=0)
    alone.delenv("HUBTOKEN_DISABLE_CACHE")
    assert advice() == {}
    assert not (project.parent / "home" / "hubtoken" / "uses").exists()
