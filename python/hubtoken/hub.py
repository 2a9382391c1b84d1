"""The embedded Hub: a small token authority that speaks the Hugging Face Hub's own HTTP.

Example:
    >>> from hubtoken.hub import Hub
    >>> with Hub() as hub:
    ...     hub.create_user("alice")
    ...     [token.name for token in hub.list_tokens("alice")]
    []
"""

import atexit
import weakref

from hubtoken.reloading import once

try:
    from hubtoken._core import Approval, AuditEntry, Hub, Login, Publisher, TokenInfo
except ImportError as _error:
    raise ImportError(
        "this build of hubtoken has no embedded Hub (the Cargo feature `hub`)"
    ) from _error

__all__ = ["Approval", "AuditEntry", "Hub", "Login", "Publisher", "TokenInfo"]

_RUNNING: "weakref.WeakSet[Hub]" = once("hubtoken.hub._RUNNING", weakref.WeakSet)


def _stop_at_exit(hub: Hub) -> None:
    """Stops a Hub at the end of the program, unless that has been done."""
    if not _RUNNING:
        atexit.register(_stop_all)
    _RUNNING.add(hub)


def _stop_all() -> None:
    for hub in list(_RUNNING):
        hub.stop()
