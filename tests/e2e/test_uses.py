"""`docs/uses.md` says of git what the matrix says."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.matrix import cases
from tests.e2e.world import KINDS

USES = Path(__file__).parents[2] / "docs" / "uses.md"


def test_the_documented_table_is_the_tested_one() -> None:
    documented = {}
    for line in USES.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0].startswith(("git: ", "git-lfs: ")):
            for kind, expected in zip(KINDS, cells[1:], strict=True):
                documented[cells[0], kind] = expected
    tested = {
        (f"{case.client}: {case.operation}", case.kind): case.expected
        for case in cases("git") + cases("git-lfs")
    }
    assert documented == tested
