"""The text that ``HubToken.reveal()`` returns.

A library that needs a string gets a real one. Only its ``repr`` is masked, which keeps the value
out of debuggers, tracebacks with locals and printed dictionaries. **Printing or formatting it
shows the value**, as for any string. It pickles as a plain ``str``, so that it can be loaded where
hubtoken is not installed; a copy stays masked.
"""

from hubtoken.reloading import one_class

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["RevealedToken"]


@one_class
class RevealedToken(str):
    """A token's value, or a header that contains it. ``print`` and f-strings show it."""

    __slots__ = ()

    def __repr__(self) -> str:
        """A mask, whatever the value."""
        return "<revealed token>"

    def __reduce__(self) -> "tuple[type[str], tuple[str]]":
        """A plain string with the same value."""
        return str, (str.__str__(self),)

    def __copy__(self) -> "Self":
        """The same object: a copy through ``__reduce__`` would lose the mask."""
        return self

    def __deepcopy__(self, memo: object) -> "Self":
        """The same object."""
        return self
