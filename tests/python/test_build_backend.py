"""What is built beside the extension module, and that none of it is left behind."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from importlib.metadata import files
from pathlib import Path

import pytest

import build_backend


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["--profile", "dev"]),
        (["build", "--release", "--out", "dist"], ["--profile", "release"]),
        (["develop", "-r", "--features", "stubs"], ["--profile", "release"]),
        (["build", "--profile=bench", "--strip"], ["--profile", "bench"]),
        (["build", "--quiet", "--locked"], ["--profile", "dev", "--quiet"]),
        (
            ["build", "--target", "aarch64-apple-darwin", "--zig"],
            ["--profile", "dev", "--target", "aarch64-apple-darwin"],
        ),
    ],
)
def test_the_helper_is_built_as_the_module_is(arguments: list[str], expected: list[str]) -> None:
    assert build_backend.options(arguments, profile="dev") == expected


def test_the_helper_lies_where_maturin_looks_only_while_it_builds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = tmp_path / "git-credential-hubtoken"
    built.write_text("a program")
    built.chmod(0o755)
    data = tmp_path / "data"
    monkeypatch.setattr(build_backend, "DATA", data)
    monkeypatch.setattr(build_backend, "build_helper", lambda _: str(built))
    left = data / "scripts" / "of-a-build-that-was-killed"
    left.parent.mkdir(parents=True)
    left.write_text("")

    def build() -> None:
        with build_backend.helper([]) as program:
            assert program == data / "scripts" / built.name
            assert os.access(program, os.X_OK)
            assert [path for path in data.rglob("*") if path.is_file()] == [program]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build()
    assert not data.exists()
    assert built.exists()


def test_two_builds_of_one_tree_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_backend, "ROOT", tmp_path)
    folder = os.open(tmp_path, os.O_RDONLY)
    with build_backend.alone(), pytest.raises(BlockingIOError):
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(folder)


@pytest.mark.parametrize(
    ("cargo_home", "given", "expected"),
    [
        ("/c", None, "--remap-path-prefix=/c=cargo"),
        ("/c", "-Copt-level=1", "-Copt-level=1 --remap-path-prefix=/c=cargo"),
        ("/a folder", "-Copt-level=1", "-Copt-level=1"),
    ],
)
def test_a_wheel_does_not_say_whose_machine_built_it(
    monkeypatch: pytest.MonkeyPatch, cargo_home: str, given: str | None, expected: str
) -> None:
    monkeypatch.setenv("CARGO_HOME", cargo_home)
    monkeypatch.setenv("CARGO_BUILD_RUSTFLAGS", given or "")
    assert build_backend.pep517_options(None) == ["--profile", "release"]
    assert os.environ["CARGO_BUILD_RUSTFLAGS"] == expected


def test_the_installed_package_has_the_helper() -> None:
    installed = [file for file in files("hubtoken") or [] if "git-credential" in file.name]
    assert len(installed) == 1
    program = Path(str(installed[0].locate())).resolve()
    assert program.parent == Path(sys.executable).parent.resolve()
    asked = subprocess.run([program, "get"], input=b"\n", capture_output=True, check=False)
    assert (asked.returncode, asked.stdout, asked.stderr) == (0, b"", b"")
