"""The same result as `huggingface_hub` where that library has one, a good one where it fails.

Each case is an environment and some files, read by both libraries in a separate process, since the
other one reads its paths at import.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.environment import fake_token
from tests.python.helpers import answer_of, leaks, run_program

if TYPE_CHECKING:
    from pathlib import Path

# Created once, so that a table can name them; still new in each process.
ONE, TWO, THREE = fake_token(), fake_token(), fake_token()
DEFAULT = "huggingface/token"


@dataclass(frozen=True)
class Case:
    """Variables (`{home}` stands for the home folder), files, and the token that is used."""

    token: str | None
    variables: dict[str, str] = field(default_factory=dict)
    files: dict[str, str | bytes] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    # The result of huggingface_hub, if it differs: an error, or another value.
    theirs: str | None = "the same"


SAME = {
    "nothing": Case(None),
    "HF_TOKEN": Case(ONE, {"HF_TOKEN": ONE}),
    "HF_TOKEN before the legacy variable and the file": Case(
        ONE, {"HF_TOKEN": ONE, "HUGGING_FACE_HUB_TOKEN": TWO}, {DEFAULT: THREE}
    ),
    "the legacy variable": Case(TWO, {"HUGGING_FACE_HUB_TOKEN": TWO}, {DEFAULT: THREE}),
    "an empty HF_TOKEN": Case(TWO, {"HF_TOKEN": "", "HUGGING_FACE_HUB_TOKEN": TWO}),
    "a blank HF_TOKEN before the file": Case(THREE, {"HF_TOKEN": " \n"}, {DEFAULT: THREE}),
    "HF_TOKEN with line breaks": Case(ONE, {"HF_TOKEN": f" {ONE}\r\n"}),
    "lookalikes": Case(None, {"HUGGINGFACEHUB_API_TOKEN": ONE, "HF_API_TOKEN": TWO}),
    "the file": Case(ONE, files={DEFAULT: ONE}),
    "the file with line breaks": Case(ONE, files={DEFAULT: f"\n {ONE}\r\n\n"}),
    "an empty file": Case(None, files={DEFAULT: ""}),
    "a blank file": Case(None, files={DEFAULT: " \n\t"}),
    "HF_HOME": Case(ONE, {"HF_HOME": "{home}/x"}, {"x/token": ONE, DEFAULT: TWO}),
    "HF_HOME with ~": Case(ONE, {"HF_HOME": "~/x"}, {"x/token": ONE}),
    "HF_HOME with a variable": Case(
        ONE, {"HF_HOME": "$WHERE/x", "WHERE": "{home}"}, {"x/token": ONE}
    ),
    "HF_HOME with a trailing slash": Case(ONE, {"HF_HOME": "{home}/x//"}, {"x/token": ONE}),
    "HF_HOME from the working directory": Case(ONE, {"HF_HOME": "x/../x"}, {"x/token": ONE}),
    "HF_TOKEN_PATH": Case(
        ONE,
        {"HF_TOKEN_PATH": "{home}/secret", "HF_HOME": "{home}/x"},
        {"secret": ONE, "x/token": TWO},
    ),
    "HF_TOKEN_PATH with ~": Case(ONE, {"HF_TOKEN_PATH": "~/secret"}, {"secret": ONE}),
    "HF_TOKEN_PATH with a variable": Case(
        ONE, {"HF_TOKEN_PATH": "${{WHERE}}/secret", "WHERE": "{home}"}, {"secret": ONE}
    ),
    "HF_TOKEN_PATH with an unset variable": Case(
        ONE, {"HF_TOKEN_PATH": "{home}/$NOWHERE_AT_ALL"}, {"$NOWHERE_AT_ALL": ONE}
    ),
    "HF_TOKEN_PATH to nowhere": Case(None, {"HF_TOKEN_PATH": "{home}/nothing"}, {DEFAULT: TWO}),
    "XDG_CACHE_HOME": Case(
        ONE,
        {"XDG_CACHE_HOME": "{home}/xdg"},
        {"xdg/huggingface/token": ONE},
        without=("HF_HOME",),
    ),
    "XDG_CACHE_HOME with ~": Case(
        ONE, {"XDG_CACHE_HOME": "~/xdg"}, {"xdg/huggingface/token": ONE}, without=("HF_HOME",)
    ),
    "no variable but HOME": Case(
        ONE, files={".cache/huggingface/token": ONE}, without=("HF_HOME", "XDG_CACHE_HOME")
    ),
    "stored tokens are not used by themselves": Case(
        None, files={"huggingface/stored_tokens": f"[ci]\nhf_token = {ONE}\n"}
    ),
    "an OAuth token": Case("hf_oauth_" + ONE[3:], {"HF_TOKEN": "hf_oauth_" + ONE[3:]}),
    "an opaque token": Case("x" + ONE, {"HF_TOKEN": "x" + ONE}),
}

BETTER = {
    "a directory": Case(None, folders=(DEFAULT,), theirs="IsADirectoryError"),
    "a directory, and the legacy variable": Case(
        ONE, {"HUGGING_FACE_HUB_TOKEN": ONE}, folders=(DEFAULT,)
    ),
    "a file where a folder should be": Case(
        None, {"HF_TOKEN_PATH": "{home}/file/token"}, {"file": "x"}, theirs="NotADirectoryError"
    ),
    "not text": Case(
        None, files={DEFAULT: b"\xff\xfe" + ONE.encode()}, theirs="UnicodeDecodeError"
    ),
    "a byte order mark": Case(ONE, files={DEFAULT: "\ufeff" + ONE}, theirs="\ufeff" + ONE),
    "quotes": Case(ONE, files={DEFAULT: f'"{ONE}"\n'}, theirs=f'"{ONE}"'),
    "quotes in HF_TOKEN": Case(ONE, {"HF_TOKEN": f"'{ONE}'"}, theirs=f"'{ONE}'"),
    "a blank HF_TOKEN before the legacy variable": Case(
        TWO, {"HF_TOKEN": " ", "HUGGING_FACE_HUB_TOKEN": TWO}, {DEFAULT: THREE}, theirs=THREE
    ),
    # For huggingface_hub a blank variable is the working directory; here it counts as not set.
    "a blank HF_HOME": Case(
        ONE, {"HF_HOME": ""}, {"cache/huggingface/token": ONE, "token": TWO}, theirs=TWO
    ),
    "a mask": Case(ONE, {"HF_TOKEN": "hf_****abcd"}, {DEFAULT: ONE}, theirs="hf_****abcd"),
    "a large file": Case(None, files={DEFAULT: ONE * 300_000}, theirs=ONE * 300_000),
}


def told(value: str | None) -> str | None:
    """As the program prints it: a digest for a value, the name for an error."""
    if value is None or value.endswith("Error"):
        return value
    return hashlib.sha256(value.encode()).hexdigest()


def ask(case: Case, home: Path) -> dict[str, str | None]:
    for name in case.folders:
        (home / name).mkdir(parents=True)
    for name, content in case.files.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    variables = {name: value.format(home=home) for name, value in case.variables.items()}
    done = run_program("peer", home, without=case.without, **variables)
    assert leaks(done.stdout + done.stderr, ONE, TWO, THREE) == []
    answers: dict[str, str | None] = answer_of(done)
    return answers


@pytest.mark.parametrize("name", SAME)
def test_both_libraries_use_the_same_token(name: str, home: Path) -> None:
    case = SAME[name]
    expected = told(case.token)
    assert ask(case, home) == {"theirs": expected, "ours": expected, "again": expected}


@pytest.mark.parametrize("name", BETTER)
def test_where_the_other_fails_the_answer_is_good(name: str, home: Path) -> None:
    case = BETTER[name]
    expected = told(case.token)
    theirs = expected if case.theirs == "the same" else told(case.theirs)
    assert ask(case, home) == {"theirs": theirs, "ours": expected, "again": expected}


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_passed_over(home: Path) -> None:
    path = home / DEFAULT
    path.parent.mkdir()
    path.write_text(ONE)
    path.chmod(0)
    answers = ask(Case(None), home)
    assert answers == {"theirs": "PermissionError", "ours": None, "again": None}
