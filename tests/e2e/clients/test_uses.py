"""`docs/uses.md` agrees with the matrix."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.support.matrix import CASES
from tests.e2e.support.world import KINDS

USES = Path(__file__).parents[3] / "docs" / "uses.md"
CLIENTS = {case.client for case in CASES}


def test_the_documented_tables_are_the_tested_one() -> None:
    documented = {}
    for line in USES.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0].partition(": ")[0] in CLIENTS:
            for kind, expected in zip(KINDS, cells[1:], strict=True):
                documented[cells[0], kind] = expected
    tested = {(f"{case.client}: {case.operation}", case.kind): case.expected for case in CASES}
    assert {cell: said for cell, said in documented.items() if said != "-"} == tested
