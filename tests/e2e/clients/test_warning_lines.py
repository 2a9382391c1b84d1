"""In a notebook a warning shows no line of the cell, which may contain a token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.environment import fake_token

if TYPE_CHECKING:
    from tests.e2e.support.runner import Runner
    from tests.e2e.support.world import World


def test_a_notebook_shows_no_line_of_the_cell(world: World, runner: Runner) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    value = world.value("read")
    assert value is not None
    cells = [f'import hubtoken\nhubtoken.login("{value}")', f'stored = hubtoken.login("{value}")']
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = nbclient.NotebookClient(notebook, kernel_name="python3", timeout=300)
    client.execute(env=runner.environment(HF_TOKEN=fake_token()), cwd=str(runner.home))
    for cell, number in zip(notebook.cells, (2, 1), strict=True):
        [shown] = [output["text"] for output in cell.outputs if output.get("name") == "stderr"]
        assert f":{number}: HubTokenWarning: HF_TOKEN is set" in shown
        assert "hubtoken.login" not in shown
        assert value not in str(cell.outputs)
