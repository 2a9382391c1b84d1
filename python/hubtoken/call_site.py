"""Determines from bytecode whether the result of a call becomes the subject of a ``with``.

Inside a ``with`` block of the same thread, ``token.activate()`` as a statement is a mistake and
``with token.activate():`` is not, and the call cannot see the difference. The bytecode after it
can: if the result is dropped, tested or assigned, no ``with`` statement takes it. If it is
returned, the caller of that function decides. In doubt the answer is no, and the activation waits
for its ``with``.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, FrameType

__all__ = ["is_statement"]

# Instructions that may appear between a call and the one that takes its result.
_PASSED_OVER = ("CACHE", "EXTENDED_ARG", "NOP", "NOT_TAKEN", "TO_BOOL")
# Instructions that take a copy of a value, or drop the last one.
_ONE_LESS = ("STORE_", "POP_JUMP_FORWARD_", "POP_JUMP_IF_", "POP_TOP")
_TAKES = ("POP_TOP", "POP_JUMP_", "JUMP_IF_FALSE_OR_POP", "PRINT_EXPR", "UNARY_NOT")
# `INTRINSIC_PRINT`: an interactive interpreter shows the result.
_PRINT = 1
# Generators, coroutines and asynchronous generators return to the code that drives them.
_DRIVEN = 0x20 | 0x80 | 0x200
_TAKEN, _LEFT, _RETURNED = True, False, None


def is_statement(caller: "FrameType") -> bool:
    """Determine whether the result of a call is dropped, tested or assigned.

    Args:
        caller: The frame whose current instruction is the call.

    Returns:
        ``True`` for ``f()``, ``name = f()`` and ``if f():``, including where a function has
        returned the result to there; ``False`` for ``with f():``, for ``g(f())`` and for anything
        that this version of Python compiles in an unknown way.
    """
    import opcode

    frame: FrameType | None = caller
    while frame is not None:
        code, call = frame.f_code, frame.f_lasti
        # If a Python function is called, Python 3.11 points to a cache entry after the instruction.
        while call > 0 and opcode.opname[code.co_code[call]] == "CACHE":
            call -= 2
        name = opcode.opname[code.co_code[call]]
        # An attribute or an operator runs functions too, but may do anything with their results.
        if frame is not caller and not name.startswith(("CALL", "PRECALL")):
            return False
        fate = _fate(code, call, passes_on=frame is not caller)
        if fate is not _RETURNED:
            return fate is _TAKEN
        if code.co_flags & _DRIVEN:
            return False
        frame = frame.f_back
    return False


def _fate(  # noqa: C901 - one walk over a table of instructions
    code: "CodeType", call: int, *, passes_on: bool
) -> "bool | None":
    """What happens to the result of a call at an offset.

    Args:
        code: The code.
        call: The offset.
        passes_on: Whether a name that is returned at once counts as returned, as in decorators.
    """
    import opcode

    raw = code.co_code
    # Python 3.11 makes some calls in the instruction before `CALL`.
    is_early = opcode.opname[raw[call]] == "PRECALL"
    # Copies of the result on top of the stack, and whether other values are above them.
    copies, covered = 0, False
    offset, wide = call, 0
    while (offset := offset + 2) < len(raw):
        name, argument = opcode.opname[raw[offset]], raw[offset + 1] | wide << 8
        wide = argument if name == "EXTENDED_ARG" else 0
        if name in _PASSED_OVER:
            continue
        if name == "CALL" and is_early:
            is_early = False
        # The object of `object.name = f()`, the container and key of `container[key] = f()`.
        elif name.startswith("LOAD_") and name != "LOAD_SPECIAL":
            covered = covered or name not in ("LOAD_ATTR", "LOAD_METHOD")
        elif covered and name not in ("STORE_ATTR", "STORE_SUBSCR", "STORE_SLICE"):
            return _LEFT
        elif name == "DUP_TOP" or (name == "COPY" and argument == 1):
            copies += 1
        elif name == "JUMP_FORWARD" or (copies == 0 and name == "JUMP_IF_TRUE_OR_POP"):
            offset = _target(raw, offset, argument) - 2
        elif copies and name.startswith(_ONE_LESS) and name != "STORE_FAST_STORE_FAST":
            copies, covered = copies - 1, name == "STORE_FAST_LOAD_FAST"
            # An activation is true, and not None.
            if name.endswith(("IF_TRUE", "IF_NOT_NONE")):
                offset = _target(raw, offset, argument) - 2
        elif name.startswith("STORE_"):
            is_passed_on = passes_on and _returns_what_it_stores(raw, offset)
            return _RETURNED if is_passed_on else _TAKEN
        elif name == "RETURN_VALUE" and copies == 0:
            return _RETURNED
        else:
            is_shown = name == "CALL_INTRINSIC_1" and argument == _PRINT
            return is_shown or (copies == 0 and name.startswith(_TAKES))
    return _LEFT


def _target(raw: bytes, offset: int, argument: int) -> int:
    """The target of a forward jump."""
    import opcode

    if raw[offset] in opcode.hasjabs:
        return argument * 2
    offset += 2
    while opcode.opname[raw[offset]] == "CACHE":
        offset += 2
    return offset + argument * 2


def _returns_what_it_stores(raw: bytes, offset: int) -> bool:
    """Whether ``name = f()`` is followed by ``return name``."""
    import opcode

    store, stored = opcode.opname[raw[offset]], raw[offset + 1]
    following = offset + 2
    if store == "STORE_FAST_LOAD_FAST":
        if stored >> 4 != stored & 15:
            return False
    else:
        load = opcode.opname[raw[following]]
        if (
            store != "STORE_FAST"
            or not load.startswith("LOAD_FAST")
            or raw[following + 1] != stored
        ):
            return False
        following += 2
    return opcode.opname[raw[following]] == "RETURN_VALUE"
