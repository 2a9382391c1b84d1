"""The type of objects that hide a value, such as ``SecretStr`` of pydantic.

For annotations: such an object is accepted wherever a token is.
"""

from typing import Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubtoken._core import HubToken

__all__ = ["SecretValue"]


class SecretValue(Protocol):
    """An object that hides a token and returns it when asked."""

    def get_secret_value(self) -> "str | HubToken":
        """Return the token."""
