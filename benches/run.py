"""Runs every benchmark and prints one table, for `make bench`.

Each script runs in a separate process, because the imports of one would speed up the next.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from measure import Row, table

SCRIPTS = (
    "import_cost",
    "command_line",
    "resolution",
    "stored_tokens",
    "cached_require_role",
    "bearer_checks",
    "serving",
    "single_flight",
    "many_processes",
)


def measured(script: str) -> list[Row]:
    """The rows of one script."""
    path = Path(__file__).with_name(f"{script}.py")
    done = subprocess.run(
        [sys.executable, str(path), "--json"], check=True, stdout=subprocess.PIPE, text=True
    )
    return [Row(**row) for row in json.loads(done.stdout)]


def main() -> None:
    """Measure, then print."""
    peers = f"hubtoken {version('hubtoken')}, huggingface_hub {version('huggingface_hub')}"
    print(f"{peers}, Python {platform.python_version()}, {platform.machine()}\n", flush=True)
    print(table(row for script in SCRIPTS for row in measured(script)))


if __name__ == "__main__":
    main()
