"""Adds to the stub what PyO3 cannot say in a signature: closed words, overloads, constructors.

Nothing here repeats the Rust source. The words of a property are those that its docstring lists,
overloads are made from the signature that they refine, and a constructor is a copy of `__new__`.
"""

from __future__ import annotations

import ast
import copy
import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Properties that have one of the words that their docstrings list, and never another one.
CLOSED = (
    "Approval.status",
    "AuditEntry.actor",
    "HubToken.kind",
    "TokenInfo.role",
    "TraceStep.answer",
    "Verdict.outcome",
)

# By function: the more precise signatures that precede its own, as new annotations of parameters
# and of the result. A parameter keeps its default where one is written.
OVERLOADS: dict[str, list[tuple[dict[str, str], str]]] = {
    "resolve_token": [
        ({"token": "Literal[False]"}, "None"),
        (
            {
                "token": "str | HubToken | SecretValue | Literal[True] | None = ...",
                "required": "Literal[True] = ...",
            },
            "HubToken",
        ),
    ],
}


def refine(text: str) -> str:
    """Add the types to maturin's stub.

    Args:
        text: The stub.

    Returns:
        The stub with the types, unformatted.
    """
    lines = text.splitlines(keepends=True)
    edits = list(_edits(ast.parse(text)))
    for first, last, start, end, replacement in sorted(edits, reverse=True):
        before, after = lines[first - 1][:start], lines[last - 1][end:]
        lines[first - 1 : last] = [before + replacement + after]
    return "".join(lines)


def absent(text: str) -> list[str]:
    """The names above that a stub does not have."""
    return sorted({*CLOSED, *OVERLOADS} - dict(functions(ast.parse(text))).keys())


# A range of the text, as lines and columns, and what replaces it.
Edit = tuple[int, int, int, int, str]


def _edits(tree: ast.Module) -> Iterator[Edit]:
    for name, function in functions(tree):
        if name in CLOSED:
            yield _replaced(function, f"Literal[{', '.join(map(repr, words(name, function)))}]")
        elif name.endswith((".__eq__", ".__ne__")):
            # `NotImplemented` is for the interpreter.
            yield _replaced(function, "bool")
        elif name in OVERLOADS:
            yield _inserted(function, _overloads(function, OVERLOADS[name]))
        elif name.endswith(".__new__"):
            yield _inserted(function, _constructor(function))


def functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    """The functions of a stub, and with the names of their classes the methods."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for member in node.body:
                if isinstance(member, ast.FunctionDef):
                    yield f"{node.name}.{member.name}", member


def words(name: str, function: ast.FunctionDef) -> list[str]:
    """The words that the docstring of a property lists."""
    listed = re.findall(r"`([^`\n]+)`", ast.get_docstring(function) or "")
    if len(listed) < 2:  # noqa: PLR2004 - one word is no choice
        sys.exit(f"the docstring of {name} lists no words: see stub_types.py")
    return listed


def _replaced(function: ast.FunctionDef, annotation: str) -> Edit:
    """Another type of the result."""
    returns = function.returns
    if returns is None or returns.end_lineno is None or returns.end_col_offset is None:
        sys.exit(f"{function.name} has no type")
    return (
        returns.lineno,
        returns.end_lineno,
        returns.col_offset,
        returns.end_col_offset,
        repr(annotation),
    )


def _inserted(function: ast.FunctionDef, text: str) -> Edit:
    """Text before a function."""
    first = min([function.lineno, *(item.lineno for item in function.decorator_list)])
    indented = "".join(f"{' ' * function.col_offset}{line}\n" for line in text.splitlines())
    return first, first, 0, 0, indented


def _overloads(function: ast.FunctionDef, refined: list[tuple[dict[str, str], str]]) -> str:
    texts = []
    for parameters, result in refined:
        one = _declared(function)
        for name, text in parameters.items():
            annotation = text.removesuffix(" = ...")
            _annotate(one.args, name, annotation, keeps_default=annotation != text)
        one.returns = ast.Constant(result)
        texts.append("@overload\n" + ast.unparse(one))
    return "\n".join([*texts, "@overload"])


def _annotate(arguments: ast.arguments, name: str, annotation: str, *, keeps_default: bool) -> None:
    positional = [*arguments.posonlyargs, *arguments.args]
    for position, argument in enumerate([*positional, *arguments.kwonlyargs]):
        if argument.arg != name:
            continue
        argument.annotation = ast.Constant(annotation)
        if not keeps_default and position < len(positional):
            # With it go those before it, which could not be left out any more.
            kept = len(positional) - position - 1
            arguments.defaults = arguments.defaults[len(arguments.defaults) - kept :]
        elif not keeps_default:
            arguments.kw_defaults[position - len(positional)] = None
        return
    sys.exit(f"there is no parameter {name}: see stub_types.py")


def _constructor(function: ast.FunctionDef) -> str:
    """`__init__`, which tools that document a class take its parameters from."""
    one = _declared(function)
    one.name = "__init__"
    one.returns = ast.Constant(None)
    arguments = one.args.posonlyargs or one.args.args
    arguments[0].arg = "self"
    return ast.unparse(one)


def _declared(function: ast.FunctionDef) -> ast.FunctionDef:
    """A copy without docstring and decorators."""
    one = copy.deepcopy(function)
    one.body = [ast.Expr(ast.Constant(...))]
    one.decorator_list = []
    return one
