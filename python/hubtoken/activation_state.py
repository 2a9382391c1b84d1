"""The state of activation in this process: plain activations, open blocks, and the environment.

The rules are those of ``activation.py``; this module holds the state that they apply to.
"""

import os
import sys
import threading

from hubtoken.reloading import once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import Task
    from collections.abc import MutableMapping
    from typing import Any

    from hubtoken import HubToken

    _Owner = tuple["Thread", Task[Any] | None]

PLAIN = "active"
REPLACED = "replaced by a later one"
WAITING = "not active until its with block is entered"
BLOCK = "active in a with block"
OVER = "no longer active"

_HF_TOKEN = "HF_TOKEN"  # noqa: S105 - a variable's name
_OIDC = "HF_OIDC_RESOURCE"
_ORIGIN = "HUBTOKEN_TOKEN_ORIGIN"


class Thread:
    """Represents a thread. Not by its number, which a later thread may reuse."""

    __slots__ = ("_thread",)

    def __init__(self) -> None:
        self._thread = threading.current_thread()

    def lives(self) -> bool:
        """Whether it has not ended."""
        return self._thread.is_alive()


class Entry:
    """One activation, as the process tracks it; its handle may be lost."""

    __slots__ = ("inherited", "owner", "state", "thread", "token", "told", "waiting")

    def __init__(self, token: "HubToken", state: str) -> None:
        self.token = token
        self.state = state
        self.thread = _thread()
        # Of a block: the thread and the asyncio task that entered it.
        self.owner: _Owner | None = None
        # Of a block: whether it was entered before the fork that created this process.
        self.inherited = False
        # Of a block: activations created inside of it for another `with`.
        self.waiting: list[Entry] = []
        # Whether the warning that it never was active has been emitted.
        self.told = False


class State:
    """The state of activation in this process."""

    __slots__ = ("before", "blocks", "enforced", "environ", "here", "lock", "placed", "plain")

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.plain: dict[Thread, Entry] = {}
        self.blocks: list[Entry] = []
        # The token that the environment was last set for.
        self.enforced: HubToken | None = None
        # The variables as they were before they were set; empty if they are not set.
        self.before: dict[str, str | None] = {}
        # The values that they were set to, and the mapping: a test may replace `os.environ`.
        self.placed: dict[str, str | None] = {}
        self.environ: MutableMapping[str, str] = os.environ
        # This thread's own object.
        self.here = threading.local()

    def in_force(self) -> "HubToken | None":
        """The token that the libraries should send."""
        if self.blocks:
            return self.blocks[-1].token
        return next((entry.token for entry in self.plain.values()), None)


STATE = once("hubtoken.activation_state.STATE", State)


def enforce(*, anew: bool = False) -> "str | None":
    """Makes the environment match what is in force.

    Args:
        anew: Whether to do so even if nothing else is in force than before: other code may have
            changed the environment.

    Returns:
        A description of the change, for a warning, if processes that were started earlier now have
        another environment.
    """
    # The process is exiting, and nothing can be imported any more: no child will inherit from it.
    if sys.is_finalizing():
        return None
    from hubtoken._core import activation_origin, forget_answer, is_sent_anyway

    token, last = STATE.in_force(), STATE.enforced
    same = token is last or (token == last and _source(token) == _source(last))
    if same and not anew:
        return None
    # A test may have put another mapping in its place: what was set in that one is put back there.
    changed = STATE.environ is not os.environ and _put_back()
    if token is None or is_sent_anyway(token, dict(STATE.before) or None):
        changed = _put_back() or changed
    else:
        for name in (_HF_TOKEN, _OIDC, _ORIGIN):
            STATE.before.setdefault(name, os.environ.get(name))
        STATE.environ = os.environ
        STATE.placed = {
            _HF_TOKEN: str.__str__(token.reveal()),
            _OIDC: None,
            _ORIGIN: activation_origin(token),
        }
        for name, value in STATE.placed.items():
            changed = _set(name, value) or changed
    STATE.enforced = token
    forget_answer()
    if not changed:
        return None
    return f"{last!r} is no longer active" if token is None else f"{token!r} is active now"


def follow_renewal() -> None:
    """Sets the environment again after a token was renewed, if that is the one in force.

    A value that other code has set since then stays.
    """
    with STATE.lock:
        placed = STATE.placed.get(_HF_TOKEN)
        if placed is not None and STATE.environ.get(_HF_TOKEN) == placed:
            enforce(anew=True)


def _put_back() -> bool:
    """Restores the variables as they were, but for those that others have set since then.

    Returns:
        Whether that changed which token is sent.
    """
    changed = False
    for name, value in STATE.before.items():
        if STATE.environ.get(name) == STATE.placed.get(name):
            changed = _set(name, value) or changed
    STATE.before.clear()
    STATE.placed = {}
    return changed


