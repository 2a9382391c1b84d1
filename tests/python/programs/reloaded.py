"""Executes the modules of hubtoken again, twice, and then uses what tends to break.

`reload` is `importlib.reload` of each, `cleared` empties each module first as IPython does,
`autoreload` and `superreload` are IPython's own, and `emptied` removes them from `sys.modules`.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import pickle
import shutil
import sys
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType

# A copy, whose files an "upgrade" may touch.
PACKAGE = Path(importlib.util.find_spec("hubtoken").origin).parent  # type: ignore[union-attr,arg-type]
COPY = Path(mkdtemp())
shutil.copytree(PACKAGE, COPY / "hubtoken", ignore=shutil.ignore_patterns("__pycache__"))
sys.path.insert(0, str(COPY))

import hubtoken  # noqa: E402 - from the copy
import hubtoken.activation  # noqa: E402
import hubtoken.asgi  # noqa: E402
import hubtoken.hub  # noqa: E402
import hubtoken.notebook  # noqa: E402
from hubtoken import HubTokenError, HubTokenWarning, TokenNotFoundError  # noqa: E402

# Of `%autoreload`: 2 patches the functions that changed, 3 executes whole modules.
MODES = {"autoreload": "2", "superreload": "3"}

FIRST = "hf_" + "Ab1" * 12
SECOND = "hf_" + "Cd2" * 12


def modules() -> list[ModuleType]:
    """The loaded modules of the package; the extension is one of them."""
    names = sorted(name for name in sys.modules if name.partition(".")[0] == "hubtoken")
    return [sys.modules[name] for name in names]


def execute_again(way: str) -> None:
    """Execute all modules again."""
    if way == "emptied":
        for module in modules():
            del sys.modules[module.__name__]
        globals()["hubtoken"] = importlib.import_module("hubtoken")
        for name in ("activation", "asgi", "hub", "notebook"):
            importlib.import_module(f"hubtoken.{name}")
    elif way in MODES:
        for module in modules():
            file = module.__file__ or ""
            if file.endswith(".py"):
                with Path(file).open("a", encoding="utf-8") as text:
                    text.write("\n# upgraded\n")
                later = Path(file).stat().st_mtime + 10
                os.utime(file, (later, later))
        SHELL.run_cell("1 + 1", store_history=True).raise_error()
        # A token that is alive, whose class the tool assigns to it.
        SHELL.run_cell("assert isinstance(token, hubtoken.HubToken)").raise_error()
    else:
        for module in modules():
            if way == "cleared" and (module.__file__ or "").endswith(".py"):
                kept = {name: module.__dict__[name] for name in ("__name__", "__loader__")}
                module.__dict__.clear()
                module.__dict__.update(kept)
            importlib.reload(module)


def raised(kind: type[HubTokenError]) -> HubTokenError:
    """The error of an unknown name, caught by one of its classes."""
    try:
        hubtoken.switch_token("nobody")
    except kind as error:
        return error
    raise AssertionError(kind)


def check() -> None:
    """Use what tends to break."""
    for attribute in hubtoken.__all__:
        getattr(hubtoken, attribute)
    assert hubtoken.hub.Hub.__name__ == "Hub"
    assert hubtoken.asgi.TokenAuthentication.__module__ == "hubtoken.asgi"
    token = hubtoken.resolve_token(FIRST)
    # Old names and new ones mean the same errors.
    for kind in (HubTokenError, hubtoken.HubTokenError):
        error = raised(kind)
        assert isinstance(error, TokenNotFoundError)
        assert isinstance(error, hubtoken.errors.TokenNotFoundError)
        again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own pickle
        assert str(again) == str(error)
        assert type(again) is hubtoken.TokenNotFoundError
    assert HubTokenWarning is hubtoken.HubTokenWarning
    assert str(HubTokenWarning("text")) == "text"
    assert pickle.loads(pickle.dumps(token)) == token  # noqa: S301
    ForkingPickler.dumps(token)
    trace = hubtoken.explain(FIRST)
    assert pickle.loads(pickle.dumps(trace)) == trace  # noqa: S301
    revealed = importlib.import_module("hubtoken.revealed")
    assert type(token.reveal()) is revealed.RevealedToken
    assert repr(token.reveal()) == "<revealed token>"


def main(way: str) -> None:
    """Check before, between and after, with a token that was activated at the start."""
    os.environ.pop("HF_TOKEN", None)
    first, second = hubtoken.resolve_token(FIRST), hubtoken.resolve_token(SECOND)
    hub = hubtoken.hub.Hub().start()
    check()
    first.activate()
    for _ in range(2):
        execute_again(way)
        assert os.environ["HF_TOKEN"] == FIRST
        with second.activate() as active:
            assert active is second
            assert os.environ["HF_TOKEN"] == SECOND
        assert os.environ["HF_TOKEN"] == FIRST
        check()
        child = os.fork()
        if child == 0:
            os._exit(0 if hubtoken.get_token() == FIRST else 1)
        assert os.waitpid(child, 0)[1] == 0
    activation = first.activate()
    assert isinstance(activation, hubtoken.Activation)
    hubtoken.deactivate()
    assert "HF_TOKEN" not in os.environ
    folder = hub.data
    hub.stop()
    assert not Path(folder).exists()
    print("done")  # noqa: T201 - the answer


if __name__ == "__main__":
    SHELL: Any = None
    if mode := MODES.get(sys.argv[1]):
        from IPython.core.interactiveshell import InteractiveShell

        SHELL = InteractiveShell.instance(history_load_length=0)
        SHELL.run_line_magic("load_ext", "autoreload")
        SHELL.run_line_magic("autoreload", mode)
        SHELL.run_cell("import hubtoken").raise_error()
        SHELL.run_cell(f"token = hubtoken.HubToken({FIRST!r})").raise_error()
    try:
        main(sys.argv[1])
    finally:
        shutil.rmtree(COPY)
