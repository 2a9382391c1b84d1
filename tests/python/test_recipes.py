"""The recipes of CONTRIBUTING.md are complete, and name what exists.

For each there is a patch in `tests/fixtures/recipes` that follows it to the letter. By default it
is only applied to a copy of the sources. With `TEST_RECIPES=1` the copy, with all of them, is also
compiled, and their own Rust tests are run: some minutes.
"""

from __future__ import annotations

import ast
import functools
import os
import pwd
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parent.parent.parent
PATCHES = ROOT / "tests" / "fixtures" / "recipes"
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")

# The patch of each recipe, by what it adds.
RECIPES = {
    "a token source": "source",
    "a Hub route": "route",
    "a page": "page",
    "a CLI verb": "verb",
    "a permission": "permission",
}
# Where a recipe's short paths begin, besides in the crates that it names.
FOLDERS = ("", "tests/e2e/", "crates/hubtoken-core/src/")
# Names in CONTRIBUTING.md of languages, libraries, and programs.
FOREIGN = {
    *("async fn", "expect", "match", "panic!", "unsafe", "unwrap"),
    *("after_help", "POST", "State", "Template"),
    *("curl", "datasets", "git", "hf", "httpx", "huggingface_hub", "make", "requests"),
    *("transformers", ".venv", "target"),
}
# What is not a name at all: the end of a permission, an option, a commit's subject, commands.
PHRASES = re.compile(r"\.read|--json|\w+/\w+: [a-z ]+|cargo test .*|\.venv/bin/pytest .*")
DEFINITION = re.compile(r"\b(?:fn|struct|enum|trait|type|const|static|mod|def|class)\s+(\w+)")
TEST = re.compile(r"#\[test\]\n\s*fn (\w+)\(")


class AnchorError(AssertionError):
    """The lines that a hunk is for are missing, or there more than once."""


def recipe(title: str) -> str:
    """The text of a recipe, after its title."""
    (text,) = re.findall(rf"\*\*… {title}\.\*\*\n(.+?)\n\n", CONTRIBUTING, re.DOTALL)
    return str(text)


def patch(name: str) -> str:
    return (PATCHES / f"{name}.patch").read_text(encoding="utf-8")


