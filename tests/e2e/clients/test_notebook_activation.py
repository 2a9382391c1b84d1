"""Activation in a real notebook kernel, where every cell is a separate asyncio task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.support.runner import Runner
    from tests.e2e.support.world import World


def run(runner: Runner, folder: Path, *cells: str) -> list[str]:
    """What each cell printed; the kernel is an ordinary one."""
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = nbclient.NotebookClient(notebook, kernel_name="python3", timeout=120)
    client.execute(env=runner.environment(), cwd=str(folder))
    return ["".join(_text(output) for output in cell.outputs) for cell in notebook.cells]


def _text(output: Any) -> str:
    return str(output.get("text", "") or output.get("data", {}).get("text/plain", ""))


def test_a_later_cell_replaces_what_an_earlier_one_has_activated(
    runner: Runner, world: World, tmp_path: Path
) -> None:
    values = {name: world.value(name) or "" for name in ("read", "write")}
    for name, value in values.items():
        assert value
        (tmp_path / name).write_text(value)
    ask = (
        "info = huggingface_hub.whoami()['auth']['accessToken']\n"
        "print('role', info['role'], asyncio.current_task().get_name())"
    )
    first, second, block, after, ended, explained = run(
        runner,
        tmp_path,
        "import asyncio, pathlib, hubtoken, huggingface_hub\n"
        "read, write = (hubtoken.resolve_token(pathlib.Path(name).read_text())"
        " for name in ('read', 'write'))\n"
        f"read.activate()\n{ask}",
        f"write.activate()\n{ask}",
        "with read.activate():\n"
        "    print(huggingface_hub.whoami()['auth']['accessToken']['role'])\n"
        "    try:\n        write.activate()\n"
        "    except hubtoken.ConfigurationError:\n        print('refused')",
        ask,
        "hubtoken.deactivate()\nprint(huggingface_hub.get_token())",
        "read.activate()\nprint(hubtoken.explain())",
    )
    assert "role read" in first
    assert "role write" in second
    # The reason why this once failed: the cells are different tasks.
    assert first.split()[-1] != second.split()[-1]
    assert block.split() == ["read", "refused"]
    assert "role write" in after
    assert ended.strip() == "None"
    assert "activated from argument" in explained
    for value in values.values():
        assert value not in first + second + block + after + ended + explained
