"""Makes a checked token the one that the Hub's libraries send by default.

``huggingface_hub`` reads ``HF_TOKEN`` on each call, so activation sets it in ``os.environ``.
Nothing is set if that library would send the same token anyway, so that its own refresh of an OAuth
token keeps working. A second variable, ``HUBTOKEN_TOKEN_ORIGIN``, records the source of the token
in ``HF_TOKEN`` for this process and its children, so that no message blames a variable that the
user never set.

The state machine
-----------------

Activation applies to the whole process, which therefore has one state: at most one *plain*
activation per thread, and above them the open ``with`` *blocks* in the order in which they were
entered. The innermost block is in force, or without blocks the plain activation (those of several
threads have the same token), or nothing.

A single activation is ``plain``, ``replaced``, ``waiting``, a ``block``, or ``over``:

============================  ===========================================================
``activate()``                makes a plain one, which takes effect at once and replaces the
                              thread's earlier plain one, whatever asyncio task made that: the
                              cells of a notebook are tasks of one thread
the same, inside a ``with``   raises if the result is dropped, tested or assigned, also through a
block of the same thread      function that returns it, since it would be unclear what is in force
                              after the block. Otherwise it is waiting and has no effect, and the
                              end of the block warns if it still is
``__enter__``                 of a plain one undoes what its own call did: what the call had
                              replaced is plain again, unless its handle was deactivated meanwhile.
                              The activation, plain or waiting, is then the innermost block.
                              Any other activation raises
``__exit__``                  ends it; a second call does nothing
``Activation.deactivate()``   the same. Ending a plain one does not restore what it had replaced,
                              and ending a block leaves those that were opened after it in force
``hubtoken.deactivate()``     ends the plain activations of all threads, and the blocks that may
                              never end: their thread or task has ended, or they are inherited
============================  ===========================================================

``activate()`` and ``__enter__`` raise, and change nothing, if another thread has a plain activation
of a different token, or another thread or asyncio task has an open block of one. The same token is
never a conflict.

A forked child has one thread. What other threads of the parent had activated becomes one plain
activation of that thread, so the child starts with the token that its parent had in force. The
blocks of the thread that forked are *inherited*: most children never leave them, so they have no
owner, conflict with nothing, and do not count as blocks of the child's thread. ``activate()`` in
the child replaces them as it replaces a plain activation (``__enter__`` undoes that as well), and a
child that does leave them ends them.
"""

# ruff: noqa: SLF001 - the functions below and the classes above them are one piece

import os
import sys

from hubtoken.activation_state import (
    BLOCK,
    OVER,
    PLAIN,
    STATE,
    WAITING,
    Entry,
    calling,
    check_conflict,
    end_left_blocks,
    enforce,
    forget_ended_threads,
    is_own,
    replace,
    take_back,
)
from hubtoken.reloading import one_class

_TRUE = ("1", "ON", "YES", "TRUE")

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from hubtoken import HubToken

__all__ = ["Activation", "activate", "deactivate"]


