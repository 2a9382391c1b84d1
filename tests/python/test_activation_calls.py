"""A plain call inside a block of the same thread is rejected in any form, and a `with` never is."""

from __future__ import annotations

import contextlib
import functools
import subprocess
import sys
import warnings
from typing import TYPE_CHECKING, Any

import pytest

import hubtoken
from tests.environment import child_environment
from tests.python.helpers import DEADLINE, handed_over

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hubtoken import Activation, HubToken

pytestmark = pytest.mark.usefixtures("alone")


def use(token: HubToken) -> Activation:
    return token.activate()


def use_twice(token: HubToken) -> Activation:
    return use(token)


def logged(function: Callable[[HubToken], Activation]) -> Callable[[HubToken], Activation]:
    @functools.wraps(function)
    def wrapper(token: HubToken) -> Activation:
        result = function(token)
        return result  # noqa: RET504 - as decorators do

    return wrapper


decorated = logged(use)

# Each is run as a function's body, where names are local, and as a module's, where they are global.
PLAIN = {
    "dropped by a helper's caller": "use(b)",
    "assigned by a helper's caller": "h = use(b)",
    "two helpers": "h = use_twice(b)",
    "a decorated helper": "h = decorated(b)",
    "an attribute of a helper's": "holder.h = use(b)",
    "two names": "x = y = b.activate()",
    "a name and an item": "x = L[0] = b.activate()",
    "an item and a name": "L[0] = x = b.activate()",
    "an assignment expression": "(x := b.activate())",
    "or": "x = b.activate() or None",
    "or, dropped": "b.activate() or None",
    "and": "x = b.activate() and None",
    "a condition": "if b.activate(): pass",
    "a condition with not": "if not b.activate(): pass",
    "a condition that is compared": "while use(b): break",
    "a conditional expression": "x = b.activate() if L else None",
    "eval": "h = eval('b.activate()')",
}
ENTERED = {
    "with": "with b.activate(): seen()",
    "a helper": "with use(b): seen()",
    "two helpers": "with use_twice(b) as t: seen()",
    "a decorated helper": "with decorated(b): seen()",
    "a name": "with (x := b.activate()): seen()",
    "a helper's name": "with (x := use(b)) as t: seen()",
    "or": "with b.activate() or nullcontext(): seen()",
    "a condition": "with b.activate() if L else nullcontext(): seen()",
    "another condition": "with nullcontext() if not L else use(b): seen()",
    "a property": "with holder.active: seen()",
    "a stack": "with ExitStack() as s:\n  s.enter_context(use(b)); seen()",
    "a stack beside other arguments": (
        "with ExitStack() as s:\n  enter(s, use(b), (y := 3), 1 if L else 2); seen()"
    ),
    "eval": "with eval('b.activate()'): seen()",
    "a list": "with [use(b)][0]: seen()",
}


class Holder:
    """Has a property that activates."""

    def __init__(self, token: HubToken) -> None:
        """Store the token."""
        self.token = token

    @property
    def active(self) -> Activation:
        """An activation."""
        return self.token.activate()


def run(source: str, token: HubToken, where: str) -> list[str | None]:
    """Run it, and return what was active."""
    seen: list[str | None] = []

    def note() -> None:
        found = hubtoken.resolve_token(required=False)
        seen.append(None if found is None else found.reveal())

    def enter(stack: contextlib.ExitStack, activation: Activation, *_: int) -> None:
        stack.enter_context(activation)

    names: dict[str, Any] = {
        "b": token,
        "L": [1],
        "holder": Holder(token),
        "use": use,
        "use_twice": use_twice,
        "decorated": decorated,
        "nullcontext": contextlib.nullcontext,
        "ExitStack": contextlib.ExitStack,
        "hubtoken": hubtoken,
        "seen": note,
        "enter": enter,
    }
    if where == "function":
        body = "\n".join(f"  {line}" for line in source.splitlines())
        source = f"def f(b, L, holder):\n{body}\nf(b, L, holder)"
    exec(compile(source, "<here>", "exec"), names)  # noqa: S102 - ours
    return seen


@pytest.mark.parametrize("where", ["function", "module"])
@pytest.mark.parametrize("how", PLAIN)
def test_a_plain_call_inside_a_block_is_refused(how: str, where: str) -> None:
    outer, inner = handed_over(), handed_over()
    with outer.activate():
        for _ in range(20):
            with pytest.raises(hubtoken.ConfigurationError, match="Use `with token"):
                run(PLAIN[how], inner, where)


@pytest.mark.parametrize("where", ["function", "module"])
@pytest.mark.parametrize("how", ENTERED)
def test_a_block_inside_a_block_is_entered(how: str, where: str) -> None:
    outer, inner = handed_over(), handed_over()
    with outer.activate():
        for _ in range(20):
            assert run(ENTERED[how], inner, where) == [inner.reveal()]


UNDECIDED = {
    "a list": "L.append(b.activate())",
    "a list of a helper's": "L.append(use(b))",
    "a tuple": "x = (b.activate(), 1)",
    "a comprehension": "x = [use(b) for _ in (1,)]",
}


@pytest.mark.parametrize("how", UNDECIDED)
def test_what_stays_undecided_is_told_at_the_end_of_the_block(how: str) -> None:
    outer, inner = handed_over(), handed_over()
    kept: list[object] = []
    names = {"b": inner, "L": kept, "use": use}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with outer.activate():
            exec(UNDECIDED[how], names)  # noqa: S102 - ours
            assert caught == []
        kept.append(names.pop("x", None))
        assert ["never was active" in str(warning.message) for warning in caught] == [True]
        kept.clear()
    assert len(caught) == 1


def test_a_long_block_does_not_remember_the_blocks_inside_of_it() -> None:
    from hubtoken.activation_state import STATE

    outer, inner = handed_over(), handed_over()
    with outer.activate():
        for _ in range(50):
            with inner.activate():
                pass
        assert len(STATE.blocks[0].waiting) <= 1


def test_a_block_that_the_end_of_the_interpreter_leaves_is_no_traceback(home: Path) -> None:
    program = (
        "import hubtoken\n"
        "token = hubtoken.resolve_token('hf_' + 'Fake' * 8 + 'XX')\n"
        "def block():\n"
        "  with token.activate():\n"
        "    kept = [token.activate()]\n"
        "    yield\n"
        "left = block()\n"
        "next(left)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=child_environment(home),
        capture_output=True,
        text=True,
        check=True,
        timeout=DEADLINE,
    )
    assert done.stderr == ""


@pytest.mark.parametrize("ending", ["", "block.__exit__(None, None, None)\n", "raise SystemExit"])
def test_the_end_of_the_interpreter_is_no_traceback(ending: str, home: Path) -> None:
    program = (
        "import hubtoken\n"
        "token = hubtoken.resolve_token('hf_' + 'Fake' * 8 + 'XX')\n"
        "other = hubtoken.resolve_token('hf_' + 'Fake' * 8 + 'YY')\n"
        "block = token.activate()\n"
        "block.__enter__()\n"
        "kept = [other.activate()]\n"
        f"{ending}"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=child_environment(home),
        capture_output=True,
        text=True,
        check=True,
        timeout=DEADLINE,
    )
    assert "Traceback" not in done.stderr
    assert "ignored" not in done.stderr
    assert ("never was active" in done.stderr) == ending.startswith("block")
