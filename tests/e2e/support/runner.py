"""Starts real programs in a separate home, configured for the Hub."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.environment import child_environment

if TYPE_CHECKING:
    from collections.abc import Mapping

PROGRAMS = Path(__file__).parent / "programs"
SCRIPTS = Path(sys.executable).parent


@dataclass(frozen=True)
class Runner:
    """Starts programs in a separate home, configured for the Hub."""

    home: Path
    endpoint: str

    def environment(self, **variables: str) -> dict[str, str]:
        """The child's whole environment."""
        return child_environment(self.home, **{"HF_ENDPOINT": self.endpoint, **variables})

    def run(
        self,
        *command: str,
        variables: Mapping[str, str] | None = None,
        stdin: str = "",
        folder: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the virtual environment, or of the system, to its end.

        It runs in the home, or in `folder`.
        """
        local = SCRIPTS / command[0]
        program = str(local) if local.exists() else command[0]
        return subprocess.run(
            [program, *command[1:]],
            env=self.environment(**(variables or {})),
            cwd=folder or self.home,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )

    def program(
        self, name: str, request: object, variables: Mapping[str, str] | None = None
    ) -> Any:
        """Run `programs/<name>.py`: JSON goes in through stdin, JSON comes out as its last line.

        Secrets are passed that way too: an argument would be visible to every user of the machine.
        """
        script = str(PROGRAMS / f"{name}.py")
        done = self.run("python", script, variables=variables, stdin=json.dumps(request))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])
