"""What a type checker says of a program that uses hubtoken.

pyright says the same; it is not run here, since it needs node, and its package downloads it when it
is first started. See CONTRIBUTING.md for how to run it by hand.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from typing import TYPE_CHECKING

import hubtoken
from tests.environment import child_environment
from tests.python.helpers import DEADLINE, PROGRAMS, ROOT

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = PROGRAMS / "typed.py"


def attributes(tree: ast.AST) -> set[str]:
    """The attributes of `hubtoken` that a program uses."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "hubtoken"
    }


def test_the_program_uses_every_public_name() -> None:
    assert set(hubtoken.__all__) <= attributes(ast.parse(PROGRAM.read_text()))


def test_mypy_finds_nothing_wrong_with_it(home: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--config-file="),
            *("--python-version", "3.10", "--cache-dir", str(tmp_path), str(PROGRAM)),
        ],
        env=child_environment(home, MYPYPATH=str(ROOT / "python")),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )
    assert done.stdout == "Success: no issues found in 1 source file\n", done.stdout + done.stderr
