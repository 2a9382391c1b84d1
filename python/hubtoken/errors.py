"""Every way in which hubtoken fails, as one tree.

::

    HubTokenError
    ├── TokenNotFoundError          .trace
    ├── TokenFormatError            the value cannot be a token; never shows it
    ├── InvalidTokenError           the Hub said 401: .source says where to mend it
    ├── AccessDeniedError(PermissionError)    .required .actual .target .remedy_url
    │   ├── InsufficientRoleError
    │   ├── GatedRepoError
    │   ├── OrganizationPolicyError           pending, denied or revoked by the organization
    │   └── RepositoryDisabledError           switched off on the Hub, for every token
    ├── RepositoryNotFoundError
    ├── VerdictUnknownError         nothing is known against the token
    │   ├── HubUnreachableError(ConnectionError)
    │   ├── RateLimitedError        .retry_after
    │   └── OfflineError
    ├── UntrustedEndpointError      the token must not go there
    ├── ConfigurationError          a configuration file is broken or says what it may not
    ├── LoginError                  .error_code (RFC 8628, RFC 6749)
    ├── HubError                    the embedded Hub could not start or do what it was asked
    └── StoreError(OSError)         a file of tokens cannot be read or written

A message says what happened, with which token (masked) from which source, and what to do next.
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
    """Anything that hubtoken raises on purpose."""

    def __reduce__(self) -> "tuple[object, ...]":
        """Pickle by the message and the attributes, so that errors cross process boundaries."""
        return (type(self), (str(self),), self.__dict__)

    def __str__(self) -> str:
        """The message."""
        return str(self.args[0]) if self.args else ""


class TokenNotFoundError(HubTokenError):
    """No source has a token.

    Attributes:
        trace: What each source answered; ``None`` when no source was asked.
    """

    trace: "Trace | None" = None


class TokenFormatError(HubTokenError):
    """A value cannot be a token: a mask, a placeholder, an illegal character.

    Or it is not to be sent to its Hub, since it looks like the key of another service.

    Not a ``ValueError``, because ``argparse`` and ``pydantic`` print the value of one.
    """


class InvalidTokenError(HubTokenError):
    """The Hub does not know the token: it was deleted, refreshed, or has expired.

    Attributes:
        source: Where the token came from, such as ``env:HF_TOKEN``.
    """

    source: "str | None" = None


class AccessDeniedError(HubTokenError, PermissionError):
    """The token is good, but not for this.

    Attributes:
        required: The role or permission that is needed.
        actual: What there is, such as ``read`` or ``role read in acme``.
        target: The repository or namespace; ``None`` for the Hub as a whole.
        remedy_url: The page on which a right token is made or access is asked for.
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
    """The organization's token policy keeps the token out."""


class RepositoryDisabledError(AccessDeniedError):
    """Access to the repository is disabled on the Hub. No other token helps."""


class RepositoryNotFoundError(HubTokenError):
    """The repository does not exist, or the token must not know of it."""


class VerdictUnknownError(HubTokenError):
    """Nothing could be learned. Nothing is known against the token."""


class HubUnreachableError(VerdictUnknownError, ConnectionError):
    """The Hub did not answer: refused, timed out, or broken off."""


class RateLimitedError(VerdictUnknownError):
    """The Hub limits the rate.

    Attributes:
        retry_after: Seconds to wait, when the Hub said so.
    """

    retry_after: "int | None" = None


class OfflineError(VerdictUnknownError):
    """``HF_HUB_OFFLINE`` or ``TRANSFORMERS_OFFLINE`` forbids requests."""


class UntrustedEndpointError(HubTokenError):
    """The token does not belong to that endpoint, or the endpoint is no place for a token."""


class ConfigurationError(HubTokenError):
    """A configuration file is broken, or says what it may not."""


class LoginError(HubTokenError):
    """A log-in did not succeed.

    Attributes:
        error_code: The code of RFC 6749 or RFC 8628, such as ``expired_token``.
    """

    error_code: "str | None" = None


class HubError(HubTokenError):
    """The embedded Hub could not start, or could not do what it was asked."""


class StoreError(HubTokenError, OSError):
    """A file of tokens cannot be read or written."""


class HubTokenWarning(UserWarning):
    """Something that hubtoken passed over, such as an unreadable token file.

    Shown with file and number of the line that it is about, and without the line itself: by
    ``warnings``, by pytest, and by hooks that hand the warning, its ``str()`` or its ``args[0]`` on
    to ``warnings.formatwarning``. A hook that makes a text of its own of the message, or reads the
    line by itself, decides for itself what it shows.
    """

    def __init__(self, *args: object) -> None:
        """Keep a message as one that withholds the line, wherever it is handed on."""
        super().__init__(*(_Message(part) if type(part) is str else part for part in args))

    def __str__(self) -> str:
        """The message."""
        _withhold_line(self)
        message = self.args[0] if len(self.args) == 1 else None
        return message if isinstance(message, _Message) else super().__str__()


class _Message(str):
    """The message of a warning: it is asked for where the warning is formatted, as that is."""

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
    """Keeps ``warnings`` from showing the line of source that a warning is about.

    That line may be ``hubtoken.login("hf_…")``, and a log is no place for it. Who emits a warning
    has no say in what is shown of it, so this looks at who asks for the message: the function
    that formats a warning (that of ``warnings``, or pytest's) holds it as a ``WarningMessage``,
    and reads the line after the message, unless there is one already.
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
    """What is known of a token is old, because the Hub cannot be asked."""
