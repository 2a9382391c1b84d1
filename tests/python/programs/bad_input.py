"""Passes hubtoken every bad input and prints everything that results, as careless programs do.

Everything that can be printed of an error is printed: message, `repr`, arguments, attributes,
traceback with locals, logging, warnings, its pickle. The test searches it for secrets.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import pickle
import secrets
import string
import subprocess
import sys
import traceback
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import hubtoken
from tests.python.programs import bad_cases

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubtoken import HubToken

HOME = Path.cwd()


class Vault:
    """Creates the secrets and the files; in the end the files must be unchanged."""

    def __init__(self) -> None:
        self.folder = HOME / "planted"
        self._secrets: list[str] = []
        self._planted: dict[Path, str] = {}

    def new(self) -> str:
        """A new secret for each use, so that a leak identifies its source."""
        letters = (secrets.choice(string.ascii_letters) for _ in range(34))
        self._secrets.append("hf_" + "".join(letters))
        return self._secrets[-1]

    def fill(self, pattern: str) -> str:
        """A text around a secret."""
        return pattern.format(self.new())

    def token(self, endpoint: str | None = None) -> HubToken:
        """A valid token for a new secret."""
        token = hubtoken.resolve_token(self.new(), endpoint=endpoint)
        assert token is not None
        return token

    def keep(self, token: HubToken) -> HubToken:
        """Record a secret that a Hub created."""
        self._secrets.append(str(token.reveal()))
        return token

    def plant(self, name: str, content: bytes) -> Path:
        """Write a file."""
        self.verify()
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self._planted[path] = hashlib.sha256(content).hexdigest()
        return path

    def loop(self) -> Path:
        """A link to itself."""
        path = self.folder / "loop"
        path.symlink_to(path)
        return path

    def pipe(self) -> Path:
        """A pipe without a writer: opening it blocks forever."""
        path = self.folder / "pipe"
        os.mkfifo(path)
        return path

    def ambient(
        self, *, profile: str | None = None, folder: Path | None = None, **variables: str
    ) -> object:
        """Resolve in an environment, and show the trace, the command's output, and the result."""
        before = dict(os.environ)
        os.environ.update(variables)
        # A traceback must contain no local of this frame.
        variables.clear()
        os.chdir(folder or HOME)
        hubtoken.clear_cache()
        try:
            show("explain", lambda: print(hubtoken.explain(profile=profile)))  # noqa: T201
            tool = Path(sys.executable).with_name("hubtoken")
            for verb in ("explain", "status"):
                for options in ([], ["--json"]):
                    subprocess.run([tool, verb, *options], check=False, timeout=60)
            return hubtoken.resolve_token(profile=profile)
        finally:
            os.chdir(HOME)
            os.environ.clear()
            os.environ.update(before)

    def verify(self) -> None:
        """Nothing that was planted has changed."""
        for path, digest in self._planted.items():
            assert hashlib.sha256(path.read_bytes()).hexdigest() == digest, f"{path} was changed"

    def write_down(self) -> None:
        """Write the secrets for the test, to the one file that it does not search."""
        (self.folder / "secrets.json").write_text(json.dumps(self._secrets))


def show(name: str, ask: Callable[[], object]) -> str:
    """Run a case and print everything that can be printed of its outcome."""
    try:
        print(name, repr(ask()))  # noqa: T201
    except Exception as error:
        print(name, str(error), repr(error), error.args, vars(error))  # noqa: T201
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
        print("".join(told.format()))  # noqa: T201
        logging.exception("%s failed with %r", name, error)  # noqa: LOG015, TRY401
        try:
            (HOME / "errors.pickle").open("ab").write(pickle.dumps(error))
        except (TypeError, pickle.PicklingError) as problem:
            print(repr(problem))  # noqa: T201
        return type(error).__name__
    return "nothing"


def main() -> None:
    """Run all the cases."""
    logging.basicConfig(level=logging.DEBUG, filename=HOME / "program.log")
    logging.getLogger().addHandler(logging.StreamHandler())
    logging.captureWarnings(capture=True)
    warnings.simplefilter("always")
    vault = Vault()
    vault.folder.mkdir()
    outcomes = {
        name: show(name, ask)
        for cases in (
            bad_cases.tokens,
            bad_cases.files,
            bad_cases.configurations,
            bad_cases.endpoints,
            bad_cases.hubs,
        )
        for name, ask in cases(vault)
    }
    vault.verify()
    vault.write_down()
    print(json.dumps(outcomes))  # noqa: T201


if __name__ == "__main__":
    main()
