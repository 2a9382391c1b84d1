"""Builds hubtoken with maturin, with git's helper beside the extension module.

maturin builds one kind of artifact for a wheel: an extension module or programs. Other files can be
placed in a folder, whose `scripts` end up beside the interpreter. The helper is therefore built
here, placed in that folder while maturin runs, and removed again: the next build, with other
options or for another machine, never finds an old one.

The helper is installed among the wheel's scripts, not inside the package, because its path is
written to git's configuration and must survive an upgrade of Python.

`pip` and every other PEP 517 front end find this file through `pyproject.toml`. On the command line
it accepts maturin's own verbs and options:

    python scripts/build_backend.py develop --locked
    python scripts/build_backend.py build --release --out dist
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import maturin
from maturin import (
    build_sdist,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = "git-credential-hubtoken"
FEATURE = "git-helper"
# Where maturin looks, named after the extension module.
DATA = ROOT / "hubtoken._core.data"


def build_wheel(
    wheel_directory: str,
    config_settings: Mapping[str, Any] | None = None,
    metadata_directory: str | None = None,
) -> str:
    """Build a wheel for PEP 517."""
    with helper(pep517_options(config_settings)):
        return str(maturin.build_wheel(wheel_directory, config_settings, metadata_directory))


def build_editable(
    wheel_directory: str,
    config_settings: Mapping[str, Any] | None = None,
    metadata_directory: str | None = None,
) -> str:
    """Build a wheel that points here, for PEP 660."""
    with helper(pep517_options(config_settings)):
        return str(maturin.build_editable(wheel_directory, config_settings, metadata_directory))


def pep517_options(config_settings: Mapping[str, Any] | None) -> list[str]:
    """The options of a build by a front end, which is not a developer's."""
    hide_paths()
    return options(maturin.get_maturin_pep517_args(config_settings), profile="release")


def hide_paths() -> None:
    """Make the compiler write `cargo` for the folder where cargo keeps the crates' sources.

    Panics contain the path of their source file, which would reveal whose machine built the wheel.
    Flags that are passed to cargo in a way with higher precedence override these.
    """
    home = os.environ.get("CARGO_HOME") or str(Path.home() / ".cargo")
    flags = os.environ.get("CARGO_BUILD_RUSTFLAGS", "")
    if not any(character.isspace() for character in home):  # which would end the flag
        flag = f"--remap-path-prefix={home}=cargo"
        os.environ["CARGO_BUILD_RUSTFLAGS"] = f"{flags} {flag}".strip()


def options(arguments: Sequence[str], profile: str) -> list[str]:
    """Select maturin's options that apply to the helper, in cargo's form.

    Args:
        arguments: maturin's options.
        profile: The profile that maturin builds if none of them selects one.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-r", "--release", action="store_const", const="release", dest="profile")
    parser.add_argument("--profile")
    parser.add_argument("--target")
    parser.add_argument("-q", "--quiet", action="store_true")
    parser.set_defaults(profile=profile)
    known, _ = parser.parse_known_args(arguments)
    quiet = ["--quiet"] if known.quiet else []
    target = [] if known.target is None else ["--target", known.target]
    return ["--profile", known.profile, *quiet, *target]


@contextmanager
def helper(arguments: Sequence[str]) -> Iterator[Path]:
    """Keep the helper where maturin finds it, for as long as the context lasts.

    Args:
        arguments: cargo's options.
    """
    with alone():
        shutil.rmtree(DATA, ignore_errors=True)  # of a build that was killed
        built = build_helper(arguments)
        scripts = DATA / "scripts"
        scripts.mkdir(parents=True)
        try:
            yield Path(shutil.copy(built, scripts))
        finally:
            shutil.rmtree(DATA)


@contextmanager
def alone() -> Iterator[None]:
    """Make other builds of this tree wait: they would place another helper in the folder."""
    if sys.platform == "win32":
        yield
        return
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)  # which unlocks it


def build_helper(arguments: Sequence[str]) -> str:
    """Build the helper; returns its path, which depends on options, configuration and system."""
    command = ["cargo", "build", "--locked", "--bin", PROGRAM, *arguments]
    command += ["--no-default-features", "--features", FEATURE]
    done = subprocess.run(
        [*command, "--message-format=json-render-diagnostics"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    return str(next(message["executable"] for message in messages if message.get("executable")))


def main(arguments: Sequence[str]) -> None:
    """Run one of maturin's build verbs."""
    known = options(arguments, profile="dev")
    if "dev" not in known:
        hide_paths()
    with helper(known):
        subprocess.run([sys.executable, "-m", "maturin", *arguments], cwd=ROOT, check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
