"""Authenticates a server's callers by their Hub token: ASGI middleware and a FastAPI dependency.

:class:`TokenAuthentication` wraps any ASGI application (Starlette, FastAPI, Litestar, Quart,
Django); :func:`require_bearer` guards single routes of FastAPI. Both take the token from the
``Authorization`` header, as a bearer token or as the password of basic authentication, ask the Hub
whose it is, and respond as RFC 6750 specifies:

====  ===========================================================================
401   no token (``Bearer realm=…``), or one that the Hub rejects
      (``error="invalid_token"``)
400   more than one ``Authorization`` header (``error="invalid_request"``)
403   the token is valid, but not for this (``error="insufficient_scope"``);
      or the repository is disabled, and no token helps
429   the Hub limits the rate for this token; ``Retry-After`` has the delay
503   unknown: the Hub does not answer, or too many requests are waiting for it.
      This says nothing about the token; ``Retry-After`` is set as well
====  ===========================================================================

While the answer is cached, a check takes microseconds and no thread. If a request to the Hub is
needed, a thread of this module waits for it, never the event loop. No response, error or log
contains a token.
"""

import asyncio
import base64
import binascii
import json
import os
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

from hubtoken import authorize, cached_identity, identify
from hubtoken._core import identify_anew, require_of_caller
from hubtoken.asgi_arguments import check_application, check_public, check_rule
from hubtoken.asgi_responses import (
    AGAIN,
    Refusal,
    denied,
    denied_by,
    malformed,
    not_recognized,
    unknown,
    worded,
)
from hubtoken.errors import (
    AccessDeniedError,
    HubTokenWarning,
    InvalidTokenError,
    RepositoryNotFoundError,
    TokenFormatError,
    VerdictUnknownError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, MutableMapping
    from typing import Any, Literal, TypeAlias, TypeVar

    from hubtoken import Identity, Verdict

    _Scope: TypeAlias = MutableMapping[str, Any]
    _Message: TypeAlias = MutableMapping[str, Any]
    _Receive: TypeAlias = Callable[[], Awaitable[_Message]]
    _Send: TypeAlias = Callable[[_Message], Awaitable[None]]
    _Application: TypeAlias = Callable[[_Scope, _Receive, _Send], Awaitable[None]]
    _RepositoryType: TypeAlias = Literal["model", "dataset", "space"]
    _T = TypeVar("_T")

__all__ = ["TokenAuthentication", "require_bearer"]

# Concurrent requests to the Hub, and how many more may be queued.
_THREADS = 16
_WAITING = 256
# The maximum age of an identity for a denial, in seconds; also the minimum time between requests.
_DENIAL_AGE = 10.0


def _token(headers: "Iterable[tuple[bytes, bytes]]") -> str:
    """The token of a request."""
    found = [value for name, value in headers if name.lower() == b"authorization"]
    if len(found) > 1:
        raise Refusal(400, "There is more than one Authorization header", error="invalid_request")
    scheme, _, credentials = (found[0] if found else b"").strip().partition(b" ")
    credentials = credentials.strip()
    if scheme.lower() == b"bearer":
        return credentials.decode("latin-1")
    if scheme.lower() == b"basic":
        try:
            pair = base64.b64decode(credentials, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            # Not chained: the cause contains what was decoded.
            raise malformed() from None
        user, _, password = pair.partition(":")
        return password or user
    raise Refusal(401, "A Hub access token is required, as a bearer token")


class _Threads:
    """A limited number of threads that wait for the Hub, separate from the application's own."""

    def __init__(self) -> None:
        self._process = 0
        self._pool: ThreadPoolExecutor | None = None
        self._places = threading.BoundedSemaphore(_WAITING)

    async def run(self, work: "Callable[[], _T]") -> "_T":
        """Run the work on a thread; reject it if too many are waiting already."""
        if self._pool is None or self._process != os.getpid():
            # A forked child inherits the pool but none of its threads.
            self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="hubtoken-asgi")
            self._places = threading.BoundedSemaphore(_WAITING)
            self._process = os.getpid()
        places = self._places
        if not places.acquire(blocking=False):
            raise Refusal(503, "Too many requests wait for the Hub. Try again later", again=1)
        future = self._pool.submit(work)
        # If a caller disconnects while the Hub is asked, the thread keeps its slot until it ends.
        future.add_done_callback(lambda _: places.release())
        return await asyncio.wrap_future(future)


_threads = _Threads()


class _Check:
    """One rule, and whether a token meets it."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of the rule
        self,
        require: "str | None",
        repo: "str | None",
        repo_type: "_RepositoryType",
        endpoint: "str | None",
        max_age: "float | None",
        timeout: "float | None",
    ) -> None:
        self._is_known = check_rule(require, repo, repo_type, endpoint, max_age, timeout)
        if not self._is_known:
            # Reported when the server starts, not to its callers: no token is available whose
            # scopes could list it.
            warnings.warn(
                f"this version of hubtoken does not know the permission {require!r}: only tokens "
                "whose scopes list it are admitted",
                HubTokenWarning,
                stacklevel=3,
            )
        self._require = require
        self._repo = repo
        self._repo_type = repo_type
        self._endpoint = endpoint
        self._max_age = max_age
        self._timeout = timeout

    async def __call__(self, headers: "Iterable[tuple[bytes, bytes]]") -> "Identity":
        """The identity of the caller; raises the response that rejects it otherwise."""
        token = _token(headers)
        try:
            identity = cached_identity(token, endpoint=self._endpoint, max_age=self._max_age)
            is_new = identity is None
            # The time-out is for all that one caller's request asks the Hub.
            started = time.monotonic()
            if identity is None:
                identity = await _threads.run(lambda: self._identify(token))
            return await self._allowed(identity, token, started, is_new=is_new)
        except TokenFormatError:
            raise malformed() from None
        except InvalidTokenError:
            raise not_recognized() from None
        except (AccessDeniedError, RepositoryNotFoundError) as error:
            raise denied_by(error, self._require or "read", self._repo) from None
        except VerdictUnknownError as error:
            raise unknown(error) from None

    def _identify(self, token: str) -> "Identity":
        return identify(
            token, endpoint=self._endpoint, max_age=self._max_age, timeout=self._timeout
        )

    async def _allowed(
        self, identity: "Identity", token: str, started: float, *, is_new: bool
    ) -> "Identity":
        """The identity, if it is allowed; before a denial, the Hub's latest answer is used."""
        if self._require is None:
            return identity
        verdict = self._judge(identity, self._require)
        is_refused = verdict.outcome == "denied" or (
            verdict.outcome == "unknown" and not self._is_known
        )
        if is_refused and not is_new:
            reason = worded(verdict.reason, identity.user, self._repo)
            identity = await self._latest(token, reason, started)
            verdict = self._judge(identity, self._require)
        if verdict.outcome == "denied":
            raise denied(verdict.reason, identity.user, self._repo)
        if verdict.outcome == "unknown" and not self._is_known:
            # The Hub cannot decide this.
            raise Refusal(503, verdict.reason, again=AGAIN)
        if verdict.outcome == "unknown":
            # Only the Hub can decide, for instance whether another user's repository is public.
            try:
                await _threads.run(lambda: self._ask_hub(token, started))
            except VerdictUnknownError as error:
                reason = worded(verdict.reason, identity.user, self._repo)
                raise unknown(error, reason=reason) from None
        return identity

    def _judge(self, identity: "Identity", require: str) -> "Verdict":
        return authorize(identity, require, repo=self._repo, repo_type=self._repo_type)

    async def _latest(self, token: str, reason: str, started: float) -> "Identity":
        """An identity that is recent enough for a denial, whose reason has been `reason`."""
        age = _DENIAL_AGE if self._max_age is None else min(_DENIAL_AGE, self._max_age)
        identity = cached_identity(token, endpoint=self._endpoint, max_age=age)
        if identity is not None:
            return identity
        try:
            return await _threads.run(
                lambda: identify_anew(
                    token,
                    endpoint=self._endpoint,
                    max_age=age,
                    timeout=self._timeout,
                    spent=time.monotonic() - started,
                )
            )
        except VerdictUnknownError as error:
            raise unknown(error, before=reason) from None

    def _ask_hub(self, token: str, started: float) -> None:
        require_of_caller(
            self._require or "read",
            token,
            repo=self._repo,
            repo_type=self._repo_type,
            endpoint=self._endpoint,
            max_age=self._max_age,
            timeout=self._timeout,
            spent=time.monotonic() - started,
        )


class TokenAuthentication:
    """ASGI middleware that admits callers whose Hub token is good enough.

    HTTP requests and websockets are guarded, the latter before they are accepted; lifespan events
    pass through. The application finds the caller in ``scope["hubtoken.identity"]``, which
    Starlette and FastAPI also expose as ``request.state.identity``.

    Browsers send CORS preflight requests without a token, so middleware that answers them must wrap
    this one.

    Args:
        app: The application to guard.
        require: ``"read"`` or ``"write"``, a permission such as ``"inference.serverless.write"``,
            or ``None`` for any token that the Hub accepts. Without ``repo``, a fine-grained token
            has no role and is only admitted by a permission. For a permission that this version
            does not know, tokens whose scopes list it are admitted; the others get status 503.
        repo: The repository on which it is required, as ``namespace/name``.
        repo_type: ``"model"``, ``"dataset"`` or ``"space"``.
        endpoint: The Hub; ``HF_ENDPOINT``, or ``https://huggingface.co``, by default.
        max_age: The maximum age of the Hub's answer, in seconds; 300 by default.
        timeout: How long to wait for the Hub, in seconds; 10 by default.
        public: Paths that need no token, such as ``("/healthz",)``.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument is invalid; the permission is misspelled.
        hubtoken.errors.UntrustedEndpointError: The Hub, from ``endpoint`` or ``HF_ENDPOINT``, must
            not receive tokens.

    Example:
        >>> import asyncio
        >>> from hubtoken.asgi import TokenAuthentication
        >>> async def app(scope, receive, send):
        ...     print("admitted")
        >>> guarded = TokenAuthentication(app, "read")
        >>> async def show(message):
        ...     print(message.get("status", "end"))
        >>> scope = {"type": "http", "path": "/", "headers": []}
        >>> asyncio.run(guarded(scope, None, show))
        401
        end
    """

    def __init__(  # noqa: PLR0913 - the parts of the rule, by name
        self,
        app: "_Application",
        require: "str | None" = "read",
        *,
        repo: "str | None" = None,
        repo_type: "_RepositoryType" = "model",
        endpoint: "str | None" = None,
        max_age: "float | None" = None,
        timeout: "float | None" = None,
        public: "Collection[str]" = (),
    ) -> None:
        self._check = _Check(require, repo, repo_type, endpoint, max_age, timeout)
        self._public = check_public(public)
        check_application(app)
        self._app = app

    async def __call__(self, scope: "_Scope", receive: "_Receive", send: "_Send") -> None:
        """Serve one connection."""
        kind = scope["type"]
        if kind == "lifespan" or (kind == "http" and scope["path"] in self._public):
            await self._app(scope, receive, send)
            return
        if kind not in {"http", "websocket"}:
            raise RuntimeError(f"this middleware cannot guard a scope of the type {kind!r}")
        try:
            identity = await self._check(scope["headers"])
        except Refusal as refusal:
            if kind == "http":
                await _refuse(refusal, send, "http.response")
            else:
                await _refuse_websocket(refusal, scope, receive, send)
            return
        state = {**scope.get("state", {}), "identity": identity}
        await self._app({**scope, "hubtoken.identity": identity, "state": state}, receive, send)


async def _refuse(refusal: Refusal, send: "_Send", kind: str) -> None:
    body = json.dumps({"error": refusal.message}).encode()
    headers = {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **refusal.headers(),
    }
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": f"{kind}.start", "status": refusal.status, "headers": pairs})
    await send({"type": f"{kind}.body", "body": body})


async def _refuse_websocket(
    refusal: Refusal, scope: "_Scope", receive: "_Receive", send: "_Send"
) -> None:
    await receive()  # the connect event
    if "websocket.http.response" in (scope.get("extensions") or {}):
        await _refuse(refusal, send, "websocket.http.response")
    else:
        # The server turns this into a bare 403.
        await send({"type": "websocket.close", "code": 1008, "reason": ""})


def require_bearer(  # noqa: PLR0913 - the parts of the rule, by name
    require: "str | None" = "read",
    *,
    repo: "str | None" = None,
    repo_type: "_RepositoryType" = "model",
    endpoint: "str | None" = None,
    max_age: "float | None" = None,
    timeout: "float | None" = None,
) -> "Callable[..., Awaitable[Identity]]":
    """Create a FastAPI dependency that admits callers whose Hub token is good enough.

    The OpenAPI document lists the scheme, and the interactive page has its button. It guards HTTP
    routes; for websockets, use :class:`TokenAuthentication`.

    Args:
        require: As for :class:`TokenAuthentication`.
        repo: As for :class:`TokenAuthentication`.
        repo_type: As for :class:`TokenAuthentication`.
        endpoint: As for :class:`TokenAuthentication`.
        max_age: As for :class:`TokenAuthentication`.
        timeout: As for :class:`TokenAuthentication`.

    Returns:
        The dependency, whose value is the caller's :class:`hubtoken.Identity`.

    Raises:
        ImportError: FastAPI is not installed.
        TypeError: As for :class:`TokenAuthentication`.
        ValueError: As for :class:`TokenAuthentication`.
        hubtoken.errors.UntrustedEndpointError: As for :class:`TokenAuthentication`.

    Example:
        >>> from hubtoken.asgi import require_bearer
        >>> try:
        ...     require_bearer("inference.serverles.write")
        ... except ValueError as error:
        ...     print(str(error).rpartition(": ")[2])
        did you mean `inference.serverless.write`?
    """
    check = _Check(require, repo, repo_type, endpoint, max_age, timeout)
    from fastapi import HTTPException, Request, Security
    from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

    from hubtoken import Identity

    scheme = HTTPBearer(scheme_name="HubToken", description="A Hub access token", auto_error=False)

    async def identity(
        request: Request,
        # Only for OpenAPI: the check reads the header itself, and accepts `Basic` as well.
        _shown: HTTPAuthorizationCredentials | None = Security(scheme),  # noqa: B008 - FastAPI's way
    ) -> Identity:
        try:
            return await check(request.scope["headers"])
        except Refusal as refusal:
            raise HTTPException(
                refusal.status, detail=refusal.message, headers=refusal.headers()
            ) from None

    return identity
