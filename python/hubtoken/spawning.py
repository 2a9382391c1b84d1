"""The one pickle that carries a token's value: what ``multiprocessing`` hands to a new process.

A process that is started with ``spawn`` or ``forkserver`` gets its arguments as a pickle, through a
pipe that only this process and the new one hold. A token in it is meant for that process, as the
authentication key of ``multiprocessing`` is, which travels under the same condition
(``multiprocessing.process.AuthenticationString``).

``get_spawning_popen()`` says that this thread is pickling for a new process. That is not enough:
while it does, the ``__getstate__`` of some argument may write a checkpoint or call ``cloudpickle``
in the same thread. So the pickler must also be the one of ``multiprocessing`` itself. It is written
in C, has no frame of its own, and the frame that asks is then the function that runs it. What goes
through a queue is pickled by a function of another name, in a thread that starts no process.
"""

import sys

__all__ = ["is_pickled_for_new_process"]


def is_pickled_for_new_process() -> bool:
    """Tell whether the pickle being written goes to a process that ``multiprocessing`` starts.

    Called while a token is asked for what its pickle carries.

    Returns:
        Whether the value may be in it. ``False`` whenever that is not certain.
    """
    # Never imported from here: without them no process is being started.
    context = sys.modules.get("multiprocessing.context")
    reduction = sys.modules.get("multiprocessing.reduction")
    if context is None or reduction is None or context.get_spawning_popen() is None:
        return False
    return sys._getframe(1).f_code is reduction.dump.__code__  # noqa: SLF001 - there is no other way
