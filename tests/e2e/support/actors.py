"""The four interfaces to the stored tokens, with one API: two libraries, two commands."""

# ruff: noqa: D102 - each verb is documented once, in `Actor`

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess

    from tests.e2e.support.runner import Runner


@dataclass(frozen=True)
class Actor:
    """A user of one of them, with some variables set."""

    runner: Runner
    variables: dict[str, str] = field(default_factory=dict)

    def login(self, value: str) -> None:
        """Store a token under the Hub's name for it."""
        raise NotImplementedError

    def token(self) -> str | None:
        """The value that would be used."""
        raise NotImplementedError

    def list(self) -> dict[str, bool]:
        """The stored tokens, and whether each is the active one."""
        raise NotImplementedError

    def switch(self, name: str) -> None:
        """Make a stored token the active one."""
        raise NotImplementedError

    def logout(self, name: str | None = None) -> None:
        """Remove a stored token, or all."""
        raise NotImplementedError

    def whoami(self) -> str:
        """The account."""
        raise NotImplementedError

    def run(
        self, *command: str, stdin: str = "", code: int = 0
    ) -> subprocess.CompletedProcess[str]:
        """Run a command that must end with this code."""
        done = self.runner.run(*command, variables=self.variables, stdin=stdin)
        assert done.returncode == code, (command[:3], done.stdout, done.stderr)
        return done


class HfCommand(Actor):
    """`hf auth`."""

    def login(self, value: str) -> None:
        self.run("hf", "auth", "login", "--token", value)

    def token(self) -> str | None:
        done = self.runner.run("hf", "auth", "token", variables=self.variables)
        return done.stdout.strip() if done.returncode == 0 else None

    def list(self) -> dict[str, bool]:
        lines = self.run("hf", "auth", "list").stdout.splitlines()
        rules = [number for number, line in enumerate(lines) if line.startswith("- -")]
        if not rules:
            return {}
        start, width = 2, len(lines[rules[0]].split(" ")[1])
        rows = lines[rules[0] + 1 :]
        return {row[start : start + width].rstrip(): row.startswith("*") for row in rows if row}

    def switch(self, name: str) -> None:
        self.run("hf", "auth", "switch", "--token-name", name)

    def logout(self, name: str | None = None) -> None:
        self.run("hf", "auth", "logout", *(["--token-name", name] if name else []))

    def whoami(self) -> str:
        return "alice" if "alice" in self.run("hf", "auth", "whoami").stdout else ""


class HubtokenCommand(Actor):
    """`hubtoken`."""

    def login(self, value: str) -> None:
        self.run("hubtoken", "login", "--token-stdin", stdin=f"{value}\n")

    def token(self) -> str | None:
        done = self.runner.run("hubtoken", "token", variables=self.variables)
        return done.stdout.removesuffix("\n") if done.returncode == 0 else None

    def list(self) -> dict[str, bool]:
        tokens = json.loads(self.run("hubtoken", "list", "--json").stdout)["tokens"]
        return {token["name"]: token["active"] for token in tokens}

    def switch(self, name: str) -> None:
        self.run("hubtoken", "switch", "--", name)

    def logout(self, name: str | None = None) -> None:
        self.run("hubtoken", "logout", *(["--", name] if name else ["--all"]))

    def rename(self, old: str, new: str) -> None:
        """Give a stored token another name."""
        self.run("hubtoken", "rename", "--", old, new)

    def whoami(self) -> str:
        return str(json.loads(self.run("hubtoken", "whoami", "--json").stdout)["identity"]["user"])


class Library(Actor):
    """A library, in one process per verb: in-process caches are not tested here."""

    name = ""

    def ask(self, verb: str, argument: object = None) -> Any:
        """The result."""
        request = {"library": self.name, "verb": verb, "argument": argument}
        return self.runner.program("store_verb", request, self.variables)

    def login(self, value: str) -> None:
        self.ask("login", value)

    def token(self) -> str | None:
        value: str | None = self.ask("token")
        return value

    def list(self) -> dict[str, bool]:
        tokens: dict[str, bool] = self.ask("list")
        return tokens

    def switch(self, name: str) -> None:
        self.ask("switch", name)

    def logout(self, name: str | None = None) -> None:
        self.ask("logout", name)

    def rename(self, old: str, new: str) -> None:
        """Give a stored token another name."""
        self.ask("rename", [old, new])

    def whoami(self) -> str:
        return str(self.ask("whoami"))


class HuggingfaceHub(Library):
    """`huggingface_hub`."""

    name = "huggingface_hub"


class Hubtoken(Library):
    """`import hubtoken`."""

    name = "hubtoken"


THEIRS: dict[str, type[Actor]] = {"hf": HfCommand, "huggingface_hub": HuggingfaceHub}
OURS: dict[str, type[HubtokenCommand | Hubtoken]] = {
    "hubtoken command": HubtokenCommand,
    "hubtoken": Hubtoken,
}
