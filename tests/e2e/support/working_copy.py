"""The program `git` in a separate home, with a token that it gets as a password."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.environment import child_environment

if TYPE_CHECKING:
    from pathlib import Path

# Answers git's request with the token, which is never in an argument or a file.
HELPER = '!f() { test -z "$TEST_TOKEN" || printf "username=me\\npassword=%s\\n" "$TEST_TOKEN"; }; f'

SETTINGS = {
    "user.name": "Alice",
    "user.email": "alice@example.invalid",
    "init.defaultBranch": "main",
    "credential.helper": HELPER,
    "advice.detachedHead": "false",
}
LFS = {
    "filter.lfs.clean": "git-lfs clean -- %f",
    "filter.lfs.smudge": "git-lfs smudge -- %f",
    "filter.lfs.process": "git-lfs filter-process",
    "filter.lfs.required": "true",
}

needs_git_lfs = pytest.mark.skipif(
    shutil.which("git-lfs") is None, reason="git-lfs is not installed"
)


@dataclass(frozen=True)
class Git:
    """Runs git against a Hub."""

    home: Path
    endpoint: str
    token: str | None
    lfs: bool = False

    def run(self, *arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        settings = SETTINGS | (LFS if self.lfs else {})
        variables = {
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_CONFIG_COUNT": str(len(settings)),
            "TEST_TOKEN": self.token or "",
        }
        for number, (name, value) in enumerate(settings.items()):
            variables[f"GIT_CONFIG_KEY_{number}"] = name
            variables[f"GIT_CONFIG_VALUE_{number}"] = value
        return subprocess.run(
            ["git", *arguments],
            cwd=folder or self.home,
            env=child_environment(self.home, **variables),
            capture_output=True,
            text=True,
            check=False,
        )

    def good(self, *arguments: str, folder: Path | None = None) -> str:
        """Run it; it must succeed."""
        done = self.run(*arguments, folder=folder)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout.strip()

    def url(self, repo: str) -> str:
        """The URL of a repository."""
        return f"{self.endpoint}/{repo}"

    def clone(self, repo: str, folder: Path) -> subprocess.CompletedProcess[str]:
        """Clone a repository."""
        return self.run("clone", "--quiet", self.url(repo), str(folder))

    def commit(self, folder: Path, **files: bytes) -> str:
        """Commit files to a clone; returns the commit's hash."""
        for name, content in files.items():
            (folder / name).write_bytes(content)
        self.good("add", "--all", folder=folder)
        self.good("commit", "--quiet", "-m", f"Add {', '.join(files)}", folder=folder)
        return self.good("rev-parse", "HEAD", folder=folder)

    def track(self, folder: Path, pattern: str) -> None:
        """Keep files of a pattern in LFS, and make git-lfs send them before a push."""
        with (folder / ".gitattributes").open("a", encoding="utf-8") as attributes:
            attributes.write(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n")
        self.good("lfs", "install", "--local", folder=folder)
