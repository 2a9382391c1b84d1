"""The type of objects that hide a value, such as ``SecretStr`` of pydantic.

For annotations: such an object is accepted wherever a token is.
"""

from typing import Protocol

__all__ = ["SecretValue"]


class SecretValue(Protocol):
    """An object that hides a text and returns it when asked."""

    def get_secret_value(self) -> str:
        """Return the text."""