def _set(name: str, value: "str | None") -> bool:
    if STATE.environ.get(name) == value:
        return False
    if value is None:
        STATE.environ.pop(name, None)
    else:
        STATE.environ[name] = value
    return name != _ORIGIN


def _source(token: "HubToken | None") -> "str | None":
    return None if token is None else token.source


def _thread() -> Thread:
    try:
        thread: Thread = STATE.here.thread
    except AttributeError:
        thread = STATE.here.thread = Thread()
    return thread


def forget_ended_threads() -> None:
    """Keeps one plain activation of those left by ended threads; all have the same token."""
    ended = [thread for thread in STATE.plain if not thread.lives()]
    for thread in ended[1:]:
        STATE.plain.pop(thread).state = OVER


def calling() -> "_Owner":
    """The thread, and the asyncio task if there is one."""
    task = None
    asyncio = sys.modules.get("asyncio")
    if asyncio is not None:
        try:
            task = asyncio.current_task()
        except RuntimeError:
            # No event loop is running in this thread, so there is no task.
            task = None
    return _thread(), task


def is_own(block: Entry, caller: "_Owner") -> bool:
    """Whether the caller has entered a block in this process."""
    owner = block.owner
    if block.inherited or owner is None:
        return False
    return owner[0] is caller[0] and owner[1] is caller[1]


def is_left(block: Entry) -> bool:
    """Whether a block may never end: it is inherited, or its thread or task has ended."""
    if block.inherited or block.owner is None:
        return True
    thread, task = block.owner
    return not thread.lives() or (task is not None and task.done())


def end_left_blocks() -> None:
    """Ends the blocks that may never end by themselves."""
    for block in [block for block in STATE.blocks if is_left(block)]:
        STATE.blocks.remove(block)
        block.state = OVER


def replace(entry: Entry) -> "list[Entry]":
    """Makes an activation the plain one of its thread.

    Returns:
        What it replaces: the thread's earlier one, and the inherited blocks.
    """
    replaced = [block for block in STATE.blocks if block.inherited]
    STATE.blocks = [block for block in STATE.blocks if block not in replaced]
    earlier = STATE.plain.get(entry.thread)
    if earlier is not None:
        replaced.append(earlier)
    for one in replaced:
        one.state = REPLACED
    STATE.plain[entry.thread] = entry
    return replaced


def take_back(entry: Entry, replaced: "list[Entry]") -> None:
    """Undoes `replace`, except for what was ended in the meantime."""
    del STATE.plain[entry.thread]
    blocks = []
    for one in replaced:
        if one.state != REPLACED:
            continue
        if one.inherited:
            one.state = BLOCK
            blocks.append(one)
        else:
            one.state = PLAIN
            STATE.plain[one.thread] = one
    # They are older than everything this process has entered.
    STATE.blocks[:0] = blocks


def check_conflict(token: "HubToken", caller: "_Owner") -> None:
    """Raises if a different token is active elsewhere."""
    from hubtoken.errors import ConfigurationError

    others = [entry for thread, entry in STATE.plain.items() if thread is not caller[0]]
    others += [block for block in STATE.blocks if not block.inherited and not is_own(block, caller)]
    for entry in others:
        # A token that was renewed since then has another value, and the same fingerprint.
        if entry.token == token or entry.token.fingerprint == token.fingerprint:
            continue
        where, advice = "another thread or task", "end that with hubtoken.deactivate()"
        if entry.state == BLOCK and is_left(entry):
            where = "the with block of a thread or task that has ended"
        elif entry.state == BLOCK:
            advice = "wait for its with block to end"
        raise ConfigurationError(
            f"the token {entry.token!r} is active in {where}, and a process has "
            f"one active token. Pass token=token.reveal() instead, or {advice}"
        )


def _hold() -> None:
    """Runs before a fork, so that no other thread is halfway through a change."""
    STATE.lock.acquire()


def _release() -> None:
    STATE.lock.release()


def _adopt() -> None:
    """In a forked child: this thread is the only one, and takes over what the others had activated.

    Its own blocks are inherited: a worker never leaves them, code that forks inside of them does.
    """
    STATE.lock = threading.RLock()
    here, token = _thread(), STATE.in_force()
    own = [block for block in STATE.blocks if block.owner and block.owner[0] is here]
    for block in own:
        block.inherited, block.owner = True, (here, None)
    others = [block for block in STATE.blocks if block not in own]
    others += [entry for thread, entry in STATE.plain.items() if thread is not here]
    if not others:
        return
    entry = STATE.plain.get(here)
    if entry is None and not own and token is not None:
        entry = Entry(token, PLAIN)
    for other in others:
        other.state = OVER
    STATE.blocks = own
    STATE.plain = {} if entry is None else {here: entry}
    enforce()


def _register() -> bool:
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_hold, after_in_parent=_release, after_in_child=_adopt)
    return True


once("hubtoken.activation_state._register", _register)
