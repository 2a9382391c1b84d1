"""A block whose thread or task has ended can be ended, and blocks nothing forever."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from typing import TYPE_CHECKING

import pytest

import hubtoken
from tests.python.helpers import DEADLINE, handed_over, leaks

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubtoken import HubToken

pytestmark = pytest.mark.usefixtures("alone")


def left_by_a_thread(token: HubToken, stack: contextlib.ExitStack) -> None:
    thread = threading.Thread(target=lambda: stack.enter_context(token.activate()))
    thread.start()
    thread.join(DEADLINE)
    assert not thread.is_alive()


def left_by_a_task(token: HubToken, stack: contextlib.ExitStack) -> None:
    async def main() -> None:
        stack.enter_context(token.activate())

    asyncio.run(main())


def left_by_a_task_that_was_cancelled(token: HubToken, stack: contextlib.ExitStack) -> None:
    async def enter() -> None:
        stack.enter_context(token.activate())
        await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.create_task(enter())
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(main())


WAYS = [left_by_a_thread, left_by_a_task, left_by_a_task_that_was_cancelled]


@pytest.mark.parametrize("leave", WAYS, ids=lambda leave: leave.__name__)
def test_a_block_that_was_left_is_ended_by_the_function(
    leave: Callable[[HubToken, contextlib.ExitStack], None],
) -> None:
    first, second = handed_over(), handed_over()
    stack = contextlib.ExitStack()
    leave(first, stack)
    assert os.environ["HF_TOKEN"] == first.reveal()
    for enter in (second.activate, lambda: second.activate().__enter__()):
        with pytest.raises(hubtoken.ConfigurationError) as caught:
            enter()
        assert "the with block of a thread or task that has ended" in str(caught.value)
        assert "end that with hubtoken.deactivate()" in str(caught.value)
        assert leaks(str(caught.value), first.reveal(), second.reveal()) == []
    hubtoken.deactivate()
    assert "HF_TOKEN" not in os.environ
    with second.activate():
        # Leaving it late changes nothing.
        stack.close()
        assert os.environ["HF_TOKEN"] == second.reveal()
    assert "HF_TOKEN" not in os.environ


@pytest.mark.parametrize("leave", WAYS, ids=lambda leave: leave.__name__)
def test_a_block_that_was_left_can_still_be_ended_by_its_own_handle(
    leave: Callable[[HubToken, contextlib.ExitStack], None],
) -> None:
    token = handed_over()
    with contextlib.ExitStack() as stack:
        leave(token, stack)
        assert os.environ["HF_TOKEN"] == token.reveal()
    assert "HF_TOKEN" not in os.environ


def test_the_function_ends_no_block_that_is_still_open() -> None:
    token = handed_over()
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with token.activate():
            entered.set()
            leave.wait(DEADLINE)

    thread = threading.Thread(target=hold)
    thread.start()
    assert entered.wait(DEADLINE)
    try:
        hubtoken.deactivate()
        assert os.environ["HF_TOKEN"] == token.reveal()
        with pytest.raises(hubtoken.ConfigurationError, match="wait for its with block to end"):
            handed_over().activate()
    finally:
        leave.set()
        thread.join(DEADLINE)
    assert "HF_TOKEN" not in os.environ

    async def main() -> None:
        async def other() -> None:
            hubtoken.deactivate()

        with token.activate():
            await asyncio.create_task(other())
            hubtoken.deactivate()
            assert os.environ["HF_TOKEN"] == token.reveal()

    asyncio.run(main())
    assert "HF_TOKEN" not in os.environ
