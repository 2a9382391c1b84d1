"""The examples in docstrings run: those of Python, and those that come from Rust."""

from __future__ import annotations

import doctest
import importlib
from typing import TYPE_CHECKING

import pytest

import hubtoken

if TYPE_CHECKING:
    from collections.abc import Iterator

MODULES = (
    "hubtoken",
    "hubtoken._core",
    "hubtoken.activation",
    "hubtoken.asgi",
    "hubtoken.hub",
    "hubtoken.revealed",
)


def docstrings() -> Iterator[tuple[str, str]]:
    """Name and text of every docstring that has an example."""
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        for name, value in [("", module), *vars(module).items()]:
            members = vars(value) if isinstance(value, type) else {}
            for member, owner in [("", value), *members.items()]:
                text = getattr(owner, "__doc__", None)
                if isinstance(text, str) and ">>>" in text:
                    yield ".".join(part for part in (module_name, name, member) if part), text


EXAMPLES = dict(docstrings())


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_runs(name: str) -> None:
    test = doctest.DocTestParser().get_doctest(EXAMPLES[name], {}, name, None, None)
    said: list[str] = []
    outcome = doctest.DocTestRunner().run(test, out=said.append)
    assert outcome.attempted > 0
    assert outcome.failed == 0, "".join(said)


def test_the_examples_are_found() -> None:
    assert {"hubtoken._core.resolve_token", "hubtoken._core.Hub"} <= EXAMPLES.keys()
    assert hubtoken.__doc__
    assert "hubtoken" in EXAMPLES
