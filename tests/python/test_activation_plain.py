"""Activation without `with`: a later call replaces an earlier one, and blocks restore the state."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

import hubtoken
from hubtoken.activation import activate
from tests.environment import fake_token
from tests.python.helpers import DEADLINE, ambient, handed_over, leaks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from hubtoken import Activation, HubToken

    Test = TypeVar("Test", bound=Callable[..., None])

pytestmark = pytest.mark.usefixtures("alone", "inactive")

NEEDS_FORK = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
# Newer Python versions warn about a fork while other threads are running, which is tested here.
AMONG_THREADS = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")


def needs_fork(test: Test) -> Test:
    """Marks a test that forks."""
    marked: Test = NEEDS_FORK(AMONG_THREADS(test))
    return marked


@pytest.fixture
def inactive(alone: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is active, before and after."""
    alone.delenv("HF_TOKEN", raising=False)
    yield
    hubtoken.deactivate()
    assert "HF_TOKEN" not in os.environ


def sent() -> str | None:
    return os.environ.get("HF_TOKEN")


def test_a_later_call_replaces_an_earlier_one(alone: pytest.MonkeyPatch) -> None:
    alone.setenv("HF_TOKEN", fake_token())
    was = sent()
    tokens = [handed_over() for _ in range(3)]
    handles = [token.activate() for token in tokens]
    assert sent() == tokens[2].reveal()
    assert ["replaced" in repr(handle) for handle in handles] == [True, True, False]
    # What was replaced has ended: ending it again changes nothing.
    handles[0].deactivate()
    assert sent() == tokens[2].reveal()
    handles[2].deactivate()
    assert sent() == was
    handles[1].deactivate()
    assert sent() == was
    alone.delenv("HF_TOKEN")


def test_the_function_ends_what_has_no_handle() -> None:
    hubtoken.deactivate()
    handed_over().activate()
    handed_over().activate()
    hubtoken.deactivate()
    assert sent() is None
    hubtoken.deactivate()
    assert sent() is None


def test_each_task_of_a_thread_replaces_what_another_has_activated() -> None:
    # As in the cells of a notebook: each is a separate task.
    first, second = handed_over(), handed_over()

    async def cell(token: HubToken) -> None:
        token.activate()
        assert sent() == token.reveal()

    async def main() -> None:
        for token in (first, second, first):
            await asyncio.create_task(cell(token))

    asyncio.run(main())
    assert sent() == first.reveal()


@pytest.mark.parametrize("how", ["returned", "raised"])
def test_a_block_restores_the_plain_one_before_it(how: str) -> None:
    first, second = handed_over(), handed_over()
    first.activate()
    with contextlib.suppress(LookupError), second.activate():
        assert sent() == second.reveal()
        if how == "raised":
            raise LookupError
    assert sent() == first.reveal()
    # And not again for a handle that is entered late.
    kept = second.activate()
    assert sent() == second.reveal()
    with kept:
        assert sent() == second.reveal()
    assert sent() == first.reveal()


def test_a_block_of_the_same_token_leaves_it_active() -> None:
    token = handed_over()
    token.activate()
    with token.activate():
        assert sent() == token.reveal()
    assert sent() == token.reveal()


def test_what_was_ended_meanwhile_is_not_restored() -> None:
    first, second = handed_over().activate(), handed_over().activate()
    first.deactivate()
    with second:
        pass
    assert sent() is None
    third = handed_over().activate()
    with handed_over().activate():
        hubtoken.deactivate()
        assert sent() is not None
    assert sent() is None
    assert "no longer active" in repr(third)


def test_an_activation_is_entered_once() -> None:
    token, other = handed_over(), handed_over()
    activation = token.activate()
    with activation, pytest.raises(hubtoken.ConfigurationError, match="again"):
        activation.__enter__()
    for used in (activation, token.activate()):
        other.activate()
        with pytest.raises(
            hubtoken.ConfigurationError, match=r"token\.activate\(\) again"
        ) as caught:
            used.__enter__()
        assert leaks(str(caught.value), token.reveal(), other.reveal()) == []
        assert sent() == other.reveal()


