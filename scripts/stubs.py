"""Write `python/hubtoken/_core.pyi` from the compiled module, or check that it is up to date.

PyO3 records each function, class and docstring inside the library, and maturin extracts them. The
result is correct but rough: annotations written by hand in Rust become quoted strings whose names
are not imported, nothing is formatted, and what only Python's type system can say is missing. This
script finishes it (see `stub_types.py` for the types), so that editors show the same help as the
running module, and so that a change of the Rust interface cannot be committed without its stub.

    python scripts/stubs.py            # write the stub
    python scripts/stubs.py --check    # exit 1 and show the difference if it is stale
"""

from __future__ import annotations

import argparse
import ast
import difflib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import stub_types

ROOT = Path(__file__).resolve().parent.parent
STUB = ROOT / "python" / "hubtoken" / "_core.pyi"

BANNER = "# Written by `make stubs` from the Rust source. Do not edit.\n\n"

# The module of each name that appears in a hand-written annotation.
IMPORTABLE = {
    "Activation": "hubtoken.activation",
    "Any": "typing",
    "Callable": "collections.abc",
    "Iterator": "collections.abc",
    "Literal": "typing",
    "Mapping": "collections.abc",
    "MutableMapping": "collections.abc",
    "NoReturn": "typing",
    "PathLike": "os",
    "SecretValue": "hubtoken.secret_value",
    "Self": "typing_extensions",
    "Sequence": "collections.abc",
    "TracebackType": "types",
    "datetime": "datetime",
    "overload": "typing",
    "timedelta": "datetime",
}


def used_names(tree: ast.Module) -> set[str]:
    """The names inside quoted annotations, which PyO3 passes on unchanged, and of decorators."""
    names: set[str] = set()
    for node in ast.walk(tree):
        annotations: list[ast.expr | None] = []
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            annotations.append(node.returns)
            names |= {item.id for item in node.decorator_list if isinstance(item, ast.Name)}
        elif isinstance(node, ast.arg | ast.AnnAssign):
            annotations.append(node.annotation)
        for annotation in annotations:
            if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
                expression = ast.parse(annotation.value, mode="eval")
                names |= {name.id for name in ast.walk(expression) if isinstance(name, ast.Name)}
    return names


def drop_properties_of_object(text: str) -> str:
    """Leave out `__class__` and `__dict__`: typeshed declares them, as ones that can be set."""
    lines: list[str | None] = list(text.splitlines(keepends=True))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.name in {"__class__", "__dict__"}:
            first = min([node.lineno, *(item.lineno for item in node.decorator_list)])
            last = node.end_lineno or first
            lines[first - 1 : last] = [None] * (last - first + 1)
    return "".join(line for line in lines if line is not None)


def complete(text: str) -> str:
    """List the names of a module that PyO3 takes for incomplete, since it has an `init` function.

    That function refuses a second interpreter, and adds no name.
    """
    tree = ast.parse(text)
    names: set[str] = set()
    # Line by line: what a line is replaced with.
    replaced: dict[int, str] = {}
    after = 0
    for node in tree.body:
        is_import = isinstance(node, ast.Import | ast.ImportFrom)
        if (isinstance(node, ast.FunctionDef) and node.name == "__getattr__") or (
            isinstance(node, ast.ImportFrom) and node.module == "_typeshed"
        ):
            replaced[node.lineno] = ""
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        if is_import or (after == 0 and isinstance(node, ast.Expr)):
            after = node.end_lineno or node.lineno
    if not replaced:
        return text
    lines = text.splitlines(keepends=True)
    lines = [replaced.get(number, line) for number, line in enumerate(lines, start=1)]
    listed = ", ".join(f'"{name}"' for name in sorted(names))
    lines.insert(after, f"\n__all__ = [{listed}]\n\n")
    return "".join(lines)


# What `HubToken` has only to raise an error that names the fix; a type checker finds the misuse
# itself.
UNTYPED = {
    "__add__",
    "__bool__",
    "__contains__",
    "__ge__",
    "__getattr__",
    "__getitem__",
    "__gt__",
    "__iter__",
    "__le__",
    "__len__",
    "__lt__",
    "__mod__",
    "__mul__",
    "__radd__",
    "__reversed__",
    "__rmul__",
}


