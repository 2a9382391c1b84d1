"""The states of activation against a model: threads, asyncio tasks, blocks, lost handles."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import queue
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

import hubtoken
from hubtoken import activation_state
from tests.environment import fake_token
from tests.python.helpers import DEADLINE, handed_over

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubtoken import Activation, HubToken

pytestmark = pytest.mark.usefixtures("alone")

TOKENS = 3
# Numbers from here on are threads that have ended.
ENDED = 100
# A thread and one of its tasks. Thread 2 runs no event loop.
ACTORS = [(0, 0), (0, 1), (1, 0), (2, None)]


class Worker:
    """A thread that runs functions for the test, in one of its tasks if it has any."""

    def __init__(self, tasks: int) -> None:
        """Start it."""
        self._tasks: list[int | None] = [*range(tasks)] or [None]
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queues: list[asyncio.Queue[Any]] = []
        self._jobs: queue.SimpleQueue[Any] = queue.SimpleQueue()
        target = (lambda: asyncio.run(self._run(tasks))) if tasks else self._run_plainly
        self._thread = threading.Thread(target=target, daemon=True)
        self._thread.start()
        assert self._ready.wait(DEADLINE)

    async def _run(self, tasks: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._queues = [asyncio.Queue() for _ in range(tasks)]
        self._ready.set()
        await asyncio.gather(*(self._obey(jobs) for jobs in self._queues))

    async def _obey(self, jobs: asyncio.Queue[Any]) -> None:
        while (job := await jobs.get()) is not None:
            _do(*job)

    def _run_plainly(self) -> None:
        self._ready.set()
        while (job := self._jobs.get()) is not None:
            _do(*job)

    def _put(self, task: int | None, job: Any) -> None:
        if task is None:
            self._jobs.put(job)
        else:
            assert self._loop is not None
            self._loop.call_soon_threadsafe(self._queues[task].put_nowait, job)

    def call(self, task: int | None, what: Callable[[], Any]) -> Any:
        """Run it there, and return its result or its error."""
        done: Future[Any] = Future()
        self._put(task, (what, done))
        return done.result(DEADLINE)

    def stop(self) -> None:
        """End the thread."""
        for task in self._tasks:
            self._put(task, None)
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive()


def _do(what: Callable[[], Any], done: Future[Any]) -> None:
    try:
        done.set_result(what())
    except BaseException as error:  # noqa: BLE001 - the caller gets it
        done.set_exception(error)


@dataclass
class Known:
    """The model's state of one activation."""

    handle: Activation | None
    token: int
    thread: int
    replaced: list[Known] = field(default_factory=list)
    state: str = "plain"
    owner: tuple[int, int | None] | None = None
    inherited: bool = False


@dataclass
class Model:
    """The state of everything that is active, in the model."""

    plain: dict[int, Known] = field(default_factory=dict)
    blocks: list[Known] = field(default_factory=list)

    def in_force(self) -> int | None:
        """The token that is sent."""
        if self.blocks:
            return self.blocks[-1].token
        return next((known.token for known in self.plain.values()), None)

    def conflicts(self, actor: tuple[int, int | None], token: int) -> bool:
        """Whether others have a different token active."""
        others = [known for thread, known in self.plain.items() if thread != actor[0]]
        others += [block for block in self.blocks if not block.inherited and block.owner != actor]
        return any(known.token != token for known in others)

    def is_inside(self, actor: tuple[int, int | None]) -> bool:
        """Whether an actor has an open block of its own."""
        return any(not block.inherited and block.owner == actor for block in self.blocks)

    def replace(self, known: Known) -> None:
        """A plain one replaces its thread's earlier one, and inherited blocks."""
        known.replaced = [block for block in self.blocks if block.inherited]
        self.blocks = [block for block in self.blocks if not block.inherited]
        if known.thread in self.plain:
            known.replaced.append(self.plain[known.thread])
        for one in known.replaced:
            one.state = "replaced"
        self.plain[known.thread] = known

    def take_back(self, known: Known) -> None:
        """As if it had never existed."""
        del self.plain[known.thread]
        back = [one for one in known.replaced if one.state == "replaced"]
        for one in back:
            one.state = "block" if one.inherited else "plain"
            if not one.inherited:
                self.plain[one.thread] = one
        self.blocks = [one for one in back if one.inherited] + self.blocks

    def fork(self, thread: int) -> None:
        """In the child there is only one thread."""
        token = self.in_force()
        own = [block for block in self.blocks if block.owner and block.owner[0] == thread]
        for block in own:
            block.inherited = True
        others = [block for block in self.blocks if block not in own]
        others += [known for number, known in self.plain.items() if number != thread]
        if not others:
            return
        for other in others:
            other.state = "over"
        entry = self.plain.get(thread)
        if entry is None and not own and token is not None:
            entry = Known(None, token, thread)
        self.blocks, self.plain = own, {} if entry is None else {thread: entry}

    def end(self, known: Known) -> None:
        """It is no longer active, wherever it was."""
        if known.state == "plain":
            del self.plain[known.thread]
        elif known.state == "block":
            self.blocks.remove(known)
        known.state = "over"


