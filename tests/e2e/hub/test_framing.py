"""Requests whose end is ambiguous, over bare sockets: on both listeners, in the clear and over TLS.

Data after such a request on its connection would be another client's request to a proxy that parses
its end differently. Each is therefore rejected with 400, its connection is closed, and the hidden
request is never answered.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import trustme

from hubtoken.hub import Hub
from tests.environment import HANG_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEADLINE = HANG_LIMIT
HEAD_BYTES = 64 * 1024
MOST_HEADERS = 100


@dataclass(frozen=True)
class Door:
    """A socket of the Hub, and the host name that it expects."""

    port: int
    host: str
    context: ssl.SSLContext | None = None

    @contextlib.contextmanager
    def connect(self) -> Iterator[socket.socket]:
        """A connection, with a TLS handshake if the listener uses TLS."""
        with socket.create_connection(("localhost", self.port), timeout=DEADLINE) as plain:
            if self.context is None:
                yield plain
                return
            with self.context.wrap_socket(plain, server_hostname="localhost") as stream:
                yield stream

    def say(self, request: bytes) -> bytes:
        """Send bytes, and read until the Hub closes."""
        answer = b""
        with self.connect() as stream:
            # The Hub may have read enough before everything is sent, and close with bytes unread.
            with contextlib.suppress(OSError):
                stream.sendall(request)
            with contextlib.suppress(ConnectionError, ssl.SSLEOFError):
                while part := stream.recv(65536):
                    answer += part
        return answer

    def request(self, head: bytes, body: bytes = b"", path: bytes = b"/healthz") -> bytes:
        """A request with additional lines in its head."""
        first = b"POST " + path + b" HTTP/1.1\r\nHost: " + self.host.encode() + b"\r\n"
        return first + head + b"\r\n" + body

    @property
    def hidden(self) -> bytes:
        """A request that must not be answered."""
        return f"GET /healthz HTTP/1.1\r\nHost: {self.host}\r\nConnection: close\r\n\r\n".encode()


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Door]]:
    """The listeners of a Hub with a certificate, and that of a Hub without one."""
    folder: Path = tmp_path_factory.mktemp("doors")
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    key, certificate = folder / "key.pem", folder / "cert.pem"
    key.touch(mode=0o600)
    issued.private_key_pem.write_to_path(str(key))
    chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
    certificate.write_bytes(chain)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with (
        Hub() as plain,
        Hub(host="localhost", tls_cert=str(certificate), tls_key=str(key)) as public,
    ):

        def door(endpoint: str, context: ssl.SSLContext | None = None) -> Door:
            address = urlsplit(endpoint)
            assert address.port is not None
            return Door(address.port, address.netloc, context)

        yield {
            "only": door(plain.endpoint),
            "local": door(public.local_endpoint),
            "public": door(public.endpoint, context),
        }


@pytest.fixture(params=["only", "local", "public"])
def door(request: pytest.FixtureRequest, doors: dict[str, Door]) -> Door:
    """Each listener in turn."""
    return doors[request.param]


def assert_refused(answer: bytes, status: int = 400) -> None:
    """One response with this status, and then the end."""
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer
    assert answer.count(b"HTTP/1.") == 1, answer


HEADS = {
    "length and chunks": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    "chunks and length": b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    "nothing and chunks": b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
    "two lengths": b"Content-Length: 5\r\nContent-Length: 6\r\n",
    "two lengths in one": b"Content-Length: 5, 6\r\n",
    "the same length in one": b"Content-Length: 5, 5\r\n",
    "a signed length": b"Content-Length: +5\r\n",
    "a negative length": b"Content-Length: -1\r\n",
    "a hexadecimal length": b"Content-Length: 0x5\r\n",
    "no length at all": b"Content-Length: \r\n",
    "a length beyond all": b"Content-Length: 18446744073709551616\r\n",
    "a space before the colon": b"Content-Length : 5\r\n",
    "a space before the other colon": b"Transfer-Encoding : chunked\r\n",
    "two encodings": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "chunks that are packed": b"Transfer-Encoding: gzip, chunked\r\n",
    "chunks that are not last": b"Transfer-Encoding: chunked, identity\r\n",
    "an encoding nobody knows": b"Transfer-Encoding: xchunked\r\n",
    "an encoding behind a control character": b"Transfer-Encoding: \x0bchunked\r\n",
    "a line that ends with a line feed": b"X: a\nTransfer-Encoding: chunked\r\n",
    "a line that ends with a carriage return": b"X: a\rTransfer-Encoding: chunked\r\n",
    "a folded line": b"X: a\r\n Transfer-Encoding: chunked\r\n",
    "a line folded with a tab": b"X: a\r\n\tTransfer-Encoding: chunked\r\n",
    "a NUL in a value": b"X: a\0b\r\n",
    "a NUL in a name": b"X\0: a\r\n",
    "a NUL between lines": b"\0X: a\r\n",
    "a line that is no header": b"Content-Length\r\n",
    "a header without a name": b": a\r\n",
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_a_head_whose_end_is_in_doubt_is_refused(door: Door, head: bytes) -> None:
    assert_refused(door.say(door.request(head, b"0\r\n\r\n" + door.hidden)))


def test_a_request_of_lines_without_carriage_returns_is_refused(door: Door) -> None:
    assert_refused(door.say(door.hidden.replace(b"\r\n", b"\n")))
    assert_refused(door.say(door.hidden[:-2] + b"\n" + door.hidden))


CHUNKS = {
    "no digits": b"\r\n",
    "no hexadecimal digits": b"xyz\r\n",
    "a sign": b"+5\r\nabcde\r\n0\r\n\r\n",
    "another sign": b"-5\r\nabcde\r\n0\r\n\r\n",
    "a prefix": b"0x5\r\nabcde\r\n0\r\n\r\n",
    "a space before": b" 5\r\nabcde\r\n0\r\n\r\n",
    "a space after": b"5 \r\nabcde\r\n0\r\n\r\n",
    "too many digits": b"00000000000000005\r\nabcde\r\n0\r\n\r\n",
    "beyond all": b"10000000000000000\r\nabcde\r\n0\r\n\r\n",
    "a line feed alone": b"5\nabcde\r\n0\r\n\r\n",
    "shorter than it is": b"4\r\nabcde\r\n0\r\n\r\n",
    "longer than it is": b"6\r\nabcde\r\n0\r\n\r\n",
    "a line feed alone at its end": b"5\r\nabcde\n0\r\n\r\n",
    "a line feed alone at the end": b"5\r\nabcde\r\n0\r\n\n",
    "a NUL in the size": b"5\0\r\nabcde\r\n0\r\n\r\n",
    "a folded trailer": b"0\r\nX: a\r\n b\r\n\r\n",
}


@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=CHUNKS)
def test_chunks_that_can_be_read_in_two_ways_end_the_connection(door: Door, chunks: bytes) -> None:
    head = b"Transfer-Encoding: chunked\r\n"
    request = door.request(head, chunks + door.hidden, b"/api/validate-yaml")
    assert_refused(door.say(request))


def test_a_good_request_is_followed_by_another(door: Door) -> None:
    chunked = door.request(
        b"Transfer-Encoding: Chunked\r\n", b'2;x="y"\r\n{}\r\n0\r\nX: y\r\n\r\n', b"/nowhere"
    )
    sized = door.request(b"Content-Length: 2\r\nContent-Length: 2\r\n", b"\n\n", b"/nowhere")
    answer = door.say(b"\r\n" + chunked + sized + chunked + door.hidden)
    assert answer.count(b"HTTP/1.1 404 ") == 3, answer
    assert answer.count(b"HTTP/1.1 200 ") == 1, answer


def test_a_doubtful_request_behind_a_good_one_is_refused(door: Door) -> None:
    good = door.request(b"Content-Length: 3\r\n", b"\0\n\r", b"/nowhere")
    bad = door.request(HEADS["length and chunks"], b"0\r\n\r\n" + door.hidden)
    answer = door.say(good + bad)
    assert answer.count(b"HTTP/1.1 404 ") == 1, answer
    assert answer.count(b"HTTP/1.1 400 ") == 1, answer
    assert answer.count(b"HTTP/1.1 ") == 2, answer


def test_a_doubtful_head_is_refused_however_it_arrives(door: Door) -> None:
    request = door.request(HEADS["length and chunks"], b"0\r\n\r\n")
    with door.connect() as stream:
        answer = b""
        with contextlib.suppress(ConnectionError, BrokenPipeError):
            for place in range(len(request)):
                stream.sendall(request[place : place + 1])
        with contextlib.suppress(ConnectionError, ssl.SSLEOFError):
            while part := stream.recv(65536):
                answer += part
    assert_refused(answer)


def test_a_head_has_a_largest_size_and_a_largest_number_of_lines(door: Door) -> None:
    def padded(size: int) -> bytes:
        empty = door.request(b"Connection: close\r\nX: \r\n")
        return door.request(b"Connection: close\r\nX: " + b"a" * (size - len(empty)) + b"\r\n")

    assert len(padded(HEAD_BYTES)) == HEAD_BYTES
    assert b" 405 " in door.say(padded(HEAD_BYTES)).split(b"\r\n")[0]
    assert_refused(door.say(padded(HEAD_BYTES + 1)), 431)
    assert_refused(door.say(padded(16 * HEAD_BYTES)), 431)

    def lines(number: int) -> bytes:
        return door.request(b"Connection: close\r\n" + b"X: a\r\n" * (number - 2))

    assert b" 405 " in door.say(lines(MOST_HEADERS)).split(b"\r\n")[0]
    assert_refused(door.say(lines(MOST_HEADERS + 1)), 431)
