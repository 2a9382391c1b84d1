"""No text that hubtoken's sources contain for messages has a character beyond ASCII.

What is added to it may: a name that people gave, and the mark of a mask, which the sources write
as an escape sequence. The pages of the Hub are documents in UTF-8 and have their own typography.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest

from tests.python.helpers import ROOT

if TYPE_CHECKING:
    from pathlib import Path

# What one token of Rust's grammar can be, as far as texts are concerned, in the order of trial.
RUST = re.compile(
    r"""
    (?P<comment> //[^\n]* | /\*.*?\*/ )
  | (?P<raw> b?r(?P<hashes>\#*)"(?P<raw_text>.*?)"(?P=hashes) )
  | (?P<text> b?"(?:[^"\\]|\\.)*" )
  | (?P<character> b?'(?:[^'\\\n]|\\[^\n]+?)' )
    """,
    re.VERBOSE | re.DOTALL,
)
# clap shows the documentation of a verb's arguments as help.
HELP = re.compile(r"^\s*///(.*)$", re.MULTILINE)
PAGES = ROOT / "crates" / "hubtoken-hub" / "src" / "pages"


def without_tests(source: str) -> str:
    """The source up to the tests at its end."""
    return re.split(r"#\[cfg\(test\)\]\n(?:pub\(crate\) )?mod tests \{", source)[0]


def rust_texts(path: Path) -> list[tuple[int, str]]:
    """The texts of a Rust file, with their lines."""
    source = without_tests(path.read_text(encoding="utf-8"))
    found = [
        (source.count("\n", 0, match.start()) + 1, match.group())
        for match in RUST.finditer(source)
        if match.group("comment") is None
    ]
    if "cli" in path.parts:
        found += [
            (source.count("\n", 0, match.start()) + 1, match.group(1))
            for match in HELP.finditer(source)
        ]
    return found


def python_texts(path: Path) -> list[tuple[int, str]]:
    """The texts of a Python file but for docstrings, with their lines."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in docstrings
    ]


def sources(suffix: str) -> list[Path]:
    folders = [ROOT / "src", ROOT / "crates", ROOT / "python"]
    return [
        path
        for folder in folders
        for path in sorted(folder.rglob(f"*{suffix}"))
        if not {"tests", "benches", "target"} & set(path.parts)
        and path.name != "tests.rs"
        and PAGES not in path.parents
    ]


@pytest.mark.parametrize(("suffix", "texts"), [(".rs", rust_texts), (".py", python_texts)])
def test_messages_are_ascii(suffix: str, texts: object) -> None:
    assert callable(texts)
    paths = sources(suffix)
    found = {path: texts(path) for path in paths}
    assert sum(map(len, found.values())) > 100
    beyond = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path, all_texts in found.items()
        for line, text in all_texts
        if not text.isascii()
    ]
    assert beyond == []


def test_the_search_finds_what_it_looks_for(tmp_path: Path) -> None:
    path = tmp_path / "x.rs"
    path.write_text(
        '// \u2026\nlet a = \'\u2026\';\nlet b = "\\"\u2026";\nlet c = r#""\u2026"#;\n'
        "fn f<'a>(x: &'a str) {} // '\u2026'\n",
        encoding="utf-8",
    )
    assert [line for line, text in rust_texts(path) if not text.isascii()] == [2, 3, 4]
