"""Measures what a verb costs in a shell: complete processes, started in turns.

The script that starts a Python program is written by its installer. pip before 25 writes one that
imports `re`, which costs more than hubtoken does; pip 25 and later, and uv, write one that does
not. Both are measured. git's helper is measured separately, since it need not be Python at all.
"""

from __future__ import annotations

import os
import secrets
import statistics
import string
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from measure import ROUNDS, Row, isolate, milliseconds, report

TOKENS = 10
SCRIPTS = Path(sys.executable).parent
SUFFIX = ".exe" if os.name == "nt" else ""
HOST = "huggingface.co"
QUESTION = f"protocol=https\nhost={HOST}\n\n"

NEWEST = "pip 25, uv"
WRAPPERS = {
    NEWEST: """\
import sys
from hubtoken._core import main
if __name__ == "__main__":
    sys.argv[0] = sys.argv[0].removesuffix(".exe")
    sys.exit(main())
""",
    "older pip": """\
import re
import sys
from hubtoken._core import main
if __name__ == "__main__":
    sys.argv[0] = re.sub(r"(-script\\.pyw|\\.exe)?$", "", sys.argv[0])
    sys.exit(main())
""",
}


@dataclass(frozen=True)
class Command:
    """One program, its input, and what its output must contain."""

    words: tuple[str, ...]
    answer: str
    stdin: str = ""

    def run(self) -> None:
        """From start to end."""
        done = subprocess.run(
            self.words, input=self.stdin, capture_output=True, check=True, text=True
        )
        assert self.answer in done.stdout, self.words


def in_turns(commands: list[Command], rounds: int) -> list[float]:
    """The first command's median, and those of the others, derived from their ratios to it.

    Ratios are computed round by round, since the machine's speed drifts.
    """
    for command in commands:
        command.run()  # into the page cache, byte code written
    times = [[milliseconds(command.run) for command in commands] for _ in range(rounds)]
    floor = statistics.median(taken[0] for taken in times)
    return [
        floor * statistics.median(taken[index] / taken[0] for taken in times)
        for index in range(len(commands))
    ]


def random_token() -> str:
    """A token in the right format that no Hub has issued."""
    return "hf_" + "".join(secrets.choice(string.ascii_letters) for _ in range(34))


def store(folder: Path) -> str:
    """Fill the stored tokens, make the first one active, and return it."""
    tokens = [random_token() for _ in range(TOKENS)]
    home = folder / "huggingface"
    home.mkdir()
    (home / "token").write_text(tokens[0], encoding="utf-8")
    (home / "stored_tokens").write_text(
        "".join(f"[app-{index}]\nhf_token = {token}\n\n" for index, token in enumerate(tokens)),
        encoding="utf-8",
    )
    return tokens[0]


def wrapper(folder: Path, body: str) -> str:
    """A script as an installer writes it."""
    folder.mkdir()
    script = folder / "hubtoken"
    script.write_text(f"#!{sys.executable}\n{body}", encoding="utf-8")
    script.chmod(0o755)
    return str(script)


def verbs(scripts: dict[str, str], token: str) -> list[Row]:
    """Two verbs that send no request, beside the same of `hf`."""
    bare = Command((sys.executable, "-c", "pass"), "")
    hf = str(SCRIPTS / f"hf{SUFFIX}")
    last = f"app-{TOKENS - 1}"
    rows = []
    for verb, answer in (("token --reveal", token), ("list", last)):
        ours = [Command((script, *verb.split()), answer) for script in scripts.values()]
        peer = Command((hf, "auth", verb.split()[0]), answer)
        floor, *taken, peers = in_turns([bare, *ours, peer], ROUNDS)
        rows += [
            Row(
                what=f"hubtoken {verb} ({name})",
                unit="ms",
                floor=floor,
                ours=time,
                peer=peers,
                target="at most 1.3 x floor" if name == NEWEST else "",
                floor_is="python -c pass",
            )
            for name, time in zip(scripts, taken, strict=True)
        ]
    return rows


def git_get(script: str, folder: Path, token: str) -> list[Row]:
    """Git's request, beside the helper that comes with git and reads one file."""
    file = folder / "git-credentials"
    file.write_text(f"https://hf_user:{token}@{HOST}\n", encoding="utf-8")
    file.chmod(0o600)
    stored = ("git", "credential-store", f"--file={file}", "get")
    program = str(SCRIPTS / f"git-credential-hubtoken{SUFFIX}")
    floor, alone, verb = in_turns(
        [
            Command(stored, token, QUESTION),
            Command((program, "get"), token, QUESTION),
            Command((script, "git-credential", "get"), token, QUESTION),
        ],
        ROUNDS * 4,
    )
    floor_is = "git credential-store get"
    return [
        Row("git-credential-hubtoken get", "ms", floor, alone, None, "about the floor", floor_is),
        Row("hubtoken git-credential get", "ms", floor, verb, None, "", floor_is),
    ]


def rows(folder: Path) -> list[Row]:
    """The verbs, then git."""
    # Otherwise `hf` asks the package index for a newer version, which makes it slower.
    os.environ["HF_HUB_DISABLE_UPDATE_CHECK"] = "1"
    os.environ["GIT_CONFIG_GLOBAL"] = os.devnull
    token = store(folder)
    scripts = {
        name: wrapper(folder / f"scripts-{index}", body)
        for index, (name, body) in enumerate(WRAPPERS.items())
    }
    return verbs(scripts, token) + git_get(scripts[NEWEST], folder, token)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        isolate(Path(name))
        report(rows(Path(name)))