def dropped(token: HubToken) -> None:
    token.activate()


def assigned(token: HubToken) -> None:
    handle = token.activate()
    del handle


def an_attribute(token: HubToken) -> None:
    holder = threading.local()
    holder.handle = token.activate()


def an_item(token: HubToken) -> None:
    holder: dict[str, Activation] = {}
    holder["handle"] = token.activate()


def interactive(token: HubToken) -> None:
    exec(compile("token.activate()", "<stdin>", "single"), {"token": token})  # noqa: S102 - ours


@pytest.mark.parametrize("call", [dropped, assigned, an_attribute, an_item, interactive])
@pytest.mark.parametrize("same", [False, True], ids=["another", "the same"])
def test_inside_ones_own_block_a_plain_call_raises(
    call: Callable[[HubToken], None], same: bool
) -> None:
    outer = handed_over()
    inner = outer if same else handed_over()
    with outer.activate():
        # Often enough for an interpreter that specializes its bytecode after a few calls.
        messages = []
        for _ in range(50):
            with pytest.raises(hubtoken.ConfigurationError, match="Use `with token") as caught:
                call(inner)
            messages.append(str(caught.value))
        assert leaks("".join(messages), outer.reveal(), inner.reveal()) == []
        assert sent() == outer.reveal()
    call(inner)
    assert sent() in {None, inner.reveal()}


def test_inside_ones_own_block_every_way_to_enter_works() -> None:
    outer, inner = handed_over(), handed_over()

    def helper() -> Activation:
        return inner.activate()

    with outer.activate():
        with inner.activate() as given:
            assert given is inner
        with inner.activate(), outer.activate(), inner.activate():
            assert sent() == inner.reveal()
        with contextlib.ExitStack() as stack:
            stack.enter_context(inner.activate())
            assert sent() == inner.reveal()
        with helper():
            assert sent() == inner.reveal()
        with (activation := inner.activate()):
            assert sent() == inner.reveal()
        assert "no longer active" in repr(activation)
        with activate(inner):
            assert sent() == inner.reveal()
        assert sent() == outer.reveal()
    assert sent() is None


def test_what_is_never_entered_inside_a_block_is_told_at_its_end() -> None:
    outer, inner = handed_over(), handed_over()
    handles = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with outer.activate():
            handles.append(inner.activate())
            assert sent() == outer.reveal()
            assert "not active" in repr(handles[0])
            assert caught == []
        assert ["never was active" in str(warning.message) for warning in caught] == [True]
        # Once, whatever happens to the handle.
        handles.pop().deactivate()
        gc.collect()
    assert len(caught) == 1
    assert leaks(str(caught[0].message), inner.reveal(), outer.reveal()) == []
    assert caught[0].filename == __file__


def test_what_is_dropped_inside_a_block_is_told_at_once() -> None:
    outer, inner = handed_over(), handed_over()
    handles = []
    with outer.activate():
        handles.append(inner.activate())

        def drop() -> None:
            handles.clear()
            gc.collect()

        with pytest.warns(hubtoken.HubTokenWarning, match="never was active"):
            drop()
        handles.append(inner.activate())
        with pytest.warns(hubtoken.HubTokenWarning, match="never was active"):
            handles.pop().deactivate()


def test_an_open_block_of_another_task_is_an_error_for_a_plain_call() -> None:
    first, second = handed_over(), handed_over()

    async def cell(token: HubToken) -> None:
        token.activate()

    async def main() -> None:
        with first.activate():
            with pytest.raises(hubtoken.ConfigurationError, match="with block"):
                await asyncio.create_task(cell(second))
            await asyncio.create_task(cell(first))
        # The plain one of the other task outlives the block.
        assert sent() == first.reveal()
        await asyncio.create_task(cell(second))
        assert sent() == second.reveal()

    asyncio.run(main())


