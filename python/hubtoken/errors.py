"""All errors and warnings of hubtoken, as one tree.

::

    HubTokenError
    ├── TokenNotFoundError          .trace
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
    ├── HubError                    the embedded Hub could not start, or a request to it failed
    └── StoreError(OSError)         a token file cannot be read or written

A message contains what happened, with which token (masked) from which source, and what to do next.
``VerdictUnknownError`` is not a denial: a time-out, a rate limit or offline mode says nothing
about a token.
"""

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


class HubTokenError(Exception):
    """The base class of all errors that hubtoken raises."""

    def __reduce__(self) -> "tuple[object, ...]":
        """Pickle by the message and the attributes, so that errors cross process boundaries."""
        return (type(self), (str(self),), self.__dict__)

    def __str__(self) -> str:
        """The message."""
        return str(self.args[0]) if self.args else ""


class TokenNotFoundError(HubTokenError):
    """No source has a token.

    Attributes:
        trace: The status of each source; ``None`` if no source was tried.
    """

    trace: "Trace | None" = None


class TokenFormatError(HubTokenError):
    """A value is not a valid token: a mask, a placeholder, an illegal character.

    Or it must not be sent to its Hub, since it looks like the key of another service.

    Not a ``ValueError``, because ``argparse`` and ``pydantic`` print the value of one.
    """


class InvalidTokenError(HubTokenError):
    """The Hub rejects the token: it was deleted, refreshed, or has expired.

    Attributes:
        source: Where the token came from, such as ``env:HF_TOKEN``.
    """

    source: "str | None" = None


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


class InsufficientRoleError(AccessDeniedError):
    """The token's role or scopes, or its user's role in the organization, are not enough."""


class GatedRepoError(AccessDeniedError):
    """The repository is gated, and access has not been granted."""


class OrganizationPolicyError(AccessDeniedError):
    """The organization's token policy blocks the token."""


class RepositoryDisabledError(AccessDeniedError):
    """Access to the repository is disabled on the Hub. No other token helps."""


class RepositoryNotFoundError(HubTokenError):
    """The repository does not exist, or the token must not learn that it does."""


class VerdictUnknownError(HubTokenError):
    """The result is unknown. This says nothing about the token."""


class HubUnreachableError(VerdictUnknownError, ConnectionError):
    """The Hub could not be reached: the connection was refused, timed out, or broke."""


class RateLimitedError(VerdictUnknownError):
    """The Hub limits the rate.

    Attributes:
        retry_after: Seconds to wait, if the Hub reported them.
    """

    retry_after: "int | None" = None


class OfflineError(VerdictUnknownError):
    """``HF_HUB_OFFLINE`` or ``TRANSFORMERS_OFFLINE`` forbids requests."""


class UntrustedEndpointError(HubTokenError):
    """The token does not belong to that endpoint, or the endpoint must not receive tokens."""


class ConfigurationError(HubTokenError):
    """A configuration file is broken, or contains what it must not."""


class LoginError(HubTokenError):
    """A login did not succeed.

    Attributes:
        error_code: The code of RFC 6749 or RFC 8628, such as ``expired_token``.
    """

    error_code: "str | None" = None


class HubError(HubTokenError):
    """The embedded Hub could not start, or a request to it failed."""


class StoreError(HubTokenError, OSError):
    """A token file cannot be read or written."""


class HubTokenWarning(UserWarning):
    """Something that hubtoken passed over, such as an unreadable token file.

    Shown with the file and line number that it is about, and without the source line: by
    ``warnings``, by pytest, and by hooks that pass the warning, its ``str()`` or its ``args[0]`` on
    to ``warnings.formatwarning``. A hook that formats the message itself, or reads the line itself,
    decides on its own what it shows.
    """

    def __init__(self, *args: object) -> None:
        """Wrap the message so that it withholds the source line, wherever it is passed."""
        super().__init__(*(_Message(part) if type(part) is str else part for part in args))

    def __str__(self) -> str:
        """The message."""
        _withhold_line(self)
        message = self.args[0] if len(self.args) == 1 else None
        return message if isinstance(message, _Message) else super().__str__()


class _Message(str):
    """The message of a warning. It is only read when the warning is formatted."""

    __slots__ = ()

    def __str__(self) -> str:
        """Itself, since it may be formatted later."""
        _withhold_line(self)
        return self

    def __format__(self, specification: str) -> str:
        """The message in a formatted text."""
        _withhold_line(self)
        return super().__format__(specification)

    def __reduce__(self) -> "tuple[object, ...]":
        """Pickle as the plain text."""
        return (str, (str.__str__(self),))


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


class StaleIdentityWarning(HubTokenWarning):
    """An identity or answer from the cache is old, because the Hub cannot be reached."""
