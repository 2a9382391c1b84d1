"""The README's ten lines, run in a notebook as a reader would."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.environment import HANG_LIMIT

if TYPE_CHECKING:
    from tests.e2e.support.runner import Runner
    from tests.e2e.support.world import World

ROOT = Path(__file__).parents[3]


def readme_code() -> str:
    """The first Python block of the README."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"^```python\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert block is not None
    return block.group(1)


def test_ten_lines_work_in_a_notebook(world: World, runner: Runner) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("transformers")
    token = world.value("write")
    assert token is not None
    environment = runner.environment(HF_TOKEN=token)

    code = readme_code()
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    client = nbclient.NotebookClient(notebook, kernel_name="python3", timeout=int(HANG_LIMIT))
    client.execute(env=environment, cwd=str(runner.home))

    outputs = notebook.cells[0].outputs
    printed = "".join(output.get("text", "") for output in outputs)
    assert "env:HF_TOKEN" in printed
    assert token not in str(notebook)


def test_the_two_commands_are_there() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in ("demo", "test"):
        assert f"make {target}" in readme
        assert f"\n{target}: " in makefile