class Machine(RuleBasedStateMachine):
    """Threads and tasks that activate, enter, leave and deactivate in any order."""

    handles: Bundle[Known] = Bundle("handles")
    actors = st.sampled_from(ACTORS)
    numbers = st.integers(0, TOKENS - 1)

    def __init__(self) -> None:
        """Three threads, three tokens, nothing active."""
        super().__init__()
        self.workers = [Worker(2), Worker(1), Worker(0)]
        self.tokens: list[HubToken] = [handed_over() for _ in range(TOKENS)]
        self.model = Model()
        self.before: str | None = None
        self.ended = itertools.count(ENDED)

    @initialize(set_before=st.booleans())
    def environment(self, *, set_before: bool) -> None:
        """Another value in the variable, or nothing."""
        self.before = fake_token() if set_before else None
        os.environ.pop("HF_TOKEN", None)
        if self.before is not None:
            os.environ["HF_TOKEN"] = self.before

    def call(self, actor: tuple[int, int | None], what: Callable[[], Any]) -> Any:
        """Run a function as an actor."""
        return self.workers[actor[0]].call(actor[1], what)

    def refused(self, actor: tuple[int, int | None], what: Callable[[], Any]) -> None:
        """Run a function that raises."""
        with pytest.raises(hubtoken.ConfigurationError):
            self.call(actor, what)

    @rule(target=handles, actor=actors, number=numbers)
    def activate(self, actor: tuple[int, int | None], number: int) -> Any:
        """As a statement."""
        token, model = self.tokens[number], self.model

        def plain() -> Activation:
            handle = token.activate()
            return handle  # noqa: RET504 - a separate statement

        if model.conflicts(actor, number) or model.is_inside(actor):
            self.refused(actor, plain)
            return multiple()
        known = Known(self.call(actor, plain), number, actor[0])
        model.replace(known)
        return known

    @rule(target=handles, actor=actors, number=numbers)
    def begin(self, actor: tuple[int, int | None], number: int) -> Any:
        """As `with token.activate():` does, through an exit stack."""
        token, model = self.tokens[number], self.model
        stack = contextlib.ExitStack()

        def enter() -> Activation:
            activations: list[Activation] = []

            def keep(activation: Activation) -> Activation:
                activations.append(activation)
                return activation

            # Not in an `assert`: pytest would assign each part of it to a name.
            given = stack.enter_context(keep(token.activate()))
            assert given is token
            return activations[0]

        if model.conflicts(actor, number):
            self.refused(actor, enter)
            return multiple()
        known = Known(self.call(actor, enter), number, actor[0], state="block", owner=actor)
        model.blocks.append(known)
        return known

    @rule(target=handles, number=numbers)
    def leave_open(self, number: int) -> Any:
        """A thread enters a block and ends."""
        token, model, worker = self.tokens[number], self.model, Worker(0)
        actor = (next(self.ended), None)
        try:
            if model.conflicts(actor, number):
                with pytest.raises(hubtoken.ConfigurationError):
                    worker.call(None, token.activate)
                return multiple()
            handle = worker.call(None, token.activate)
            assert worker.call(None, handle.__enter__) is token
        finally:
            worker.stop()
        known = Known(handle, number, actor[0], state="block", owner=actor)
        model.blocks.append(known)
        return known

    @rule(actor=actors)
    def fork(self, actor: tuple[int, int | None]) -> None:
        """The first step of a child. The other threads continue here, as new threads."""
        self.call(actor, activation_state._adopt)  # noqa: SLF001 - a fork would end the test
        self.model.fork(actor[0])

    @rule(known=handles, actor=actors)
    def enter(self, known: Known, actor: tuple[int, int | None]) -> None:
        """A handle that was kept."""
        model = self.model
        assert known.handle is not None
        enter = known.handle.__enter__
        if known.state != "plain":
            self.refused(actor, enter)
            return
        model.take_back(known)
        if model.conflicts(actor, known.token):
            model.replace(known)
            self.refused(actor, enter)
            return
        assert self.call(actor, enter) is self.tokens[known.token]
        known.state, known.owner = "block", actor
        model.blocks.append(known)

    @rule(known=consumes(handles), actor=actors, how=st.sampled_from(["deactivate", "exit"]))
    def end(self, known: Known, actor: tuple[int, int | None], how: str) -> None:
        """By any thread, in any order."""
        self.model.end(known)
        handle = known.handle
        assert handle is not None
        if how == "exit":
            self.call(actor, lambda: handle.__exit__(None, None, None))
        else:
            self.call(actor, handle.deactivate)

    @rule(actor=actors)
    def deactivate(self, actor: tuple[int, int | None]) -> None:
        """The function, for handles that are lost."""
        for known in list(self.model.plain.values()):
            self.model.end(known)
        for block in list(self.model.blocks):
            assert block.owner is not None
            if block.inherited or block.owner[0] >= ENDED:
                self.model.end(block)
        assert self.call(actor, hubtoken.deactivate) is None

    @invariant()
    def what_is_in_force_is_what_is_sent(self) -> None:
        """In the environment, and in what hubtoken resolves."""
        number = self.model.in_force()
        expected = self.before if number is None else self.tokens[number].reveal()
        assert os.environ.get("HF_TOKEN") == expected
        found = hubtoken.resolve_token(required=False)
        if expected is None:
            assert found is None
            assert "HUBTOKEN_TOKEN_ORIGIN" not in os.environ
        else:
            assert found is not None
            assert found.reveal() == expected
            assert found.source == ("env:HF_TOKEN" if number is None else "argument")

    def teardown(self) -> None:
        """Nothing of it is left."""
        for block in list(self.model.blocks):
            assert block.handle is not None
            block.handle.deactivate()
        hubtoken.deactivate()
        assert os.environ.get("HF_TOKEN") == self.before
        for worker in self.workers:
            worker.stop()
        os.environ.pop("HF_TOKEN", None)


def test_activation_keeps_to_its_model() -> None:
    run_state_machine_as_test(
        Machine, settings=settings(max_examples=60, stateful_step_count=30, deadline=None)
    )
