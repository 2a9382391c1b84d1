"""Let callers into a server by their Hub token: ASGI middleware, and a dependency for FastAPI.

:class:`TokenAuthentication` goes around any ASGI application (Starlette, FastAPI, Litestar, Quart,
Django); :func:`require_bearer` guards single routes of FastAPI. Both take the token from the
``Authorization`` header, as a bearer or as the password of basic authentication, ask the Hub whose
it is, and answer as RFC 6750 has it:

====  ===========================================================================
401   no token (``Bearer realm=…``), or one that the Hub does not know
      (``error="invalid_token"``)
400   more than one ``Authorization`` header (``error="invalid_request"``)
403   the token is good, but not for this (``error="insufficient_scope"``)
429   the Hub limits the rate for this token; ``Retry-After`` says for how long
503   the Hub cannot say: it does not answer, or too many wait for it. Nothing is
      known against the token; ``Retry-After`` is there as well
====  ===========================================================================

While the answer is known, a check takes microseconds and no thread. When the Hub has to be asked,
a thread of this module's own waits for it, and never the event loop. No answer, error or log
contains a token.
"""

import asyncio
import base64
import binascii
import json
import os
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

from hubtoken import authorize, identify, recall
from hubtoken._core import (
    check_repository,
    identify_anew,
    is_known_permission,
    require_of_caller,
)
from hubtoken.errors import (
    AccessDeniedError,
    HubTokenWarning,
    InvalidTokenError,
    RateLimitedError,
    RepositoryNotFoundError,
    TokenFormatError,
    VerdictUnknownError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, MutableMapping
    from typing import Any, TypeAlias, TypeVar

    from hubtoken import Identity, Verdict

    _Scope: TypeAlias = MutableMapping[str, Any]
    _Message: TypeAlias = MutableMapping[str, Any]
    _Receive: TypeAlias = Callable[[], Awaitable[_Message]]
    _Send: TypeAlias = Callable[[_Message], Awaitable[None]]
    _Application: TypeAlias = Callable[[_Scope, _Receive, _Send], Awaitable[None]]
    _T = TypeVar("_T")

__all__ = ["TokenAuthentication", "require_bearer"]

_REALM = "Hugging Face Hub"
# Questions to the Hub at once, and how many more may wait for their turn.
_THREADS = 16
_WAITING = 256
# When to come again if the Hub is away, in seconds.
_AGAIN = 5
# How old an identity may be for a refusal, in seconds; the Hub is asked no more often than that.
_DENIAL_AGE = 10.0


class _Refusal(Exception):  # noqa: N818 - it is an answer, not an error
    """What a caller is told who is not let in."""

    def __init__(
        self, status: int, message: str, *, error: "str | None" = None, again: "int | None" = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.error = error
        self.again = again

    def headers(self) -> "dict[str, str]":
        """The headers that go with it."""
        found = {"Cache-Control": "no-store"}
        if self.status in {400, 401, 403}:
            challenge = f'Bearer realm="{_REALM}"'
            if self.error is not None:
                challenge += f', error="{self.error}", error_description="{_plain(self.message)}"'
            found["WWW-Authenticate"] = challenge
        if self.again is not None:
            found["Retry-After"] = str(self.again)
        return found


def _plain(text: str) -> str:
    """A text as RFC 6750 lets a description be: printable ASCII without quotes."""
    return "".join(
        letter if " " <= letter <= "~" and letter not in '"\\' else "'" if letter == '"' else "?"
        for letter in text
    )


def _token(headers: "Iterable[tuple[bytes, bytes]]") -> str:
    """The token that a request carries."""
    found = [value for name, value in headers if name.lower() == b"authorization"]
    if len(found) > 1:
        raise _Refusal(400, "There is more than one Authorization header", error="invalid_request")
    scheme, _, credentials = (found[0] if found else b"").strip().partition(b" ")
    credentials = credentials.strip()
    if scheme.lower() == b"bearer":
        return credentials.decode("latin-1")
    if scheme.lower() == b"basic":
        try:
            pair = base64.b64decode(credentials, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            # Not chained: what was decoded is in the cause.
            raise _invalid() from None
        user, _, password = pair.partition(":")
        return password or user
    raise _Refusal(401, "A Hub access token is required, as a bearer token")


def _invalid() -> _Refusal:
    return _Refusal(401, "The token is unknown, deleted or expired", error="invalid_token")


def _unknown(error: VerdictUnknownError, before: str = "") -> _Refusal:
    """The Hub cannot say; `before` is what it said the last time."""
    if isinstance(error, RateLimitedError):
        again = _AGAIN if error.retry_after is None else max(1, error.retry_after)
        return _Refusal(429, f"The Hub limits the rate for this token{before}", again=again)
    return _Refusal(503, f"The Hub cannot be asked about this token{before}", again=_AGAIN)


class _Threads:
    """Threads that wait for the Hub: some, and not those that the application uses itself."""

    def __init__(self) -> None:
        self._process = 0
        self._pool: ThreadPoolExecutor | None = None
        self._places = threading.BoundedSemaphore(_WAITING)

    async def run(self, work: "Callable[[], _T]") -> "_T":
        """Do the work on a thread; refuse when too many wait already."""
        if self._pool is None or self._process != os.getpid():
            # A forked child has the pool, and none of its threads.
            self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="hubtoken-asgi")
            self._places = threading.BoundedSemaphore(_WAITING)
            self._process = os.getpid()
        places = self._places
        if not places.acquire(blocking=False):
            raise _Refusal(503, "Too many callers wait for the Hub. Try again later", again=1)
        future = self._pool.submit(work)
        # A caller who goes away while the Hub is asked leaves the place to the thread.
        future.add_done_callback(lambda _: places.release())
        return await asyncio.wrap_future(future)


_threads = _Threads()


class _Check:
    """One rule, and whether a token meets it."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of the rule
        self,
        require: "str | None",
        repo: "str | None",
        repo_type: str,
        endpoint: "str | None",
        max_age: "float | None",
        timeout: "float | None",
    ) -> None:
        is_role = require in {"read", "write"}
        self._is_known = True
        if require is not None and not is_role:
            if "." not in require:
                raise ValueError(
                    'require is "read", "write", None, or a permission such as '
                    '"inference.serverless.write"'
                )
            # Told when the server starts, and not to its callers: no token is at hand whose scopes
            # could list it.
            self._is_known = is_known_permission(require)
            if not self._is_known:
                warnings.warn(
                    f"this version of hubtoken does not know the permission {require!r}: only "
                    "tokens whose scopes list it are let in",
                    HubTokenWarning,
                    stacklevel=3,
                )
        if repo is not None and repo.count("/") != 1:
            raise ValueError("repo is written namespace/name")
        if repo is not None:
            # What cannot be a name is told when the server starts as well.
            check_repository(repo, repo_type)
        if require is None and repo is not None:
            raise ValueError("repo says where something is required: say what, with require")
        self._require = require
        self._repo = repo
        self._repo_type = repo_type
        self._endpoint = endpoint
        self._max_age = max_age
        self._timeout = timeout

    async def __call__(self, headers: "Iterable[tuple[bytes, bytes]]") -> "Identity":
        """Whose the request is; raises what its sender is told otherwise."""
        token = _token(headers)
        try:
            identity = recall(token, endpoint=self._endpoint, max_age=self._max_age)
            is_new = identity is None
            if identity is None:
                identity = await _threads.run(lambda: self._identify(token))
            return await self._allowed(identity, token, is_new=is_new)
        except (TokenFormatError, InvalidTokenError):
            raise _invalid() from None
        except (AccessDeniedError, RepositoryNotFoundError):
            # Their own texts are for the owner of the token, and say where it came from.
            message = f"The token does not allow {self._require} on {self._repo}"
            raise _Refusal(403, message, error="insufficient_scope") from None
        except VerdictUnknownError as error:
            raise _unknown(error) from None

    def _identify(self, token: str) -> "Identity":
        return identify(
            token, endpoint=self._endpoint, max_age=self._max_age, timeout=self._timeout
        )

    async def _allowed(self, identity: "Identity", token: str, *, is_new: bool) -> "Identity":
        """The identity, if it will do; before it does not, the Hub's latest word."""
        if self._require is None:
            return identity
        verdict = self._judge(identity, self._require)
        is_refused = verdict.outcome == "denied" or (
            verdict.outcome == "unknown" and not self._is_known
        )
        if is_refused and not is_new:
            identity = await self._latest(token, verdict)
            verdict = self._judge(identity, self._require)
        if verdict.outcome == "denied":
            raise _Refusal(403, verdict.reason, error="insufficient_scope")
        if verdict.outcome == "unknown" and not self._is_known:
            # The Hub has no say in it.
            raise _Refusal(503, verdict.reason, again=_AGAIN)
        if verdict.outcome == "unknown":
            # Only the Hub can say, for instance whether somebody else's repository is public.
            await _threads.run(lambda: self._ask_hub(token))
        return identity

    def _judge(self, identity: "Identity", require: str) -> "Verdict":
        return authorize(identity, require, repo=self._repo, repo_type=self._repo_type)

    async def _latest(self, token: str, verdict: "Verdict") -> "Identity":
        """An identity that is new enough for a refusal."""
        age = _DENIAL_AGE if self._max_age is None else min(_DENIAL_AGE, self._max_age)
        identity = recall(token, endpoint=self._endpoint, max_age=age)
        if identity is not None:
            return identity
        try:
            return await _threads.run(
                lambda: identify_anew(
                    token, endpoint=self._endpoint, max_age=age, timeout=self._timeout
                )
            )
        except VerdictUnknownError as error:
            raise _unknown(error, f". Its last answer was: {verdict.reason}") from None

    def _ask_hub(self, token: str) -> None:
        require_of_caller(
            self._require or "read",
            token,
            repo=self._repo,
            repo_type=self._repo_type,
            endpoint=self._endpoint,
            max_age=self._max_age,
            timeout=self._timeout,
        )


class TokenAuthentication:
    """ASGI middleware that lets in those whose Hub token is good enough.

    HTTP requests and websockets are guarded, the latter before they are accepted; lifespan events
    pass. The application finds the caller in ``scope["hubtoken.identity"]``, which Starlette and
    FastAPI also show as ``request.state.identity``.

    Browsers ask for cross-origin permission without a token, so middleware that answers them (CORS)
    goes outside of this one.

    Args:
        app: The application that is guarded.
        require: ``"read"`` or ``"write"``, a permission such as ``"inference.serverless.write"``,
            or ``None`` for any token that the Hub knows. Without ``repo``, a fine-grained token has
            no role and is let in by a permission only. A permission that this version does not know
            lets in those whose scopes list it; the others are answered with 503.
        repo: The repository on which it is required, as ``namespace/name``.
        repo_type: ``"model"``, ``"dataset"`` or ``"space"``.
        endpoint: The Hub; ``HF_ENDPOINT``, or ``https://huggingface.co``, by default.
        max_age: How old the Hub's answer may be, in seconds; 300 by default.
        timeout: How long to wait for the Hub, in seconds; 10 by default.
        public: Paths that need no token, such as ``("/healthz",)``.

    Raises:
        ValueError: An argument makes no sense.

    Example:
        >>> import asyncio
        >>> from hubtoken.asgi import TokenAuthentication
        >>> async def app(scope, receive, send):
        ...     print("let in")
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
        repo_type: str = "model",
        endpoint: "str | None" = None,
        max_age: "float | None" = None,
        timeout: "float | None" = None,
        public: "Collection[str]" = (),
    ) -> None:
        if isinstance(public, str):
            raise ValueError("public is a collection of paths, not one path")  # noqa: TRY004
        self._app = app
        self._check = _Check(require, repo, repo_type, endpoint, max_age, timeout)
        self._public = frozenset(public)

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
        except _Refusal as refusal:
            if kind == "http":
                await _refuse(refusal, send, "http.response")
            else:
                await _refuse_websocket(refusal, scope, receive, send)
            return
        state = {**scope.get("state", {}), "identity": identity}
        await self._app({**scope, "hubtoken.identity": identity, "state": state}, receive, send)


async def _refuse(refusal: _Refusal, send: "_Send", kind: str) -> None:
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
    refusal: _Refusal, scope: "_Scope", receive: "_Receive", send: "_Send"
) -> None:
    await receive()  # the wish to connect
    if "websocket.http.response" in (scope.get("extensions") or {}):
        await _refuse(refusal, send, "websocket.http.response")
    else:
        # The server makes a bare 403 of it.
        await send({"type": "websocket.close", "code": 1008, "reason": ""})


def require_bearer(  # noqa: PLR0913 - the parts of the rule, by name
    require: "str | None" = "read",
    *,
    repo: "str | None" = None,
    repo_type: str = "model",
    endpoint: "str | None" = None,
    max_age: "float | None" = None,
    timeout: "float | None" = None,
) -> "Callable[..., Awaitable[Identity]]":
    """Make a dependency of FastAPI's that lets in those whose Hub token is good enough.

    The OpenAPI document shows the scheme, and the interactive page has its button. It guards HTTP
    routes; for websockets there is :class:`TokenAuthentication`.

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
        ValueError: An argument makes no sense.

    Example:
        >>> from hubtoken.asgi import require_bearer
        >>> try:
        ...     require_bearer("everything")
        ... except ValueError as error:
        ...     print(error)
        require is "read", "write", None, or a permission such as "inference.serverless.write"
    """
    check = _Check(require, repo, repo_type, endpoint, max_age, timeout)
    from fastapi import HTTPException, Request, Security
    from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

    from hubtoken import Identity

    scheme = HTTPBearer(scheme_name="HubToken", description="A Hub access token", auto_error=False)

    async def identity(
        request: Request,
        # Read by OpenAPI alone: the check reads the header itself, and takes `Basic` as well.
        _shown: HTTPAuthorizationCredentials | None = Security(scheme),  # noqa: B008 - FastAPI's way
    ) -> Identity:
        try:
            return await check(request.scope["headers"])
        except _Refusal as refusal:
            raise HTTPException(
                refusal.status, detail=refusal.message, headers=refusal.headers()
            ) from None

    return identity
