"""Passes a token to worker processes in every way, and searches for the value in transit."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import pickle
import sys
import tempfile
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import reduction
from pathlib import Path
from typing import Any

import hubtoken

KEPT: list[Any] = []


def use(token: Any) -> str:
    """The result of using a token in a worker."""
    try:
        return hashlib.sha256(token.reveal().encode()).hexdigest()
    except hubtoken.HubTokenError as error:
        return f"{type(error).__name__}: {error}"


def use_ambient(_: object = None) -> str:
    """The token that a worker sends by default."""
    return hashlib.sha256(os.environ.get("HF_TOKEN", "").encode()).hexdigest()


def keep(token: Any) -> None:
    """An initializer that stores its argument."""
    KEPT.append(token)


def keep_nosy(nosy: Nosy) -> None:
    """An initializer that stores the token of its argument."""
    KEPT.append(nosy.token)


def use_kept(_: object = None) -> str:
    """The result of using what an initializer has stored."""
    return use(KEPT[0])


def use_with_command_line(token: Any, answers: Any) -> None:
    """The result of a process, and whether the value is visible to other users."""
    command = Path("/proc/self/cmdline")
    shown = command.read_bytes() if command.exists() else b""
    answers.put([use(token), token.reveal().encode() in shown])


class Nosy:
    """Pickles its token a second time while the first pickle is written."""

    def __init__(self, token: Any) -> None:
        """Keep the token."""
        self.token = token

    def __getstate__(self) -> dict[str, Any]:
        """Write a checkpoint meanwhile, as libraries do."""
        import cloudpickle
        import joblib

        checkpoint = os.environ["CHECKPOINTS"]
        for number, dumps in enumerate((pickle.dumps, cloudpickle.dumps)):
            Path(checkpoint, f"{os.getpid()}-{number}").write_bytes(dumps(self.token))
        joblib.dump(self.token, Path(checkpoint, f"{os.getpid()}-joblib"))
        with Path(checkpoint, f"{os.getpid()}-reduction").open("wb") as file:
            reduction.dump(self.token, file)
        return vars(self).copy()


def use_nosy(nosy: Nosy, answers: Any) -> None:
    """The result of a process whose argument is nosy."""
    answers.put([use(nosy.token), False])


class Dataset:
    """An object that contains a token and has many items."""

    def __init__(self, token: Any) -> None:
        """Keep the token."""
        self.token = token

    def __getitem__(self, index: int) -> str:
        """The item is the result of using its token."""
        return f"{index} {use(self.token)}"


def load(dataset: Dataset, indices: Any, items: Any) -> None:
    """A worker of a loader: items for indices, until there are no more."""
    while (index := indices.get()) is not None:
        items.put(dataset[index])


def process(context: Any, token: Any) -> Any:
    """As an argument of a process."""
    answers = context.Queue()
    worker = context.Process(target=use_with_command_line, args=(token, answers))
    worker.start()
    answer = answers.get()
    worker.join()
    return answer


def nosy(context: Any, token: Any) -> Any:
    """As an argument of a process, in something that writes checkpoints of it."""
    answers = context.Queue()
    worker = context.Process(target=use_nosy, args=(Nosy(token), answers))
    worker.start()
    answer = answers.get()
    worker.join()
    return answer


def loader(context: Any, token: Any) -> Any:
    """As a DataLoader does: the data set is an argument, indices and items go through queues."""
    indices, items = context.Queue(), context.Queue()
    arguments = (Dataset(token), indices, items)
    workers = [context.Process(target=load, args=arguments, daemon=True) for _ in range(2)]
    for worker in workers:
        worker.start()
    for index in [*range(4), None, None]:
        indices.put(index)
    answers = sorted(items.get() for _ in range(4))
    for worker in workers:
        worker.join()
    return answers


def pool(context: Any, token: Any) -> Any:
    """As work for a pool, which goes through a queue."""
    with context.Pool(1) as workers:
        return workers.map(use, [token])[0]


def pool_initializer(context: Any, token: Any) -> Any:
    """As an argument of a pool's initializer."""
    with context.Pool(1, initializer=keep, initargs=(token,)) as workers:
        return [workers.apply(use_kept), workers.apply(use, (token,))]


def pool_activated(context: Any, token: Any) -> Any:
    """Activated by a pool's initializer."""
    activate = hubtoken.HubToken.activate
    with context.Pool(1, initializer=activate, initargs=(token,)) as workers:
        return [workers.apply(use_ambient), workers.apply(use, (token,))]


def executor(context: Any, token: Any) -> Any:
    """As an argument of `submit()`."""
    with ProcessPoolExecutor(1, mp_context=context) as workers:
        return workers.submit(use, token).result()


def executor_initializer(context: Any, token: Any) -> Any:
    """As an argument of an executor's initializer."""
    with ProcessPoolExecutor(
        1, mp_context=context, initializer=hubtoken.HubToken.activate, initargs=(token,)
    ) as workers:
        return [workers.submit(use_ambient).result(), workers.submit(use, token).result()]


def nosy_initializer(context: Any, token: Any) -> Any:
    """As an argument of an executor's initializer, in something that writes checkpoints of it."""
    with ProcessPoolExecutor(
        1, mp_context=context, initializer=keep_nosy, initargs=(Nosy(token),)
    ) as workers:
        return [workers.submit(use_kept).result(), False]


def while_another_spawns(context: Any, token: Any) -> Any:
    """Pickled by this thread repeatedly, while another thread starts processes."""
    stop, leaked = threading.Event(), []
    value = token.reveal().encode()

    def spawn() -> None:
        for _ in range(3):
            process(context, token)
        stop.set()

    thread = threading.Thread(target=spawn)
    thread.start()
    queue = context.SimpleQueue()
    while not stop.is_set():
        leaked.append(value in pickle.dumps(token))
        queue.put(token)
        leaked.append(value in queue._reader.recv_bytes())  # noqa: SLF001 - what went through
    thread.join()
    return any(leaked)


def main() -> None:
    """Run the requested way, and search all files that were written meanwhile."""
    request = json.load(sys.stdin)
    value = request["value"]
    if request["environment"]:
        os.environ["HF_TOKEN"] = value
    token = hubtoken.resolve_token(value)
    os.environ["CHECKPOINTS"] = checkpoints = tempfile.mkdtemp(dir=Path.cwd())
    context = multiprocessing.get_context(request["method"])
    answer = globals()[request["how"]](context, token)
    written = [path for path in Path(checkpoints).iterdir() if path.is_file()]
    leaked = [path.name for path in written if value.encode() in path.read_bytes()]
    print(json.dumps({"answer": answer, "leaked": leaked, "written": len(written)}))  # noqa: T201


if __name__ == "__main__":
    main()
