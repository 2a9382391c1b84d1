"""Checks the arguments of ``hubtoken.asgi`` when a server is set up, not at its first request."""

from contextlib import suppress

from hubtoken import cached_identity
from hubtoken._core import check_lifetimes, check_repository, is_known_permission
from hubtoken.errors import TokenFormatError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["check_application", "check_public", "check_rule"]


def check_rule(  # noqa: PLR0913, PLR0917 - the parts of the rule
    require: object,
    repo: object,
    repo_type: object,
    endpoint: object,
    max_age: "float | None",
    timeout: "float | None",
) -> bool:
    """Check the parts of a rule.

    Args:
        require: As for ``hubtoken.asgi.TokenAuthentication``, like all of them.
        repo: As there.
        repo_type: As there.
        endpoint: As there.
        max_age: As there.
        timeout: As there.

    Returns:
        Whether this version knows the permission, if ``require`` is one.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument has the right type, and cannot be right.
        hubtoken.errors.UntrustedEndpointError: The endpoint must not receive tokens.
    """
    is_known = _check_permission(_text("require", require, or_none=True))
    kind = _text("repo_type", repo_type) or ""
    _naming("repo_type", lambda: check_repository("namespace/name", kind))
    repository = _text("repo", repo, or_none=True)
    if repository is not None:
        if repository.count("/") != 1:
            raise ValueError("repo must have the form namespace/name")
        _naming("repo", lambda: check_repository(repository, kind))
        if require is None:
            raise ValueError("repo needs require, the role or permission that is needed on it")
    _check_endpoint(_text("endpoint", endpoint, or_none=True))
    _check_lifetime("max_age", lambda: check_lifetimes(max_age, None))
    _check_lifetime("timeout", lambda: check_lifetimes(None, timeout))
    return is_known


def _check_lifetime(name: str, check: "Callable[[], None]") -> None:
    try:
        check()
    except TypeError:
        raise TypeError(f"{name}= takes a number of seconds or None") from None


def check_public(public: object) -> "frozenset[str]":
    """Check the paths that need no token.

    Args:
        public: As for ``hubtoken.asgi.TokenAuthentication``.

    Returns:
        The paths.

    Raises:
        TypeError: It is not a collection of ``str``.
        ValueError: It is a single path, or one of the paths is not one.
    """
    if isinstance(public, str):
        raise ValueError("public must be a collection of paths, not one path")  # noqa: TRY004
    try:
        paths: frozenset[object] = frozenset(public)  # type: ignore[call-overload]
    except TypeError:
        raise TypeError(f"public= takes a collection of paths, not {_kind(public)}") from None
    checked = set()
    for path in paths:
        if not isinstance(path, str):
            raise TypeError(f"public= takes paths that are a str, not {_kind(path)}")
        if not path.startswith("/"):
            raise ValueError('a path in public= begins with a slash, such as "/healthz"')
        checked.add(path)
    return frozenset(checked)


def check_application(app: "Any") -> None:  # noqa: ANN401 - whatever was handed over
    """Check the application that is guarded.

    Args:
        app: As for ``hubtoken.asgi.TokenAuthentication``.

    Raises:
        TypeError: It cannot be called.
    """
    if not callable(app):
        raise TypeError(f"app= takes an ASGI application, not {_kind(app)}")


def _kind(value: object) -> str:
    """What an error says of a value that may be a token."""
    return type(value).__name__


def _text(name: str, value: object, *, or_none: bool = False) -> "str | None":
    if value is None and or_none:
        return None
    if not isinstance(value, str):
        raise TypeError(f"{name}= takes a str{' or None' * or_none}, not {_kind(value)}")
    try:
        value.encode()
    except UnicodeEncodeError:
        # Not chained: the cause contains the whole text.
        raise ValueError(f"{name}= is not text that could be sent") from None
    return value


def _naming(name: str, check: "Callable[[], None]") -> None:
    """Run a check of the core, whose sentences do not say which argument they are about."""
    try:
        check()
    except ValueError as error:
        raise ValueError(f"{name}=: {error}") from None


def _check_permission(require: "str | None") -> bool:
    if require in {None, "read", "write"}:
        return True
    permission = str(require)
    must_be = 'require must be "read", "write", None, or a permission'
    try:
        is_known = is_known_permission(permission)
    except ValueError as error:
        raise ValueError(f"{must_be}: {error}") from None
    if not is_known:
        # A new permission is named in warnings and in responses. The rule for the names of
        # repositories says which text may be a token.
        try:
            check_repository(f"namespace/{permission}", "model")
        except ValueError:
            raise ValueError(
                f"{must_be}: what was given may be a token, and is not repeated here"
            ) from None
    return is_known


def _check_endpoint(endpoint: "str | None") -> None:
    """Check an endpoint, or the environment's, in the way that a request does."""
    # A blank token is rejected after the endpoint.
    with suppress(TokenFormatError):
        cached_identity("", endpoint=endpoint)
