"""The script that finishes the generated stub: what it must add, and what it must not change."""

from __future__ import annotations

import ast
import json

import hubtoken
import stub_types
import stubs
from hubtoken import _core

ROUGH = '''"""
The core.
"""

from typing import Any, final

__all__ = ["Thing", "find"]

@final
class HubToken:
    def __call__(self, /, request: "object" = None) -> "Any":
        """
        Sets the header.
        """
    @property
    def __class__(self, /) -> type: ...
    def __len__(self, /) -> int: ...
    @property
    def kind(self, /) -> str:
        """
        `user` or `organization`.
        """

@final
class Thing:
    """
    A thing.
    """
    def headers(self, /, url: "str | None" = None) -> "Mapping[str, str]":
        """
        The headers.
        """
    def __len__(self, /) -> int: ...

def find(token: Any | None = None) -> "Thing | Literal['none']": ...
'''


def test_quoted_annotations_are_unquoted_and_their_names_imported() -> None:
    finished = stubs.finish(ROUGH)
    assert "from collections.abc import Mapping\n" in finished
    assert "from typing import Any, Literal, final\n" in finished
    assert "url: str | None = None) -> Mapping[str, str]:" in finished


def test_docstrings_survive() -> None:
    tree = ast.parse(stubs.finish(ROUGH))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    thing = next(node for node in classes if node.name == "Thing")
    assert ast.get_docstring(tree) == "The core."
    assert ast.get_docstring(thing) == "A thing."
    headers = next(node for node in thing.body if isinstance(node, ast.FunctionDef))
    assert ast.get_docstring(headers) == "The headers."


def test_finishing_is_stable() -> None:
    finished = stubs.finish(ROUGH)
    assert stubs.finish(finished.removeprefix(stubs.BANNER)) == finished


INCOMPLETE = '''"""
The core.
"""

from _typeshed import Incomplete
from typing import Any, Final, final

__version__: Final[str]

@final
class Verdict:
    def __eq__(self, other: object, /) -> Any: ...
    def __new__(cls, /, word: "str" = "a", *, more: int = 1) -> Verdict: ...
    @property
    def outcome(self, /) -> str:
        """
        `allowed`, `denied` or
        `unknown`. Never another.
        """

def resolve_token(
    token: "str | HubToken | bool | None" = None, *, required: "bool" = True
) -> "HubToken | None":
    """
    Finds a token.
    """

def __getattr__(name: str) -> Incomplete: ...
'''


def test_what_pyo3_cannot_say_is_added() -> None:
    finished = stubs.finish(INCOMPLETE)
    assert 'def outcome(self, /) -> Literal["allowed", "denied", "unknown"]:' in finished
    assert "def __eq__(self, other: object, /) -> bool: ..." in finished
    assert "def __init__(self, /, word: str = " in finished
    assert "from typing import Final, Literal, final, overload\n" in finished
    found = [
        ast.unparse(node) for node in ast.parse(finished).body if isinstance(node, ast.FunctionDef)
    ]
    assert [text.partition("\n")[0] for text in found] == ["@overload"] * 3
    assert "token: Literal[False], *, required: bool=True) -> None:" in found[0]
    assert "token: str | HubToken | SecretValue | Literal[True] | None=None, " in found[1]
    assert "required: Literal[True]=True) -> HubToken:" in found[1]
    assert "Finds a token." in found[2]


def test_a_module_with_an_init_function_is_complete() -> None:
    finished = stubs.finish(INCOMPLETE)
    assert '__all__ = ["Verdict", "__version__", "resolve_token"]\n' in finished
    assert "Incomplete" not in finished
    assert "__getattr__" not in finished


def test_a_name_that_is_no_longer_there_is_noticed() -> None:
    absent = stub_types.absent(INCOMPLETE)
    assert "HubToken.kind" in absent
    assert "Verdict.outcome" not in absent
    assert stub_types.absent(stubs.STUB.read_text()) == []


def test_closed_words_are_those_of_the_module() -> None:
    """As far as the module takes them as arguments."""
    words = {
        name: stub_types.words(name, function)
        for name, function in stub_types.functions(ast.parse(stubs.STUB.read_text()))
        if name in stub_types.CLOSED
    }

    def restored(word: str) -> hubtoken.TraceStep:
        step = {"source": "env:A", "answer": word, "mask": None, "detail": ""}
        restored: hubtoken.TraceStep = _core.restore_record(hubtoken.TraceStep, json.dumps(step))
        return restored

    for word in words["TraceStep.answer"]:
        assert restored(word).answer == word
    # One of a later version.
    assert restored("other").answer == "ignored"


def test_what_a_token_has_only_to_raise_an_error_is_left_to_type_checkers() -> None:
    tree = ast.parse(stubs.finish(ROUGH))
    methods = {
        owner.name: [node.name for node in owner.body if isinstance(node, ast.FunctionDef)]
        for owner in tree.body
        if isinstance(owner, ast.ClassDef)
    }
    assert methods == {"HubToken": ["__call__", "kind"], "Thing": ["headers", "__len__"]}
    assert "def __call__(self, /, request: object) -> Any:" in stubs.finish(ROUGH)
