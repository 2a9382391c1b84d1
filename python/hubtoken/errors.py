"""All errors and warnings of hubtoken, as one tree.

::

    HubTokenError                   .request_id .server_message
    ├── TokenNotFoundError          .trace; also for the name of a stored token that does not exist
    ├── TokenFormatError            the value cannot be a token; never shows it
    ├── InvalidTokenError           the Hub rejects the token: .source is where to fix it
    ├── AccessDeniedError(PermissionError)    .required .actual .target .remedy_url
    │   ├── InsufficientRoleError
    │   ├── GatedRepoError
    │   ├── OrganizationPolicyError           pending, denied or revoked by the organization
    │   └── RepositoryDisabledError           disabled on the Hub, for every token
    ├── RepositoryNotFoundError
    ├── VerdictUnknownError         no answer, which says nothing about the token
    │   ├── HubUnreachableError(ConnectionError)
    │   ├── RateLimitedError        .retry_after
    │   └── OfflineError
    ├── UntrustedEndpointError      the token must not be sent there
    ├── ConfigurationError          a configuration file is broken, or contains what it must not
    ├── LoginError                  .error_code (RFC 8628, RFC 6749)
    ├── HubError                    the embedded Hub could not start, or a Hub refused a request
    └── StoreError(OSError)         a token file cannot be read or written, or a name is taken

What the machine or the Hub has or lacks is one of these. A wrong word or number in a call is a
``ValueError``, and an argument of a wrong type a ``TypeError``: nothing that the machine or the Hub
has could make such a call right.

A message contains what happened, with which token (masked) from which source, and what to do next.
If an answer of the Hub caused the error, the Hub's own message and the ID of the request are at its
end.
``VerdictUnknownError`` is not a denial: a time-out, a rate limit or offline mode says nothing
about a token.
"""

from hubtoken.reloading import one_class