@one_class
class Activation:
    """An active token.

    Use it with ``with``, call :meth:`deactivate`, or leave the token active until the process ends.
    """

    __slots__ = ("_entry", "_replaced")

    def __init__(self, entry: Entry, replaced: "list[Entry]") -> None:
        """Use ``HubToken.activate()``."""
        self._entry = entry
        self._replaced = replaced

    @property
    def token(self) -> "HubToken":
        """The token."""
        return self._entry.token

    def deactivate(self) -> None:
        """Ends this activation, and restores the previous state. A second call does nothing.

        While other activations last, the innermost of them is in force. One that was replaced by a
        later call has already ended.
        """
        with STATE.lock:
            entry = self._entry
            if entry.state == PLAIN:
                del STATE.plain[entry.thread]
            elif entry.state == BLOCK:
                STATE.blocks.remove(entry)
            was, entry.state = entry.state, OVER
            stale = enforce()
        for one in [entry, *entry.waiting]:
            _warn_of_unused(one, was if one is entry else one.state)
        _warn_of_workers(stale)

    def __enter__(self) -> "HubToken":
        """The token, active until the block ends.

        Raises:
            hubtoken.errors.ConfigurationError: This activation is over, or was entered before; or
                a different token is active elsewhere by now.
        """
        from hubtoken.errors import ConfigurationError

        with STATE.lock:
            entry, caller = self._entry, calling()
            if entry.state not in (PLAIN, WAITING):
                raise ConfigurationError(
                    f"this activation of {entry.token!r} is {entry.state}. Call "
                    f"token.activate() again for another with block"
                )
            self._take_back()
            try:
                check_conflict(entry.token, caller)
            except ConfigurationError:
                if entry.state == PLAIN:
                    self._replaced = replace(entry)
                else:
                    entry.state = OVER
                raise
            entry.state, entry.owner = BLOCK, caller
            STATE.blocks.append(entry)
            stale = enforce()
        self._warn_or_undo(stale)
        return entry.token

    def _warn_or_undo(self, stale: "str | None") -> None:
        """Warns about workers; if warnings are errors, undoes the activation."""
        try:
            _warn_of_workers(stale)
        except BaseException:
            with STATE.lock:
                self._take_back()
                if self._entry.state == BLOCK:
                    STATE.blocks.remove(self._entry)
                self._entry.state = OVER
                enforce()
            raise

    def _take_back(self) -> None:
        """Undoes what the call to ``activate()`` did."""
        if self._entry.state == PLAIN:
            take_back(self._entry, self._replaced)

    def __exit__(
        self,
        kind: "type[BaseException] | None",
        error: "BaseException | None",
        traceback: "TracebackType | None",
    ) -> None:
        """Restores the previous state."""
        self.deactivate()

    def __del__(self) -> None:
        """Warns if a token that seems to be active never was."""
        if self._entry.state == WAITING:
            self._entry.state = OVER
            _warn_of_unused(self._entry, WAITING)

    def __repr__(self) -> str:
        """The token, masked, and whether it is active."""
        return f"<Activation of {self._entry.token!r}, {self._entry.state}>"


def activate(token: "HubToken") -> Activation:
    """Makes the Hub's libraries send a token by default.

    Args:
        token: The token.

    Returns:
        The activation, whose methods end it.

    Raises:
        hubtoken.errors.ConfigurationError: ``HF_HUB_DISABLE_IMPLICIT_TOKEN`` is set, or was when
            ``huggingface_hub`` was imported; a different token is active in another thread, or in
            a ``with`` block of another thread or asyncio task; or the call is inside a ``with``
            block of the same thread or task, and its result is dropped, tested or assigned.
            Nothing is changed then.
        hubtoken.errors.UntrustedEndpointError: ``huggingface_hub`` is bound to another Hub, or
            ``HF_ENDPOINT`` must not receive tokens.
        hubtoken.errors.TokenNotFoundError: The token was unpickled without its value.
    """
    from hubtoken.errors import ConfigurationError

    token.reveal()  # raises for a token that was unpickled without its value
    if _are_implicit_tokens_disabled():
        raise ConfigurationError(
            "HF_HUB_DISABLE_IMPLICIT_TOKEN keeps the Hub's libraries from sending a token on "
            "their own, so none can be activated. Unset it before huggingface_hub is imported, or "
            "pass token=token.reveal()"
        )
    with STATE.lock:
        # The endpoint that the libraries use now: huggingface_hub reads HF_ENDPOINT on import.
        _check_endpoint(token)
        caller = calling()
        check_conflict(token, caller)
        own = [block for block in STATE.blocks if is_own(block, caller)]
        if own:
            from hubtoken.call_site import is_statement

            if is_statement(sys._getframe(1)):
                raise ConfigurationError(
                    f"the token {STATE.blocks[-1].token!r} is active in this with block, which "
                    f"determines when it ends. Use `with token.activate():` for a nested block, "
                    f"or activate {token!r} before or after the block"
                )
            entry = Entry(token, WAITING)
            # Not the ones that were entered: a block may last as long as the process.
            waiting = [one for one in own[-1].waiting if one.state == WAITING]
            own[-1].waiting = [*waiting, entry]
            return Activation(entry, [])
        entry = Entry(token, PLAIN)
        replaced = replace(entry)
        forget_ended_threads()
        stale = enforce(anew=True)
    activation = Activation(entry, replaced)
    activation._warn_or_undo(stale)
    return activation


