"""Keeps what must exist once in a process when the modules are executed again.

``importlib.reload``, IPython's ``%autoreload`` and programs that empty ``sys.modules`` execute a
module a second time. Its classes would then exist twice: an ``except`` clause with the class of
before would catch nothing of what the compiled part raises, and the token that is active would be
forgotten with the state that knows what to restore. So the first class of a name stays and gets the
members of the later definitions, and objects with state are made once. Names that were imported
before a reload thus mean the same as those that are imported after it.

The methods of such a class do not use ``super()`` without arguments: in a later definition that
means the class which was dropped.
"""

from hubtoken._core import process_objects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    _T = TypeVar("_T")
    _C = TypeVar("_C", bound=type)

__all__ = ["once", "one_class"]

# What Python itself keeps in a class, and what describes the memory of its objects.
_FIXED = ("__dict__", "__slots__", "__weakref__")


def once(name: str, make: "Callable[[], _T]") -> "_T":
    """Make an object at the first call of the process, and return that one ever after.

    Args:
        name: Its name, which is that of nothing else.
        make: What makes it.

    Returns:
        The object.
    """
    objects = process_objects()
    if name not in objects:
        objects[name] = make()
    made: _T = objects[name]
    return made


def one_class(definition: "_C") -> "_C":
    """Decorate a class that exists once in a process, however often it is defined.

    Args:
        definition: The class.

    Returns:
        The first class of this name, with the members of this definition.
    """
    first = once(f"{definition.__module__}.{definition.__qualname__}", lambda: definition)
    if first is definition:
        return first
    members = {name: value for name, value in vars(definition).items() if _is_replaced(name, value)}
    for name, value in list(vars(first).items()):
        if name not in members and _is_replaced(name, value):
            delattr(first, name)
    for name, value in members.items():
        setattr(first, name, value)
    return first


def _is_replaced(name: str, value: object) -> bool:
    is_slot = type(value).__name__ in ("member_descriptor", "getset_descriptor")
    return name not in _FIXED and not is_slot
