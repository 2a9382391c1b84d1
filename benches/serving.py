"""Measures a guarded request: the middleware's check from the cache, and the path through the Hub.

The first is a call of the application in this process, without a server. The second is one small
response of a model server in a separate process, over persistent connections: requested directly,
and through the inference API, which checks the token and forwards the response.
"""

from __future__ import annotations

import http.client
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hubtoken.asgi import TokenAuthentication
from hubtoken.hub import Hub
from measure import ROUNDS, Row, isolate, milliseconds, nanoseconds, report
from slow_hub import random_token, slow_hub

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

REQUESTS = 300
BODY = b'{"model": "tiny", "input": "Hello?"}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


async def application(_scope: object, _receive: object, _send: object) -> None:
    """Do nothing."""


def calling(app: Callable[..., Coroutine[Any, Any, None]], token: str) -> Callable[[], None]:
    """A request in this process; a cached answer never waits."""
    headers = [(b"host", b"x"), (b"authorization", f"Bearer {token}".encode())]

    def call() -> None:
        request = app({"type": "http", "path": "/", "headers": headers}, None, None)
        try:
            request.send(None)
        except StopIteration:
            return
        raise AssertionError("the request waits")

    return call


def guarded_calls(endpoint: str) -> Row:
    """The middleware beside no check, and beside one that is written with huggingface_hub."""
    from huggingface_hub import HfApi

    import hubtoken

    token, api = random_token(), HfApi(endpoint=endpoint)

    async def with_the_peer(scope: dict[str, Any], receive: object, send: object) -> None:
        api.whoami(token=scope["headers"][1][1].decode()[7:], cache=True)
        await application(scope, receive, send)

    hubtoken.identify(token, endpoint=endpoint)
    guarded = TokenAuthentication(application, "read", endpoint=endpoint)
    bare, ours, peer = nanoseconds(
        calling(application, token), calling(guarded, token), calling(with_the_peer, token)
    )
    target = "at most 20,000 ns"
    return Row("cached ASGI check", "ns", bare, ours, peer, target, "the application alone")


def model_server() -> None:
    """The other process: one small response to every request, one connection after the other."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                answer_all(connection)
                os._exit(0)


def answer_all(connection: socket.socket) -> None:
    """Answer each request on a connection, until it is closed."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    got = b""
    while piece := connection.recv(65536):
        got += piece
        head, end, rest = got.partition(b"\r\n\r\n")
        if end and len(rest) >= len(BODY):
            assert b"content-" in head.lower()
            got = b""
            connection.sendall(ANSWER)


@contextmanager
def serving_models() -> Iterator[str]:
    """The other process."""
    with subprocess.Popen(
        [sys.executable, __file__, "models"],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as child:
        try:
            assert child.stdout is not None
            yield f"http://127.0.0.1:{int(child.stdout.readline())}"
        finally:
            # The processes that it forked end with their connections.
            child.kill()


def asking(url: str, token: str) -> Callable[[], None]:
    """Many requests over one connection."""
    address = urlsplit(url)
    assert address.hostname is not None
    connection = http.client.HTTPConnection(address.hostname, address.port or 80)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def ask() -> None:
        for _ in range(REQUESTS):
            connection.request("POST", "/v1/embeddings", body=BODY, headers=headers)
            answer = connection.getresponse()
            assert answer.read() == b"{}"

    return ask


def proxied_requests() -> Row:
    """The same request, directly and through the Hub, in turns."""
    with serving_models() as url, Hub(upstreams={"*": url}) as hub:
        hub.create_user("alice")
        token = hub.create_token("alice", name="bench", role="read").reveal()
        ways = [asking(url, token), asking(hub.endpoint, token)]
        for ask in ways:
            ask()
        rounds: list[list[float]] = [[], []]
        for _ in range(ROUNDS):
            for times, ask in zip(rounds, ways, strict=True):
                times.append(milliseconds(ask) / REQUESTS)
        direct, through = (statistics.median(times) for times in rounds)
    return Row(
        "model asked through the Hub",
        "ms",
        direct,
        through,
        None,
        "at most 1 ms more",
        "the model server asked directly",
    )


if __name__ == "__main__":
    if sys.argv[1:] == ["models"]:
        model_server()
    else:
        with tempfile.TemporaryDirectory() as folder, slow_hub(0) as slow:
            isolate(Path(folder))
            report([guarded_calls(slow.endpoint), proxied_requests()])
