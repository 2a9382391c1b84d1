"""Whether the result of a call becomes the subject of a ``with``, as far as its caller shows it.

Inside a ``with`` block of its own, ``token.activate()`` on a line of its own is a mistake and
``with token.activate():`` is not, and the call cannot see the difference. The bytecode after it
can: where the result is dropped or assigned, no ``with`` statement takes it. In doubt the answer is
no, and the activation waits for its ``with``.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

__all__ = ["is_statement"]

# What may stand between a call and what takes its result.
_PASSED_OVER = ("CACHE", "EXTENDED_ARG", "NOP")
# `INTRINSIC_PRINT`: an interactive interpreter shows the result.
_PRINT = 1


def is_statement(caller: "FrameType") -> bool:
    """Tell whether a caller drops or assigns the result of the call that it is in.

    Args:
        caller: The frame whose current instruction is the call.

    Returns:
        ``True`` for ``f()`` and ``name = f()``; ``False`` for ``with f():``, for ``g(f())`` and for
        whatever this version of Python compiles in a way that is not known here.
    """
    import opcode

    code = caller.f_code.co_code
    # Python 3.11 does some calls in the instruction before `CALL`.
    is_early = opcode.opname[code[caller.f_lasti]] == "PRECALL"
    for offset in range(caller.f_lasti + 2, len(code), 2):
        name = opcode.opname[code[offset]]
        if name in _PASSED_OVER:
            continue
        if name == "CALL" and is_early:
            is_early = False
            continue
        if name == "CALL_INTRINSIC_1":
            return code[offset + 1] == _PRINT
        # The object of `object.name = f()`, the container and key of `container[key] = f()`.
        if name.startswith("LOAD_") and name != "LOAD_SPECIAL":
            continue
        return name in ("POP_TOP", "PRINT_EXPR") or name.startswith("STORE_")
    return False
