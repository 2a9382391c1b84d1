"""A real notebook kernel that hubtoken takes for Colab's: its shell, its modules, its vault.

The vault here answers only while a cell is running, and on any thread, as
Colab's does over the kernel's own connection to the page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.environment import HANG_LIMIT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.support.runner import Runner
    from tests.e2e.support.world import World

FILES = {
    "google/colab/__init__.py": "",
    "google/colab/_shell.py": """
from ipykernel.zmqshell import ZMQInteractiveShell

class Shell(ZMQInteractiveShell):
    pass
""",
    "google/colab/_kernel.py": """
from google.colab._shell import Shell
from ipykernel.ipkernel import IPythonKernel
from traitlets import Type

class Kernel(IPythonKernel):
    shell_class = Type(Shell)
""",
    "google/colab/userdata.py": """
import os, pathlib, time

class NotebookAccessError(Exception):
    pass

class SecretNotFoundError(Exception):
    pass

def get(key):
    pathlib.Path("asked").open("a").write(key + "\\n")
    if os.environ["VAULT"] == "hang":
        time.sleep(600)
    if os.environ["VAULT"] == "refuse":
        raise NotebookAccessError(key)
    # Printed into the cell that asks, which needs the cell's own context.
    print("the notebook asks its user")
    return pathlib.Path("secret").read_text()
""",
    "ipython/profile_default/ipython_kernel_config.py": """
c.IPKernelApp.kernel_class = "google.colab._kernel.Kernel"
""",
}


class Notebook:
    """Runs cells in one kernel."""

    def __init__(self, runner: Runner, folder: Path) -> None:
        """Lay out the modules that Colab's machines have."""
        self.runner = runner
        self.folder = folder
        for name, text in FILES.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def run(self, *cells: str, **variables: str) -> list[str]:
        """What each cell printed."""
        nbformat = pytest.importorskip("nbformat")
        nbclient = pytest.importorskip("nbclient")
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell("import google.colab")]
            + [nbformat.v4.new_code_cell(cell) for cell in cells]
        )
        client = nbclient.NotebookClient(notebook, kernel_name="python3", timeout=int(HANG_LIMIT))
        environment = self.runner.environment(
            IPYTHONDIR=str(self.folder / "ipython"), PYTHONPATH=str(self.folder), **variables
        )
        client.execute(env=environment, cwd=str(self.folder))
        return ["".join(_text(output) for output in cell.outputs) for cell in notebook.cells[1:]]

    @property
    def asked(self) -> list[str]:
        """The secrets that were requested from the vault."""
        path = self.folder / "asked"
        return path.read_text().splitlines() if path.exists() else []


def _text(output: Any) -> str:
    return str(output.get("text", "") or output.get("data", {}).get("text/plain", ""))


@pytest.fixture
def notebook(runner: Runner, tmp_path: Path) -> Notebook:
    """A notebook for a single test."""
    return Notebook(runner, tmp_path)


def test_the_vaults_token_works_and_is_not_shown(notebook: Notebook, world: World) -> None:
    value = world.value("write")
    assert value is not None
    (notebook.folder / "secret").write_text(value)
    found, again, used = notebook.run(
        "import hubtoken\nhubtoken.resolve_token()",
        "hubtoken.resolve_token(); print(hubtoken.explain())",
        "import huggingface_hub\n"
        "hubtoken.require_role('write').activate()\n"
        "print(huggingface_hub.whoami()['name'])",
        VAULT="answer",
    )
    assert "source=colab" in found
    assert "the notebook asks its user" in found
    assert "colab" in again
    assert "asks its user" not in again
    assert "alice" in used
    assert value not in found + again + used
    assert notebook.asked == ["HF_TOKEN"]


def test_a_refusal_is_not_asked_about_again(notebook: Notebook) -> None:
    cell = "import hubtoken\nprint(hubtoken.resolve_token(required=False))"
    first, second = notebook.run(cell, cell, VAULT="refuse")
    assert "was not granted its secret HF_TOKEN" in first
    assert second.strip() == "None"
    assert notebook.asked == ["HF_TOKEN"]


def test_a_vault_that_hangs_does_not_hang_the_notebook(notebook: Notebook) -> None:
    cell = (
        "import hubtoken\n"
        "try:\n    hubtoken.resolve_token()\n"
        "except hubtoken.TokenNotFoundError as error:\n    print(error)"
    )
    first, second = notebook.run(cell, cell, VAULT="hang", HUBTOKEN_SOURCE_TIMEOUT="0.2")
    assert "has not answered" in first
    assert "has not answered" in second
    assert notebook.asked == ["HF_TOKEN"]
