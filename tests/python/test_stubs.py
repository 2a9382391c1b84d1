"""The script that finishes the generated stub: what it must add, and what it must not change."""

from __future__ import annotations

import ast

import stubs

ROUGH = '''"""
The core.
"""

from typing import Any, final

__all__ = ["Thing", "find"]

@final
class Thing:
    """
    A thing.
    """
    def headers(self, /, url: "str | None" = None) -> "Mapping[str, str]":
        """
        The headers.
        """

def find(token: Any | None = None) -> "Thing | Literal['none']": ...
'''


def test_quoted_annotations_are_unquoted_and_their_names_imported() -> None:
    finished = stubs.finish(ROUGH)
    assert "from collections.abc import Mapping\n" in finished
    assert "from typing import Any, Literal, final\n" in finished
    assert "url: str | None = None) -> Mapping[str, str]:" in finished


def test_docstrings_survive() -> None:
    tree = ast.parse(stubs.finish(ROUGH))
    thing = next(node for node in tree.body if isinstance(node, ast.ClassDef))
    assert ast.get_docstring(tree) == "The core."
    assert ast.get_docstring(thing) == "A thing."
    headers = next(node for node in thing.body if isinstance(node, ast.FunctionDef))
    assert ast.get_docstring(headers) == "The headers."


def test_finishing_is_stable() -> None:
    finished = stubs.finish(ROUGH)
    assert stubs.finish(finished.removeprefix(stubs.BANNER)) == finished
