"""Making a checked token the one that the Hub's libraries send on their own.

``huggingface_hub`` reads ``HF_TOKEN`` at each call, so that is where an active token goes, by way
of ``os.environ``. Nothing is set where that library would send the same token anyway: its own
refresh of an OAuth token keeps working. Activation is for the whole process, which is why a second
thread or asyncio task cannot activate a different token meanwhile.
"""

# ruff: noqa: SLF001 - the function below and the class above it are one piece

import os
import sys
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from hubtoken import HubToken

__all__ = ["Activation", "activate"]

_LOCK = threading.RLock()
# What is active, the innermost last.
_ACTIVE: "list[Activation]" = []
# The variables as they were before the first activation that changed them; empty: unchanged.
_BEFORE: "dict[str, str | None]" = {}


def _renew_lock() -> None:
    """In a forked child: another thread of the parent may have held the lock."""
    global _LOCK  # noqa: PLW0603 - one lock a process
    _LOCK = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)

_TRUE = ("1", "ON", "YES", "TRUE")
# HF_OIDC_RESOURCE is set aside while a token is active: it would win over HF_TOKEN.
_CHANGED = ("HF_TOKEN", "HF_OIDC_RESOURCE")


class Activation:
    """An active token.

    Use it with ``with``, call :meth:`deactivate`, or leave the token active to the end of the
    process.
    """

    __slots__ = ("_owner", "_token")

    def __init__(self, token: "HubToken") -> None:
        """Use ``HubToken.activate()``."""
        self._token = token
        self._owner = _caller()

    @property
    def token(self) -> "HubToken":
        """The active token."""
        return self._token

    def deactivate(self) -> None:
        """Restores what was before. A second call does nothing.

        While other activations last, the innermost of them is in force.
        """
        with _LOCK:
            if self not in _ACTIVE:
                return
            in_force = _ACTIVE[-1]._token
            _ACTIVE.remove(self)
            if not _ACTIVE or _ACTIVE[-1]._token != in_force:
                _enforce()

    def __enter__(self) -> "HubToken":
        """The active token."""
        return self._token

    def __exit__(
        self,
        kind: "type[BaseException] | None",
        error: "BaseException | None",
        traceback: "TracebackType | None",
    ) -> None:
        """Restores what was before."""
        self.deactivate()

    def __repr__(self) -> str:
        """The token, masked, and whether it is active."""
        state = "active" if self in _ACTIVE else "no longer active"
        return f"<Activation of {self._token!r}, {state}>"


def _enforce() -> None:
    """Makes the environment fit the innermost activation, or none."""
    from hubtoken._core import is_sent_anyway

    for name, value in _BEFORE.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    _BEFORE.clear()
    if _ACTIVE and not is_sent_anyway(_ACTIVE[-1]._token):
        _BEFORE.update({name: os.environ.get(name) for name in _CHANGED})
        os.environ["HF_TOKEN"] = str.__str__(_ACTIVE[-1]._token.reveal())
        os.environ.pop("HF_OIDC_RESOURCE", None)


def _caller() -> "tuple[int, int | None]":
    """The thread, and the asyncio task if there is one."""
    task = None
    asyncio = sys.modules.get("asyncio")
    if asyncio is not None:
        try:
            task = asyncio.current_task()
        except RuntimeError:
            # No event loop runs in this thread, so there is no task.
            task = None
    return threading.get_ident(), None if task is None else id(task)


def _is_on(name: str) -> bool:
    return os.environ.get(name, "").upper() in _TRUE


def activate(token: "HubToken") -> Activation:
    """Makes the Hub's libraries send a token on their own.

    Args:
        token: The token.

    Returns:
        The activation, which ends it.

    Raises:
        hubtoken.errors.ConfigurationError: Implicit tokens are disabled, or a different token is
            active in another thread or asyncio task. Nothing is set then.
        hubtoken.errors.UntrustedEndpointError: ``huggingface_hub`` is bound to another Hub.
        hubtoken.errors.TokenNotFoundError: The token was unpickled without its value.
    """
    from hubtoken.errors import ConfigurationError

    token.reveal()  # raises for a token that was unpickled without its value
    if _is_on("HF_HUB_DISABLE_IMPLICIT_TOKEN"):
        raise ConfigurationError(
            "HF_HUB_DISABLE_IMPLICIT_TOKEN keeps the Hub's libraries from sending a token on "
            "their own, so none can be activated. Unset it, or hand over token=token.reveal()"
        )
    with _LOCK:
        # Where the libraries go now: an imported huggingface_hub read HF_ENDPOINT at its import.
        _check_endpoint(token)
        caller = _caller()
        for other in _ACTIVE:
            if other._owner != caller and other._token != token:
                raise ConfigurationError(
                    f"the token {other._token!r} is active in another thread or task, and a "
                    f"process has one active token. Hand over token=token.reveal() instead"
                )
        activation = Activation(token)
        _ACTIVE.append(activation)
        if len(_ACTIVE) == 1 or _ACTIVE[-2]._token != token:
            _enforce()
        return activation


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
        how = "huggingface_hub will go to"
        advice = "set HF_ENDPOINT"
    if bound != token.endpoint:
        raise UntrustedEndpointError(
            f"the token {token!r} belongs to {token.endpoint}, and {how} {bound}; {advice} to "
            f"{token.endpoint}"
        )
