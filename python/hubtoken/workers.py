"""Finds processes that were started earlier, and still have the environment of that time.

``activate()`` changes this process's environment, and a new process inherits it. A running pool
does not notice: its workers continue with the token that they were started with. The same is true
of the fork server of ``multiprocessing``, which passes the environment it was started with to every
process that it starts later. ``multiprocess``, which ``datasets`` uses for ``num_proc=``, is a copy
of ``multiprocessing`` with its own children and fork server.

Nothing is imported to find them: if ``multiprocessing`` is not loaded, it has no children.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["describe"]

_ADVICE = (
    "Activate before a pool is created, or shut it down and create another. If that is impossible, "
    "pass the token to each worker as it starts: "
    "initializer=hubtoken.HubToken.activate, initargs=(token,)"
)
_LOKY_ADVICE = (
    "Activate before the first Parallel, or shut its workers down with "
    "joblib.externals.loky.get_reusable_executor().shutdown()"
)
_PACKAGES = ("multiprocessing", "multiprocess")
# Both contain loky; joblib bundles a copy.
_LOKY = ("loky.reusable_executor", "joblib.externals.loky.reusable_executor")


def describe() -> "tuple[str, str]":
    """Describe the processes that have an earlier environment.

    Returns:
        Two texts for a message: the processes, such as ``2 child processes of multiprocessing``,
        and what to do about them. Both are empty if there are none.
    """
    loky = _loky_workers()
    found = []
    for package in _PACKAGES:
        children = _children(package) - loky
        if children:
            noun = "child process" if len(children) == 1 else "child processes"
            found.append(f"{len(children)} {noun} of {package}")
        if _fork_server_runs(package):
            found.append(f"the fork server of {package}")
    if loky:
        noun = "worker" if len(loky) == 1 else "workers"
        found.append(f"{len(loky)} {noun} of joblib (loky)")
    advice = [_ADVICE] * (len(found) > bool(loky)) + [_LOKY_ADVICE] * bool(loky)
    return " and ".join(found), ". ".join(advice)


def _children(package: str) -> "set[int]":
    """The process IDs of this process's live children."""
    process = sys.modules.get(f"{package}.process")
    if process is None:
        return set()
    # After a plain `os.fork` the parent's children are still listed.
    own = os.getpid()
    return {
        child.pid
        for child in process.active_children()
        if child.pid is not None and getattr(child, "_parent_pid", own) == own
    }


def _fork_server_runs(package: str) -> bool:
    module = sys.modules.get(f"{package}.forkserver")
    server = getattr(module, "_forkserver", None)
    pid = getattr(server, "_forkserver_pid", None)
    return isinstance(pid, int) and _is_live_child(pid)


def _is_live_child(pid: int) -> bool:
    """Whether a child is alive, without taking its exit status from the code that waits for it."""
    if not hasattr(os, "waitid"):
        try:
            os.kill(pid, 0)
        except OSError:
            return False
        return True
    try:
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        # It has ended, or is a child of the parent that forked this process.
        return False
    return ended is None


def _loky_workers() -> "set[int]":
    """The process IDs of the live workers of loky's shared executors."""
    modules = [sys.modules.get(name) for name in _LOKY]
    return {pid for module in modules if module is not None for pid in _workers_of(module)}


def _workers_of(module: "ModuleType") -> "set[int]":
    executor = getattr(module, "_executor", None)
    processes = getattr(executor, "_processes", None) or {}
    # Copied at once: the executor's thread removes workers that have ended.
    own = os.getpid()
    return {
        worker.pid
        for worker in list(processes.values())
        if getattr(worker, "_parent_pid", own) == own and worker.is_alive()
    }
