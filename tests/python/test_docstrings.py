"""The examples in docstrings run: those of Python, and those that come from Rust."""

from __future__ import annotations

import doctest
import importlib
import logging
from types import GetSetDescriptorType
from typing import TYPE_CHECKING, Any

import pytest

import hubtoken
from tests.python.helpers import ROOT

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


@pytest.mark.parametrize(
    ("imports", "expected"),
    # Without an import, griffe lists no function that consists of overloads.
    [(True, "hubtoken._core.resolve_token"), (False, "hubtoken._core.Hub.audit")],
)
def test_tools_read_every_docstring_without_a_warning(imports: bool, expected: str) -> None:
    """Griffe, which mkdocstrings uses; it also finds parameters that a signature does not have."""
    import griffe

    warned: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: warned.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("griffe").addHandler(handler)
    try:
        folder = str(ROOT / "python")
        package = griffe.load("hubtoken", search_paths=[folder], allow_inspection=imports)
        read = list(sections(package))
    finally:
        logging.getLogger("griffe").removeHandler(handler)
    assert warned == []
    assert expected in read


def sections(owner: Any) -> Iterator[str]:
    """Parse the docstrings below an object, and yield the paths of those that have one."""
    for member in owner.members.values():
        if member.is_alias:
            continue
        if member.docstring is not None:
            member.docstring.parse("google")
            yield member.path
        if member.is_module or member.is_class:
            yield from sections(member)


def test_the_summary_of_a_property_is_no_type() -> None:
    """Sphinx reads `The kind: a word` as an attribute of the type `The kind`."""
    owners = [value for name in MODULES for value in vars(importlib.import_module(name)).values()]
    summaries = {
        f"{owner.__qualname__}.{name}": (member.__doc__ or "").partition("\n")[0]
        for owner in owners
        if isinstance(owner, type) and owner.__module__.startswith("hubtoken")
        for name, member in vars(owner).items()
        if isinstance(member, property | GetSetDescriptorType)
    }
    assert "Identity.role" in summaries
    assert {name: text for name, text in summaries.items() if ":" in text} == {}
