"""Detects the one pickle that may carry a token's value: the one for a new process.

A process that ``multiprocessing`` starts with ``spawn`` or ``forkserver`` gets its arguments as a
pickle, through a pipe that only this process and the new one hold. A token in it is meant for that
process, like the authentication key of ``multiprocessing``, which is passed under the same
condition (``multiprocessing.process.AuthenticationString``).

``get_spawning_popen()`` reports that this thread is pickling for a new process. That is not enough:
meanwhile, the ``__getstate__`` of some argument may write a checkpoint in the same thread, with
``cloudpickle`` or with ``multiprocessing.reduction.dump`` itself. So the pickle must also be the
one that starts the process: written by ``reduction.dump``, which a method of that very popen
called. The pickler is written in C and has no frame of its own, so the calling frame is ``dump``,
and the one before it is the popen's method. Objects in a queue are pickled by another function, in
a thread that starts no process.
"""

import sys

__all__ = ["is_pickled_for_new_process"]


def is_pickled_for_new_process() -> bool:
    """Determine whether the pickle being written is for a process that ``multiprocessing`` starts.

    Called while a token is being pickled.

    Returns:
        Whether the pickle may contain the value. ``False`` whenever that is not certain.
    """
    # Not imported here: without these modules no process is being started.
    context = sys.modules.get("multiprocessing.context")
    reduction = sys.modules.get("multiprocessing.reduction")
    if context is None or reduction is None:
        return False
    popen = context.get_spawning_popen()
    if popen is None:
        return False
    dump = sys._getframe(1)  # noqa: SLF001 - there is no other way
    if dump.f_code is not reduction.dump.__code__ or dump.f_back is None:
        return False
    return dump.f_back.f_locals.get("self") is popen
