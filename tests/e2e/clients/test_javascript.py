"""huggingface.js against the embedded Hub: large files, at its defaults."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.e2e.support.matrix import Case, cases
from tests.e2e.support.runner import PROGRAMS
from tests.e2e.support.world import LARGE, LARGE_CONTENT, PRIVATE, PUBLIC, SCRATCH

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.support.runner import Runner
    from tests.e2e.support.world import World

VERSION = "2.17.5"
needs_node = pytest.mark.skipif(
    shutil.which("node") is None or shutil.which("npm") is None, reason="no Node.js"
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """huggingface.js, from the registry."""
    folder = tmp_path_factory.mktemp("javascript")
    (folder / "package.json").write_text('{"private": true}')
    done = subprocess.run(
        ["npm", "install", "--silent", "--no-audit", "--no-fund", f"@huggingface/hub@{VERSION}"],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    entry = folder / "node_modules" / "@huggingface" / "hub" / "dist" / "index.mjs"
    if done.returncode != 0 or not entry.exists():
        pytest.skip("huggingface.js cannot be installed")
    return entry


@needs_node
@pytest.mark.parametrize("case", cases("huggingface.js"), ids=str)
def test_matrix(world: World, runner: Runner, library: Path, case: Case) -> None:
    upload = case.operation == "upload"
    content = os.urandom(200_000) if upload else LARGE_CONTENT
    repo = {"upload": SCRATCH, "download": PRIVATE, "public file": PUBLIC}[case.operation]
    path = world.new_name("js") + ".bin" if upload else LARGE
    request = {
        "library": str(library),
        "endpoint": world.endpoint,
        "operation": case.operation,
        "token": world.value(case.kind),
        "reader": world.value("write"),
        "repo": repo,
        "path": path,
        "data": base64.b64encode(content).decode(),
    }
    before = world.hub.request_count("/alice/scratch.git/info/lfs/objects")
    done = runner.run("node", str(PROGRAMS / "large.mjs"), stdin=json.dumps(request))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == case.expected
    # Nothing is sent as LFS sends it.
    assert world.hub.request_count("/alice/scratch.git/info/lfs/objects") == before