__all__ = [
    "AccessDeniedError",
    "ConfigurationError",
    "GatedRepoError",
    "HubError",
    "HubTokenError",
    "HubTokenWarning",
    "HubUnreachableError",
    "InsufficientRoleError",
    "InvalidTokenError",
    "LoginError",
    "OfflineError",
    "OrganizationPolicyError",
    "RateLimitedError",
    "RepositoryDisabledError",
    "RepositoryNotFoundError",
    "StaleIdentityWarning",
    "StoreError",
    "TokenFormatError",
    "TokenNotFoundError",
    "UntrustedEndpointError",
    "VerdictUnknownError",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubtoken._core import Trace


def _printable(text: str) -> str:
    """A text that ``print`` can write: a name in it may not be in the encoding of the terminal."""
    # The module is imported before any error can be raised, and imports this one on demand.
    from hubtoken._core import printable

    return printable(text)


@one_class
class HubTokenError(Exception):
    """The base class of the errors that hubtoken raises.

    It raises others only for a call that no machine and no Hub could answer: ``ValueError`` for a
    word or a number that is none of the allowed ones, ``TypeError`` for an argument of another
    type. ``KeyboardInterrupt`` passes through.

    Attributes:
        request_id: The ID under which the Hub logged the request, if an answer of the Hub caused
            the error and has one. It is at the end of the message as well.
        server_message: The Hub's own message, if an answer of the Hub caused the error and has one:
            without control characters and tokens, and at most 500 characters of it.
    """

    request_id: "str | None" = None
    server_message: "str | None" = None

    def __init__(self, *args: object) -> None:
        """Wrap the message so that ``print`` can write it as ``args[0]`` as well."""
        Exception.__init__(self, *(_Text(part) if type(part) is str else part for part in args))

    def __reduce__(self) -> "tuple[object, ...]":
        """Pickle by the message and the attributes, so that errors cross process boundaries.

        The message is as it was raised: the process that reads it may be able to print more of it.
        """
        message = self.args[0] if self.args else ""
        text = str.__str__(message) if isinstance(message, str) else str(message)
        return (type(self), (text,), self.__dict__)

    def __str__(self) -> str:
        """The message, in a form that ``print`` can write."""
        return _printable(str(self.args[0])) if self.args else ""

    def __repr__(self) -> str:
        """The class and the message, in the same form."""
        return _printable(Exception.__repr__(self))


@one_class
class TokenNotFoundError(HubTokenError):
    """No source has a token, or no stored token has the given name.

    Attributes:
        trace: The status of each source; ``None`` if no source was tried.
    """

    trace: "Trace | None" = None


@one_class
class TokenFormatError(HubTokenError):
    """A value is not a valid token: a mask, a placeholder, an illegal character.

    Or it must not be sent to its Hub, since it looks like the key of another service.

    Not a ``ValueError``, because ``argparse`` and ``pydantic`` print the value of one.
    """


@one_class
class InvalidTokenError(HubTokenError):
    """The Hub rejects the token: it was deleted, refreshed, or has expired.

    Attributes:
        source: Where the token came from, such as ``env:HF_TOKEN``.
    """

    source: "str | None" = None


@one_class
class AccessDeniedError(HubTokenError, PermissionError):
    """The token is valid, but not for this.

    Attributes:
        required: The role or permission that is needed.
        actual: The role or permission there is, such as ``read`` or ``role read in acme``.
        target: The repository or namespace; ``None`` for the Hub as a whole.
        remedy_url: The page where a suitable token can be created or access can be requested.
    """

    required: "str | None" = None
    actual: "str | None" = None
    target: "str | None" = None
    remedy_url: "str | None" = None


@one_class
class InsufficientRoleError(AccessDeniedError):
    """The token's role or scopes, or its user's role in the organization, are not enough."""


@one_class
class GatedRepoError(AccessDeniedError):
    """The repository is gated, and access has not been granted."""


@one_class
class OrganizationPolicyError(AccessDeniedError):
    """The organization's token policy blocks the token."""


@one_class
class RepositoryDisabledError(AccessDeniedError):
    """Access to the repository is disabled on the Hub. No other token helps."""


@one_class
class RepositoryNotFoundError(HubTokenError):
    """The repository does not exist, or the token must not learn that it does."""


@one_class
class VerdictUnknownError(HubTokenError):
    """The result is unknown. This says nothing about the token."""


@one_class
class HubUnreachableError(VerdictUnknownError, ConnectionError):
    """The Hub could not be reached: the connection was refused, timed out, or broke."""


@one_class
class RateLimitedError(VerdictUnknownError):
    """The Hub limits the rate.

    Attributes:
        retry_after: Seconds to wait, if the Hub reported them.
    """

    retry_after: "int | None" = None


@one_class
class OfflineError(VerdictUnknownError):
    """``HF_HUB_OFFLINE`` or ``TRANSFORMERS_OFFLINE`` forbids requests."""


@one_class
class UntrustedEndpointError(HubTokenError):
    """The token does not belong to that endpoint, or the endpoint must not receive tokens."""


@one_class
class ConfigurationError(HubTokenError):
    """A configuration file is broken, or contains what it must not."""


@one_class
class LoginError(HubTokenError):
    """A login did not succeed.

    Attributes:
        error_code: The code of RFC 6749 or RFC 8628, such as ``expired_token``.
    """

    error_code: "str | None" = None


@one_class
class HubError(HubTokenError):
    """The embedded Hub could not start, or a Hub refused to do what was requested."""


@one_class
class StoreError(HubTokenError, OSError):
    """A token file cannot be read or written, or the new name for a token is taken."""


@one_class
class HubTokenWarning(UserWarning):
    """Something that hubtoken passed over, such as an unreadable token file.

    Shown with the file and line number that it is about, and without the source line: by
    ``warnings``, by pytest, and by hooks that pass the warning, its ``str()`` or its ``args[0]`` on
    to ``warnings.formatwarning``. A hook that formats the message itself, or reads the line itself,
    decides on its own what it shows.
    """

    def __init__(self, *args: object) -> None:
        """Wrap the message so that it withholds the source line, wherever it is passed."""
        UserWarning.__init__(
            self, *(_Message(part) if type(part) is str else part for part in args)
        )

    def __str__(self) -> str:
        """The message."""
        _withhold_line(self)
        message = self.args[0] if len(self.args) == 1 else None
        if isinstance(message, _Message):
            return str(message)
        return _printable(UserWarning.__str__(self))

    def __repr__(self) -> str:
        """The class and the message."""
        return _printable(UserWarning.__repr__(self))


class _Text(str):
    """A message as it was raised. What is shown of it, ``print`` can write."""

    __slots__ = ()

    def __str__(self) -> str:
        """The message, in a form that ``print`` can write."""
        return _printable(str.__str__(self))

    def __repr__(self) -> str:
        """The message in quotes."""
        return _printable(str.__repr__(self))

    def __format__(self, specification: str) -> str:
        """The message in a formatted text."""
        return _printable(str.__format__(self, specification))

    def __reduce__(self) -> "tuple[object, ...]":
        """Pickle as the plain text."""
        return (str, (str.__str__(self),))


class _Message(_Text):
    """The message of a warning. It is only read when the warning is formatted."""

    __slots__ = ()

    def __str__(self) -> str:
        """A message, since it may be formatted later: itself, if ``print`` can write it."""
        _withhold_line(self)
        printable = _printable(self)
        return self if printable is self else _Message(printable)

    def __format__(self, specification: str) -> str:
        """The message in a formatted text."""
        _withhold_line(self)
        return _printable(str.__format__(self, specification))


def _withhold_line(message: object) -> None:
    """Keeps ``warnings`` from showing the source line that a warning is about.

    That line may be ``hubtoken.login("hf_…")``, which must not end up in a log. The code that emits
    a warning cannot control what is shown of it, so this inspects the code that reads the message:
    the function that formats a warning (that of ``warnings``, or pytest's) holds it as a
    ``WarningMessage``, and reads the line after the message, unless there is one already.
    """
    import sys

    warnings = sys.modules.get("warnings")
    if warnings is None:
        return
    try:
        shown = list(sys._getframe(2).f_locals.values())  # noqa: SLF001 - there is no other way
    except (AttributeError, ValueError):
        return
    for value in shown:
        if issubclass(type(value), warnings.WarningMessage) and value.message is message:
            value.line = value.line or ""


@one_class
class StaleIdentityWarning(HubTokenWarning):
    """An identity or answer from the cache is old, because the Hub cannot be reached."""