def deactivate() -> None:
    """Ends what ``token.activate()`` without ``with`` made active, and restores the previous state.

    For ``token.activate()`` as a statement, such as in a notebook cell. ``HF_TOKEN`` is again what
    it was before the first activation. Does nothing if nothing is active. An open ``with`` block
    keeps its token until it ends, and then none is active. A block that may never end is ended too:
    its thread or asyncio task has ended, or it was entered before the fork that created this
    process.

    Example:
        >>> import hubtoken
        >>> token = hubtoken.resolve_token("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
        >>> _ = token.activate()
        >>> hubtoken.deactivate()
        >>> hubtoken.deactivate()  # harmless
    """
    with STATE.lock:
        for entry in STATE.plain.values():
            entry.state = OVER
        STATE.plain.clear()
        end_left_blocks()
        stale = enforce()
    _warn_of_workers(stale)


def _are_implicit_tokens_disabled() -> bool:
    name = "HF_HUB_DISABLE_IMPLICIT_TOKEN"
    # huggingface_hub reads the variable on import; hubtoken reads it on each call.
    constants = sys.modules.get("huggingface_hub.constants")
    return getattr(constants, name, False) or os.environ.get(name, "").upper() in _TRUE


def _check_endpoint(token: "HubToken") -> None:
    from hubtoken._core import ambient_endpoint, normalized_endpoint
    from hubtoken.errors import UntrustedEndpointError

    constants = sys.modules.get("huggingface_hub.constants")
    if constants is not None:
        bound = normalized_endpoint(str(constants.ENDPOINT))
        how = "huggingface_hub was imported for"
        advice = "set HF_ENDPOINT before the first import"
    else:
        bound = ambient_endpoint()
        how = "huggingface_hub will use"
        advice = "set HF_ENDPOINT"
    if bound != token.endpoint:
        raise UntrustedEndpointError(
            f"the token {token!r} belongs to {token.endpoint}, and {how} {bound}; {advice} to "
            f"{token.endpoint}"
        )


def _warn_of_unused(entry: Entry, was: str) -> None:
    """Warns, once, about an activation that was meant for a ``with`` and was not entered."""
    # Too late for a warning while the interpreter shuts down: nothing can be imported any more.
    if was != WAITING or entry.told or sys.is_finalizing():
        return
    entry.told = True
    _warn(
        f"{entry.token!r} never was active: activate() was called inside a with block, and what "
        f"it returned was not entered. Use `with token.activate():`"
    )


def _warn_of_workers(happened: "str | None") -> None:
    """Warns about processes that do not notice that another token is active."""
    if happened is None:
        return
    from hubtoken.workers import describe

    found, advice = describe()
    if found:
        _warn(f"{happened}, but {found} started before that, with the previous token. {advice}")


def _warn(text: str) -> None:
    """Warns at the line outside of this package, and of ``contextlib``, that made the call."""
    import warnings

    from hubtoken.errors import HubTokenWarning

    frame, level = sys._getframe(0), 1
    while frame.f_back is not None and frame.f_globals.get("__name__") in (__name__, "contextlib"):
        frame, level = frame.f_back, level + 1
    warnings.warn(text, HubTokenWarning, stacklevel=level)
