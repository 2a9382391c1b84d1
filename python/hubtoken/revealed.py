"""The text that ``HubToken.reveal()`` returns.

A library that wants a string gets a real one. Only its ``repr`` is masked, which keeps the value
out of debuggers, tracebacks with locals and dictionaries that are printed. **Printing or
formatting it shows the value**: that is what a string does.
"""

__all__ = ["RevealedToken"]


class RevealedToken(str):
    """A token's value, or a header made of it. ``print`` and f-strings show it."""

    __slots__ = ()

    def __repr__(self) -> str:
        """A mask, whatever the value."""
        return "<revealed token>"
