"""A forked worker that is started inside a `with` block can activate, as the documentation says."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

import hubtoken
from tests.python.helpers import DEADLINE, ambient, handed_over

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubtoken import HubToken

pytestmark = [
    pytest.mark.usefixtures("alone"),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system"),
    # Newer Python versions warn about a fork while other threads are running.
    pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning"),
    # The end of the block warns that the workers of a test have kept their environment.
    pytest.mark.filterwarnings("ignore:.*started before:hubtoken.HubTokenWarning"),
]


def sent(_: object = None) -> str | None:
    return os.environ.get("HF_TOKEN")


def activated(token: HubToken, answers: Any) -> None:
    token.activate()
    answers.put(sent())


def by_executor(token: HubToken) -> str | None:
    with ProcessPoolExecutor(
        1,
        mp_context=multiprocessing.get_context("fork"),
        initializer=hubtoken.HubToken.activate,
        initargs=(token,),
    ) as workers:
        return workers.submit(sent).result(DEADLINE)


def by_pool(token: HubToken) -> str | None:
    context = multiprocessing.get_context("fork")
    with context.Pool(1, initializer=hubtoken.HubToken.activate, initargs=(token,)) as workers:
        return workers.apply_async(sent).get(DEADLINE)


def by_process(token: HubToken) -> str | None:
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    worker = context.Process(target=activated, args=(token, answers))
    worker.start()
    worker.join(DEADLINE)
    assert worker.exitcode == 0
    answer: str | None = answers.get()
    return answer


WAYS = [by_executor, by_pool, by_process]


@pytest.mark.parametrize("same", [False, True], ids=["another", "the same"])
@pytest.mark.parametrize("how", WAYS, ids=lambda how: how.__name__)
@pytest.mark.parametrize("where", ["thread", "task", "nested"])
def test_a_worker_activates(how: Callable[[HubToken], str | None], same: bool, where: str) -> None:
    outer = handed_over()
    inner = outer if same else handed_over()

    def inside() -> None:
        with outer.activate():
            if where == "nested":
                with handed_over().activate():
                    assert how(inner) == inner.reveal()
            assert how(inner) == inner.reveal()
            assert sent() == outer.reveal()

    async def task() -> None:
        inside()

    if where == "task":
        asyncio.run(task())
    else:
        inside()
    assert sent() is None


def in_child(what: Callable[[], Any]) -> Any:
    """The result in a forked child, which continues from the same state."""
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


def test_a_child_that_leaves_the_block_has_what_was_before_it() -> None:
    first, second, third = (handed_over() for _ in range(3))
    first.activate()
    outer = second.activate()

    def leave() -> list[str | None]:
        seen = [sent()]
        with third.activate():
            seen.append(sent())
            assert ambient() == third
        # The block of the child has ended, and the one around it has not.
        seen.append(sent())
        outer.__exit__(None, None, None)
        return [*seen, sent()]

    with outer:
        values = [second.reveal(), third.reveal(), second.reveal(), first.reveal()]
        assert in_child(leave) == values
        assert sent() == second.reveal()
    assert sent() == first.reveal()
    hubtoken.deactivate()


def test_a_plain_call_in_a_child_replaces_the_block_and_outlives_it() -> None:
    first, second, third = (handed_over() for _ in range(3))
    outer = first.activate()

    def replace() -> list[str | None]:
        kept = second.activate()
        assert "replaced" in repr(outer)
        seen = [sent()]
        outer.__exit__(None, None, None)
        seen.append(sent())
        with third.activate():
            seen.append(sent())
        seen.append(sent())
        kept.deactivate()
        return [*seen, sent()]

    with outer:
        values = [second.reveal(), second.reveal(), third.reveal(), second.reveal(), None]
        assert in_child(replace) == values
    assert sent() is None


def test_what_a_child_enters_gives_the_block_back() -> None:
    first, second = handed_over(), handed_over()

    def enter() -> list[Any]:
        kept = second.activate()
        seen = [sent()]
        with kept:
            seen.append(sent())
            # Now it is the child's own block.
            with pytest.raises(hubtoken.ConfigurationError, match="Use `with token"):
                first.activate()
        return [*seen, sent()]

    with first.activate():
        values = [second.reveal(), second.reveal(), first.reveal()]
        assert in_child(enter) == values
        # The same in a child of a child.
        assert in_child(lambda: in_child(enter)) == values


def test_deactivate_in_a_child_ends_the_block() -> None:
    token = handed_over()

    def end() -> list[str | None]:
        hubtoken.deactivate()
        seen = [sent()]
        token.activate()
        return [*seen, sent()]

    with token.activate():
        assert in_child(end) == [None, token.reveal()]
        assert sent() == token.reveal()


def test_a_worker_of_a_worker_activates() -> None:
    first, second, third = (handed_over() for _ in range(3))

    def work() -> list[str | None]:
        with second.activate():
            return [by_process(third), sent()]

    with first.activate():
        assert in_child(work) == [third.reveal(), second.reveal()]