def drop_untyped(text: str) -> str:
    """Leave out the methods of `HubToken` that no program should call."""
    lines = text.splitlines(keepends=True)
    for owner in ast.parse(text).body:
        if not isinstance(owner, ast.ClassDef) or owner.name != "HubToken":
            continue
        for node in reversed(owner.body):
            if isinstance(node, ast.FunctionDef) and node.name in UNTYPED:
                first = min([node.lineno, *(item.lineno for item in node.decorator_list)])
                del lines[first - 1 : node.end_lineno]
    return "".join(lines)


def require_request(text: str) -> str:
    """Require the argument of `HubToken.__call__`: without it, the call only raises an error."""
    return re.sub(r"(def __call__\(self, /, request: [^=)]+?) = [^)]+\)", r"\1)", text)


def known_names(tree: ast.Module) -> set[str]:
    """The names that the stub already imports or defines."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.add(node.name)
    return names


def add_imports(text: str) -> str:
    """Import what the quoted annotations use, right after the module's docstring."""
    tree = ast.parse(text)
    missing = sorted((used_names(tree) - known_names(tree)) & IMPORTABLE.keys())
    imports = "".join(f"from {IMPORTABLE[name]} import {name}\n" for name in missing)
    lines = text.splitlines(keepends=True)
    first = tree.body[0] if tree.body else None
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    after = (first.end_lineno or 0) if documented and first is not None else 0
    return "".join(lines[:after]) + "\n" + imports + "".join(lines[after:])


def ruff(text: str, *arguments: str) -> str:
    """Pass `text` through a ruff command, with explicit settings only."""
    command = [sys.executable, "-m", "ruff", *arguments, "--stdin-filename", STUB.name, "-"]
    return subprocess.run(
        command, input=text, capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout


def finish(text: str) -> str:
    """Turn maturin's stub into the one that is committed."""
    text = require_request(drop_untyped(drop_properties_of_object(text)))
    text = add_imports(stub_types.refine(complete(text)))
    rules = "D209,D210,D212,F401,I001,PYI,UP"
    common = ("--isolated", "--target-version", "py310", "--line-length", "100")
    text = ruff(text, "check", *common, "--select", rules, "--fix-only", "--quiet")
    return BANNER + ruff(text, "format", *common, "--quiet")


def generate() -> str:
    """Build the module with PyO3's introspection data and have maturin read it."""
    with tempfile.TemporaryDirectory() as folder:
        # The features of the build for tests, so that nothing is compiled twice.
        maturin = [sys.executable, "-m", "maturin", "generate-stubs", "--quiet", "--locked"]
        subprocess.run(
            [*maturin, "--features", "stubs,test-clock", "--out", folder], check=True, cwd=ROOT
        )
        stubs = sorted(Path(folder).rglob("*.pyi"))
        if [stub.name for stub in stubs] != [STUB.name]:
            found = ", ".join(str(stub.relative_to(folder)) for stub in stubs)
            sys.exit(f"expected one stub, {STUB.name} (`_core` has no submodules), found: {found}")
        text = stubs[0].read_text(encoding="utf-8")
        if absent := stub_types.absent(text):
            sys.exit(f"there is no {', '.join(absent)} any more: see scripts/stub_types.py")
        return finish(text)


def main() -> None:
    """Write or check the stub."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when stale")
    check = parser.parse_args().check
    fresh = generate()
    committed = STUB.read_text(encoding="utf-8") if STUB.exists() else ""
    if fresh == committed:
        return
    if not check:
        STUB.write_text(fresh, encoding="utf-8")
        return
    difference = difflib.unified_diff(
        committed.splitlines(keepends=True), fresh.splitlines(keepends=True), "committed", "fresh"
    )
    sys.stdout.writelines(difference)
    sys.exit(f"{STUB.relative_to(ROOT)} is stale: run `make stubs` and commit it")


if __name__ == "__main__":
    main()
