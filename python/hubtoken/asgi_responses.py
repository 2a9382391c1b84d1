"""What ``hubtoken.asgi`` tells callers that it does not admit.

The errors of hubtoken are written for the owner of a token: they contain its source, and advise how
to get another one. A caller gets sentences of its own, which contain no token, and say no more than
the Hub would say.
"""

from hubtoken.errors import (
    GatedRepoError,
    HubUnreachableError,
    OfflineError,
    OrganizationPolicyError,
    RateLimitedError,
    RepositoryDisabledError,
    RepositoryNotFoundError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubtoken.errors import HubTokenError, VerdictUnknownError

__all__ = [
    "AGAIN",
    "Refusal",
    "denied",
    "denied_by",
    "malformed",
    "not_recognized",
    "unknown",
    "worded",
]

# When to retry if the Hub is unavailable, in seconds.
AGAIN = 5

_REALM = "Hugging Face Hub"
_SCOPE = "insufficient_scope"


class Refusal(Exception):  # noqa: N818 - it is an answer, not an error
    """The response to a caller that is not admitted.

    Args:
        status: The status.
        message: The sentence for the caller.
        error: The code of RFC 6750, if the token is at fault.
        again: When to retry, in seconds.
    """

    def __init__(
        self, status: int, message: str, *, error: "str | None" = None, again: "int | None" = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.error = error
        self.again = again

    def headers(self) -> "dict[str, str]":
        """The headers of the response.

        Returns:
            Their values by name. A challenge is among them if another token could help.
        """
        found = {"Cache-Control": "no-store"}
        if self.status == 401 or self.error is not None:  # noqa: PLR2004 - a status
            challenge = f'Bearer realm="{_REALM}"'
            if self.error is not None:
                challenge += f', error="{self.error}", error_description="{_plain(self.message)}"'
            found["WWW-Authenticate"] = challenge
        if self.again is not None:
            found["Retry-After"] = str(self.again)
        return found


def _plain(text: str) -> str:
    """Text that RFC 6750 allows in a description: printable ASCII without quotes."""
    return "".join(
        letter if " " <= letter <= "~" and letter not in '"\\' else "'" if letter == '"' else "?"
        for letter in text
    )


def malformed() -> Refusal:
    """The response to what cannot be a token of the Hub. It was sent nowhere.

    Returns:
        The response.
    """
    message = "This is not an access token of the Hub"
    return Refusal(401, message, error="invalid_token")


def not_recognized() -> Refusal:
    """The response to a token that the Hub rejects.

    Returns:
        The response.
    """
    return Refusal(401, "The token is unknown, deleted or expired", error="invalid_token")


def denied(reason: str, user: str, repo: "str | None") -> Refusal:
    """The response to a token whose identity says that it is not enough.

    Args:
        reason: The reason of the verdict.
        user: The user whose token it is.
        repo: The repository, if the rule is about one.

    Returns:
        The response.
    """
    return Refusal(403, worded(reason, user, repo), error=_SCOPE)


def worded(reason: str, user: str, repo: "str | None") -> str:
    """The reason of a verdict, for a caller.

    Whether another account's namespace exists is not known from the identity, so the reason must
    not sound as if it did. And only the server can change what is required.

    Args:
        reason: The reason of the verdict.
        user: The user whose token it is.
        repo: The repository, if the rule is about one.

    Returns:
        The reason.
    """
    if repo is None:
        return reason.removesuffix(". Pass repo=")
    namespace = repo.partition("/")[0]
    foreign = f"{namespace} is neither the namespace of {user} nor one of their organizations"
    for claim in (
        f"{user} is not a member of {namespace}",
        f"{namespace} is another account's namespace",
    ):
        reason = reason.replace(claim, foreign)
    return reason


def denied_by(error: "HubTokenError", require: str, repo: "str | None") -> Refusal:
    """The response to a token that the Hub, when asked, denied access.

    A repository that does not exist and one that the token cannot see get the same response, as
    from the Hub.

    Args:
        error: The denial.
        require: The role or permission that is required.
        repo: The repository, if the rule is about one.

    Returns:
        The response.
    """
    if isinstance(error, RepositoryDisabledError):
        # No token helps.
        return Refusal(403, f"Access to {repo} is disabled on the Hub, for every token")
    if isinstance(error, RepositoryNotFoundError):
        message = f"{repo} does not exist on the Hub, or this token cannot see it"
    elif isinstance(error, GatedRepoError):
        message = f"{repo} is gated, and this token has no access to it"
    elif isinstance(error, OrganizationPolicyError):
        message = f"The token policy of the organization does not allow this token on {repo}"
    else:
        message = f"The token does not allow {require}"
        message += "" if repo is None else f" on {repo}"
    return Refusal(403, message, error=_SCOPE)


def unknown(error: "VerdictUnknownError", *, before: str = "", reason: str = "") -> Refusal:
    """The response if nothing could be found out, which says nothing about the token.

    Args:
        error: What happened instead.
        before: The last answer, if there is one.
        reason: The reason why the Hub had to be asked, if it is known.

    Returns:
        The response.
    """
    before = before and f". Its last answer was: {before}"
    if isinstance(error, RateLimitedError):
        again = AGAIN if error.retry_after is None else max(1, error.retry_after)
        return Refusal(429, f"The Hub limits the rate for this token{before}", again=again)
    if isinstance(error, OfflineError):
        message = "This server is offline, and cannot ask the Hub about this token"
    elif isinstance(error, HubUnreachableError):
        message = "The Hub cannot be reached to check this token"
    else:
        message = "The Hub has not said whether this token is enough"
        message += reason and f": {reason}"
    return Refusal(503, f"{message}{before}", again=AGAIN)