def test_a_plain_one_of_a_thread_that_has_ended_is_still_another_threads() -> None:
    first, second = handed_over(), handed_over()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(first.activate).result(DEADLINE)
    assert sent() == first.reveal()
    for _ in range(8):
        # New threads may reuse the number of the one that has ended.
        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(second.activate)
            with pytest.raises(hubtoken.ConfigurationError, match="deactivate"):
                done.result(DEADLINE)
    hubtoken.deactivate()
    second.activate()
    assert sent() == second.reveal()


def test_threads_that_end_leave_no_pile_behind() -> None:
    from hubtoken.activation_state import STATE

    token = handed_over()
    token.activate()
    for _ in range(20):
        with ThreadPoolExecutor(1) as pool:
            pool.submit(token.activate).result(DEADLINE)
    assert len(STATE.plain) <= 3
    assert sent() == token.reveal()


def test_a_variable_that_others_have_changed_is_set_again() -> None:
    token = handed_over()
    token.activate()
    os.environ["HF_TOKEN"] = fake_token()
    assert ambient() != token
    token.activate()
    assert sent() == token.reveal()
    hubtoken.deactivate()
    assert sent() is None


def test_where_implicit_tokens_are_disabled_deactivation_still_works(
    alone: pytest.MonkeyPatch,
) -> None:
    handed_over().activate()
    alone.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
    hubtoken.deactivate()
    assert sent() is None


def in_child(what: Callable[[], Any]) -> Any:
    """The result in a forked child."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            answer = what()
        except BaseException as error:  # noqa: BLE001 - everything is reported
            answer = repr(error)
        os.write(writer, json.dumps(answer).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        answer = json.load(pipe)
    os.waitpid(child, 0)
    return answer


@needs_fork
def test_a_forked_child_has_what_was_active_and_can_change_it() -> None:
    first, second = handed_over(), handed_over()
    first.activate()

    def change() -> list[str | None]:
        seen = [ambient().source, sent()]
        second.activate()
        seen.append(sent())
        with first.activate():
            seen.append(sent())
        hubtoken.deactivate()
        return [*seen, sent()]

    expected = ["argument", first.reveal(), second.reveal(), first.reveal(), None]
    assert in_child(change) == expected
    assert sent() == first.reveal()


@needs_fork
@pytest.mark.parametrize("plain", [False, True], ids=["block", "plain"])
def test_a_forked_child_is_not_held_up_by_threads_of_its_parent(plain: bool) -> None:
    first, second = handed_over(), handed_over()
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with contextlib.ExitStack() as stack:
            activation = first.activate()
            if not plain:
                stack.enter_context(activation)
            entered.set()
            leave.wait(DEADLINE)
            activation.deactivate()

    def change() -> list[str | None]:
        seen = [sent()]
        second.activate()
        seen.append(sent())
        hubtoken.deactivate()
        return [*seen, sent()]

    thread = threading.Thread(target=hold)
    thread.start()
    assert entered.wait(DEADLINE)
    try:
        with pytest.raises(hubtoken.ConfigurationError):
            second.activate()
        assert in_child(change) == [first.reveal(), second.reveal(), None]
        assert sent() == first.reveal()
    finally:
        leave.set()
        thread.join(DEADLINE)
    assert sent() is None


@needs_fork
def test_a_fork_waits_for_a_change_that_another_thread_is_making() -> None:
    tokens = [handed_over() for _ in range(2)]
    stop = threading.Event()

    def switch() -> None:
        while not stop.is_set():
            for token in tokens:
                token.activate()
        hubtoken.deactivate()

    def look() -> bool:
        active = ambient() in tokens
        handed_over().activate()
        hubtoken.deactivate()
        return active and sent() is None

    thread = threading.Thread(target=switch)
    tokens[0].activate()
    hubtoken.deactivate()
    thread.start()
    try:
        while sent() is None:
            pass
        assert [in_child(look) for _ in range(20)] == [True] * 20
    finally:
        stop.set()
        thread.join(DEADLINE)