@functools.cache
def tracked() -> list[str]:
    """The files of the project, without those that git ignores."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [name for name in set(listed.split("\0")) if name and (ROOT / name).is_file()]


def copy(names: Iterable[str], folder: Path) -> None:
    """Copy files. Modification times are not kept: cargo must take nothing for unchanged."""
    for name in names:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)


def apply_hunk(text: str, hunk: str, name: str = "") -> str:
    """Exchange the lines of a hunk, which must be there exactly once.

    As in every patch, lines begin with a space, `-`, or `+`. There are no line numbers, and a hunk
    of new lines alone goes to the end. `<n>` stands for a number, and `<rest>` for the rest of a
    line; in new lines, `<n+1>` is the next number.
    """
    lines = hunk.rstrip("\n").split("\n")
    new = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("-"))
    old = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("+"))
    if not old:
        return text + new
    pattern = re.escape(old).replace("<n>", r"(?P<n>\d+)").replace("<rest>", "(?P<rest>.*)")
    found = list(re.finditer(f"^{pattern}", text, re.MULTILINE))
    if len(found) != 1:
        raise AnchorError(f"{name}: {len(found)} places, not one, have these lines:\n{old}")
    (match,) = found
    values = match.groupdict()
    if "n" in values:
        values["n+1"] = str(int(values["n"]) + 1)
    for key, value in values.items():
        new = new.replace(f"<{key}>", value)
    return text[: match.start()] + new + text[match.end() :]


def apply(patch: str, folder: Path) -> set[str]:
    """Apply a patch, and return the names of the files that it changes or adds."""
    names = set()
    for section in re.split(r"^--- ", patch, flags=re.MULTILINE)[1:]:
        header, *hunks = re.split(r"^@@.*\n", section, flags=re.MULTILINE)
        old, new = header.split("\n")[:2]
        name = new.removeprefix("+++ b/")
        path = folder / name
        assert old in {"/dev/null", f"a/{name}"}, name
        assert path.is_file() == (old != "/dev/null"), name
        assert hunks, name
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        for hunk in hunks:
            text = apply_hunk(text, hunk, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        names.add(name)
    return names


def spans(text: str) -> list[str]:
    """What is in backticks."""
    return re.findall(r"`([^`]+)`", text)


def is_path(span: str) -> bool:
    path = r"[\w./-]+/[\w./-]*|[\w.-]+\.(html|md|py|rs|toml)|\.[\w-]+"
    return bool(re.fullmatch(path, span)) or (ROOT / span).is_dir()


def file_pattern(span: str, text: str) -> re.Pattern[str]:
    """Matches the files that a path in a text can mean; a word in capitals stands for any name.

    Paths begin at the root, in a folder that the text names, or in the sources of such a crate.
    """
    crates = re.findall(r"crates/[\w-]+/", text)
    folders = re.findall(r"`([\w/-]+/)`", text)
    starts = [*crates, *(f"{crate}src/" for crate in crates), *folders, *FOLDERS]
    start = "|".join(map(re.escape, starts))
    path = re.sub(r"\b(VERB|FILE)\b", r"[\\w/-]+", re.escape(span.rstrip("/")))
    return re.compile(rf"(?:{start}){path}(?:/.*)?")


@functools.cache
def definitions(name: str) -> frozenset[str]:
    """What a source file defines."""
    return frozenset(DEFINITION.findall((ROOT / name).read_text(encoding="utf-8")))


def defined(text: str) -> set[str]:
    """What is defined in the crates that a text names and in `src`; anywhere if it names none."""
    crates = re.findall(r"crates/[\w-]+/", text)
    places = (*crates, "src/", "tests/e2e/", "scripts/") if crates else ("",)
    names = [name for name in tracked() if name.endswith((".rs", ".py"))]
    return set().union(*(definitions(name) for name in names if name.startswith(places)))


def problem(span: str, text: str) -> str | None:
    """What is wrong with something that a text has in backticks; `None` if it exists."""
    if span in FOREIGN or PHRASES.fullmatch(span):
        return None
    if is_path(span):
        is_there = any(map(file_pattern(span, text).fullmatch, tracked()))
        return None if is_there else f"there is no file {span}"
    if target := re.fullmatch(r"make (\w+)", span):
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        is_there = re.search(rf"^{target[1]}:", makefile, re.MULTILINE) is not None
        return None if is_there else f"there is no target {target[1]}"
    if variable := re.fullmatch(r"(TEST_\w+)=\d+", span):
        tests = [name for name in tracked() if re.fullmatch(r"tests/.*\.py", name)]
        texts = ((ROOT / name).read_text(encoding="utf-8") for name in tests)
        is_there = any(f'os.environ.get("{variable[1]}"' in text for text in texts)
        return None if is_there else f"no test reads {variable[1]}"
    # `open(&state)`, `trace.note`, `frame: Frame`: the last name, without arguments.
    name = re.search(r"(\w+)(\(.*\))?$", span)
    return None if name and name[1] in defined(text) else f"nothing is called {span}"


@pytest.mark.parametrize("title", RECIPES)
def test_recipe_names_what_exists(title: str) -> None:
    text = recipe(title)
    assert [line[:3] for line in text.split("\n")] == ["1. ", "2. ", "3. "]
    problems = [problem(span, text) for span in spans(text)]
    assert [each for each in problems if each] == []


def test_contributing_names_what_exists() -> None:
    titles = re.findall(r"\*\*… (.+?)\.\*\*", CONTRIBUTING)
    assert titles == list(RECIPES)
    assert sorted(path.stem for path in PATCHES.iterdir()) == sorted(RECIPES.values())
    rest = CONTRIBUTING
    for title in titles:
        rest = rest.replace(recipe(title), "")
    prose, layout = re.sub(r"```\n.+?```", "", rest, flags=re.DOTALL), rest.split("```\n")[1]
    links = re.findall(r"\]\(([^)]+)\)", prose)
    listed = [line.split()[0] for line in layout.splitlines()]
    assert links
    assert listed
    problems = [problem(span, "") for span in [*spans(prose), *links, *listed]]
    assert [each for each in problems if each] == []


@pytest.mark.parametrize("title", RECIPES)
def test_recipe_is_complete(title: str, tmp_path: Path) -> None:
    text, steps = recipe(title), patch(RECIPES[title])
    copy(re.findall(r"^--- a/(.+)$", steps, re.MULTILINE), tmp_path)
    changed = apply(steps, tmp_path)
    named = [file_pattern(span, text) for span in spans(text) if is_path(span)]
    unnamed = [name for name in changed if not any(each.fullmatch(name) for each in named)]
    assert unnamed == [], "the recipe does not name these files"
    for name in changed:
        if name.endswith(".py"):
            ast.parse((tmp_path / name).read_text(encoding="utf-8"))
    assert TEST.search(re.sub(r"^\+", "", steps, flags=re.MULTILINE))


@pytest.mark.parametrize(
    ("hunk", "expected"),
    [
        (" b\n+c\n", "a 1 x\nb\nc\na 2 y\n"),
        ("+c\n b\n", "a 1 x\nc\nb\na 2 y\n"),
        ("-a <n> x\n+a <n+1> x\n", "a 2 x\nb\na 2 y\n"),
        ("-b\n-a 2 <rest>\n+z<rest>\n", "a 1 x\nzy\n"),
        ("+c\n", "a 1 x\nb\na 2 y\nc\n"),
    ],
)
def test_hunk_goes_where_its_lines_are(hunk: str, expected: str) -> None:
    assert apply_hunk("a 1 x\nb\na 2 y\n", hunk) == expected


@pytest.mark.parametrize("hunk", [" lost\n+c\n", " a\n+c\n", "-a <n> <rest>\n+c\n", " b\n lost\n"])
def test_hunk_without_its_one_place_is_an_error(hunk: str) -> None:
    with pytest.raises(AnchorError):
        apply_hunk("a 1 x\nb\na 2 y\n", hunk)


@pytest.mark.skipif(os.environ.get("TEST_RECIPES") != "1", reason="takes minutes: TEST_RECIPES=1")
def test_recipes_compile(tmp_path: Path) -> None:
    copy(tracked(), tmp_path)
    own_tests = []
    for name in RECIPES.values():
        steps = patch(name)
        apply(steps, tmp_path)
        own_tests += TEST.findall(re.sub(r"^\+", "", steps, flags=re.MULTILINE))
    # cargo and its toolchain are below the user's own home. Artifacts are kept apart from those of
    # the project, which they would replace: cargo does not tell two copies of a workspace apart.
    environment = os.environ | {
        "HOME": pwd.getpwuid(os.getuid()).pw_dir,
        "CARGO_TARGET_DIR": str(ROOT / "target" / "recipes"),
        "PYO3_PYTHON": sys.executable,
    }

    def cargo(*arguments: str) -> str:
        command = ["cargo", *arguments]
        ran = subprocess.run(
            command, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True
        )
        assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
        assert "warning: " not in ran.stderr, ran.stderr
        return ran.stdout

    locked = ("--offline", "--locked", "--workspace")
    cargo("check", *locked, "--all-features")
    output = cargo("test", *locked, "--lib", "--test", "hub", "--", *own_tests)
    passed = re.findall(r"^test (?:\w+::)*(\w+) \.\.\. ok$", output, re.MULTILINE)
    assert sorted(passed) == sorted(own_tests)
