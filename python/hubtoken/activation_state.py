"""What is active in this process: the plain activations, the open blocks, and the environment.

The rules are those of ``activation.py``; here is what they work on.
"""

import os
import sys
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubtoken import HubToken

PLAIN = "active"
REPLACED = "replaced by a later one"
WAITING = "not active before its with block is entered"
BLOCK = "active in a with block"
OVER = "no longer active"

_HF_TOKEN = "HF_TOKEN"  # noqa: S105 - a variable's name
_OIDC = "HF_OIDC_RESOURCE"
_ORIGIN = "HUBTOKEN_TOKEN_ORIGIN"


class Thread:
    """Stands for a thread. Not its number, which the next thread may get."""

    __slots__ = ("_thread",)

    def __init__(self) -> None:
        self._thread = threading.current_thread()

    def lives(self) -> bool:
        """Whether it has not ended."""
        return self._thread.is_alive()


class Entry:
    """One activation, as the process keeps it; its handle may be lost."""

    __slots__ = ("owner", "state", "thread", "token")

    def __init__(self, token: "HubToken", state: str) -> None:
        self.token = token
        self.state = state
        self.thread = _thread()
        # Of a block: the thread and the asyncio task that entered it.
        self.owner: tuple[Thread, object] | None = None


class State:
    """What is active in this process."""

    __slots__ = ("before", "blocks", "enforced", "lock", "plain")

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.plain: dict[Thread, Entry] = {}
        self.blocks: list[Entry] = []
        # What the environment was last made to fit.
        self.enforced: HubToken | None = None
        # The variables as they were before they were set; empty: they are not set.
        self.before: dict[str, str | None] = {}

    def in_force(self) -> "HubToken | None":
        """The token that is to be sent."""
        if self.blocks:
            return self.blocks[-1].token
        return next((entry.token for entry in self.plain.values()), None)


STATE = State()
_HERE = threading.local()


def enforce(*, anew: bool = False) -> "str | None":
    """Makes the environment fit what is in force.

    Args:
        anew: Also where nothing else is in force than before: the environment may have been
            changed by others.

    Returns:
        What happened to which token, for a warning, if processes that were started before have
        another environment now.
    """
    from hubtoken._core import activation_origin, forget_answer, is_sent_anyway

    token, last = STATE.in_force(), STATE.enforced
    same = token is last or (token == last and _source(token) == _source(last))
    if same and not anew:
        return None
    wanted = dict(STATE.before)
    if token is None or is_sent_anyway(token, wanted or None):
        STATE.before.clear()
    else:
        for name in (_HF_TOKEN, _OIDC, _ORIGIN):
            STATE.before.setdefault(name, os.environ.get(name))
        wanted = {
            _HF_TOKEN: str.__str__(token.reveal()),
            _OIDC: None,
            _ORIGIN: activation_origin(token),
        }
    changed = False
    for name, value in wanted.items():
        if os.environ.get(name) == value:
            continue
        changed = changed or name != _ORIGIN
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    STATE.enforced = token
    forget_answer()
    if not changed:
        return None
    return f"{last!r} is no longer active" if token is None else f"{token!r} is active now"


def _source(token: "HubToken | None") -> "str | None":
    return None if token is None else token.source


def _thread() -> Thread:
    try:
        thread: Thread = _HERE.thread
    except AttributeError:
        thread = _HERE.thread = Thread()
    return thread


def forget_ended_threads() -> None:
    """Keeps one plain activation of those that threads have left behind; all are of one token."""
    ended = [thread for thread in STATE.plain if not thread.lives()]
    for thread in ended[1:]:
        STATE.plain.pop(thread).state = OVER


def calling() -> "tuple[Thread, object]":
    """The thread, and the asyncio task if there is one."""
    task = None
    asyncio = sys.modules.get("asyncio")
    if asyncio is not None:
        try:
            task = asyncio.current_task()
        except RuntimeError:
            # No event loop runs in this thread, so there is no task.
            task = None
    return _thread(), task


def is_same(owner: "tuple[Thread, object] | None", caller: "tuple[Thread, object]") -> bool:
    """Whether an owner is the caller."""
    return owner is not None and owner[0] is caller[0] and owner[1] is caller[1]


def check_conflict(token: "HubToken", caller: "tuple[Thread, object]") -> None:
    """Raises where a different token is active elsewhere."""
    from hubtoken.errors import ConfigurationError

    others = [entry for thread, entry in STATE.plain.items() if thread is not caller[0]]
    advice = "end that with hubtoken.deactivate()"
    for entry in others + [block for block in STATE.blocks if not is_same(block.owner, caller)]:
        if entry.token == token:
            continue
        if entry.state == BLOCK:
            advice = "wait for its with block to end"
        raise ConfigurationError(
            f"the token {entry.token!r} is active in another thread or task, and a process has "
            f"one active token. Hand over token=token.reveal() instead, or {advice}"
        )


def _hold() -> None:
    """Before a fork: no other thread is halfway through a change."""
    STATE.lock.acquire()


def _release() -> None:
    STATE.lock.release()


def _adopt() -> None:
    """In a forked child: this thread is the only one, and has what the others had activated."""
    STATE.lock = threading.RLock()
    here, token = _thread(), STATE.in_force()
    own = [block for block in STATE.blocks if block.owner is not None and block.owner[0] is here]
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


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold, after_in_parent=_release, after_in_child=_adopt)
