"""Proxies and TLS: which requests use which path, and a clear message for every failure."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import socket
import ssl
import threading
from typing import TYPE_CHECKING

import pytest
import trustme

import hubtoken
from tests.python.helpers import handed_over
from tests.python.proxies import DEADLINE, proxying
from tests.python.servers import http, serving
from tests.python.test_tls import Answering, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# A name that only the proxy knows, and an address that no machine has (RFC 5737).
NAME = "hub.test"
NUMBER = "192.0.2.7"
# Words that only programmers understand.
DEBUG = ("Error(", "InvalidContentType", "Other(", "Os {", "Custom {", "NotValid", "UnknownIssuer")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """The authority that signs the certificates of this file."""
    return trustme.CA()


@contextlib.contextmanager
def tls_server(certificate: trustme.LeafCert) -> Iterator[int]:
    """A Hub that accepts every token, over https; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    with Server(("127.0.0.1", 0), Answering) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()


@pytest.fixture
def port(
    authority: trustme.CA, tmp_path: Path, clean_environment: pytest.MonkeyPatch
) -> Iterator[int]:
    """A Hub with a trusted certificate, under names that only the proxy knows."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    clean_environment.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with tls_server(authority.issue_cert(NAME, NUMBER, "localhost", "127.0.0.1")) as port:
        yield port


def whoami(host: str, port: int) -> str:
    """The user that the Hub at that address reports."""
    return str(hubtoken.whoami(handed_over(endpoint=f"https://{host}:{port}")).user)


def complaint(error: type[Exception], endpoint: str, timeout: float = DEADLINE) -> str:
    """The message about a Hub that cannot be reached."""
    with pytest.raises(error) as raised:
        hubtoken.whoami(handed_over(endpoint=endpoint), timeout=timeout)
    text = str(raised.value)
    assert not any(word in text for word in DEBUG), text
    return text


# -- proxies that work ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scheme", "host", "asked"),
    [
        ("socks", NAME, ("socks5", NAME)),
        ("socks5h", NAME, ("socks5", NAME)),
        ("SOCKS5H", NAME, ("socks5", NAME)),
        ("socks4a", NAME, ("socks4", NAME)),
        ("socks5", NUMBER, ("socks5", NUMBER)),
        ("socks4", NUMBER, ("socks4", NUMBER)),
        ("http", NAME, ("http", NAME)),
        ("http", NUMBER, ("http", NUMBER)),
    ],
)
@pytest.mark.parametrize("variable", ["ALL_PROXY", "https_proxy"])
def test_what_a_proxy_of_each_scheme_is_asked(
    scheme: str,
    host: str,
    asked: tuple[str, str],
    variable: str,
    port: int,
    clean_environment: pytest.MonkeyPatch,
) -> None:
    with proxying(port) as proxy:
        clean_environment.setenv(variable, f"{scheme}://{proxy.address}")
        assert whoami(host, port) == "alice"
        assert proxy.asked == [(*asked, port)]


@pytest.mark.parametrize("scheme", ["socks5", "socks4"])
def test_the_older_schemes_look_names_up_here(
    scheme: str, port: int, clean_environment: pytest.MonkeyPatch
) -> None:
    with proxying(port) as proxy:
        clean_environment.setenv("ALL_PROXY", f"{scheme}://{proxy.address}")
        text = complaint(hubtoken.HubUnreachableError, f"https://hub.invalid:{port}")
        assert "name cannot be resolved here" in text
        assert "socks5h" in text
        assert proxy.asked == []


def test_a_proxy_gets_its_user_and_password(
    port: int, clean_environment: pytest.MonkeyPatch
) -> None:
    with proxying(port, credentials=("al:ice", "p@ss/word")) as proxy:
        clean_environment.setenv("ALL_PROXY", f"socks://al%3Aice:p%40ss%2Fword@{proxy.address}")
        assert whoami(NAME, port) == "alice"
        clean_environment.setenv("ALL_PROXY", f"socks://al%3Aice:geheim@{proxy.address}")
        text = complaint(hubtoken.HubUnreachableError, f"https://{NAME}:{port}")
        assert f"the proxy {proxy.address} (ALL_PROXY) does not accept" in text
        assert "geheim" not in text


# -- proxies that are not used ----------------------------------------------------------------


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_this_machine_is_asked_without_a_proxy_whoever_was_asked_before(
    host: str, port: int, clean_environment: pytest.MonkeyPatch
) -> None:
    with proxying(port) as proxy:
        clean_environment.setenv("ALL_PROXY", f"socks5h://{proxy.address}")
        for _ in range(2):
            assert whoami(host, port) == "alice"
            assert whoami(NAME, port) == "alice"
        assert [host for _, host, _ in proxy.asked] == [NAME] * len(proxy.asked)
        # Both paths were used twice, each with its own connections.
        assert proxy.asked


@pytest.mark.parametrize(
    ("exceptions", "direct"),
    [
        ("{name}:{port}", True),
        ("{name}:1", False),
        ("*", True),
        (".test", True),
        ("test", True),
        ("b.test", False),
        ("else.example, {name}", True),
    ],
)
@pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy"])
def test_exceptions_are_asked_without_the_proxy(
    exceptions: str,
    variable: str,
    port: int,
    direct: bool,
    clean_environment: pytest.MonkeyPatch,
) -> None:
    with proxying(port) as proxy:
        clean_environment.setenv("ALL_PROXY", f"socks5h://{proxy.address}")
        clean_environment.setenv(variable, exceptions.format(name=NAME, port=port))
        if direct:
            # Only the proxy knows the name.
            text = complaint(hubtoken.HubUnreachableError, f"https://{NAME}:{port}")
            assert "proxy" not in text
            assert proxy.connections == 0
        else:
            assert whoami(NAME, port) == "alice"


@pytest.mark.parametrize(
    "value",
    [
        "socks6://geheim:1",
        "ftp://geheim:1",
        "http://:1",
        "socks4://geheim@127.0.0.1:1",
        "http:///",
    ],
)
def test_a_proxy_that_is_not_understood_is_an_error_before_anything_is_sent(
    value: str, port: int, clean_environment: pytest.MonkeyPatch
) -> None:
    clean_environment.setenv("ALL_PROXY", value)
    text = complaint(hubtoken.ConfigurationError, f"https://{NAME}:{port}")
    assert text.startswith("ALL_PROXY ")
    assert "geheim" not in text
    # Where it does not apply, it has no effect.
    assert whoami("localhost", port) == "alice"


@pytest.mark.parametrize(
    "value", ["http://geheim:port", "socks5h://geheim:0", "http://geheim /", "http://a\\@geheim:1"]
)
def test_a_proxy_that_programs_read_differently_is_refused_before_anything_is_sent(
    value: str, port: int, clean_environment: pytest.MonkeyPatch
) -> None:
    clean_environment.setenv("ALL_PROXY", value)
    text = complaint(hubtoken.UntrustedEndpointError, f"https://{NAME}:{port}")
    assert text.startswith("ALL_PROXY ")
    assert "geheim" not in text


@pytest.mark.skipif(os.name == "nt", reason="variables are text there")
def test_a_proxy_that_is_not_text_is_an_error(
    port: int, clean_environment: pytest.MonkeyPatch
) -> None:
    clean_environment.setenv("HTTPS_PROXY", os.fsdecode(b"http://\xff:1"))
    assert "HTTPS_PROXY" in complaint(hubtoken.ConfigurationError, f"https://{NAME}:{port}")


# -- proxies that fail ------------------------------------------------------------------------


def closed_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.mark.parametrize("scheme", ["http", "socks5h", "socks4a"])
def test_a_proxy_that_is_not_there_is_named(
    scheme: str, port: int, clean_environment: pytest.MonkeyPatch
) -> None:
    address = f"127.0.0.1:{closed_port()}"
    user = "" if scheme == "socks4a" else "user:geheim@"
    clean_environment.setenv("HTTPS_PROXY", f"{scheme}://{user}{address}")
    text = complaint(hubtoken.HubUnreachableError, f"https://{NAME}:{port}")
    assert f"the proxy {address} (HTTPS_PROXY) cannot be reached" in text
    assert "geheim" not in text
    assert "the Hub cannot" not in text


@pytest.mark.parametrize(
    ("scheme", "refusal", "part"),
    [
        ("http", b"HTTP/1.1 407 No\r\n\r\n", "requires a user and a password"),
        ("http", b"HTTP/1.1 403 No\r\n\r\n", "refuses to connect"),
        ("http", b"HTTP/1.1 502 No\r\n\r\n", "refuses to connect"),
        ("http", b"", "closed the connection"),
        ("socks5h", b"\x05\x02\x00\x01" + bytes(6), "connection not allowed"),
        ("socks5h", b"\x05\x04\x00\x01" + bytes(6), "host unreachable"),
        ("socks5h", b"", "closed the connection"),
        ("socks4a", b"\x00\x5b" + bytes(6), "does not connect to the Hub"),
    ],
)
def test_a_proxy_that_refuses_is_named(
    scheme: str, refusal: bytes, part: str, port: int, clean_environment: pytest.MonkeyPatch
) -> None:
    with proxying(port, refusal=refusal) as proxy:
        clean_environment.setenv("ALL_PROXY", f"{scheme}://{proxy.address}")
        text = complaint(hubtoken.HubUnreachableError, f"https://{NAME}:{port}")
        assert f"the proxy {proxy.address} (ALL_PROXY) " in text
        assert part in text


def test_behind_a_proxy_a_bad_certificate_is_the_hubs(
    port: int, clean_environment: pytest.MonkeyPatch
) -> None:
    with proxying(port) as proxy:
        clean_environment.setenv("ALL_PROXY", f"socks5h://{proxy.address}")
        text = complaint(hubtoken.HubUnreachableError, f"https://else.test:{port}")
        assert "the certificate of the Hub is for another name" in text


def test_a_hub_that_is_slow_behind_a_proxy(
    clean_environment: pytest.MonkeyPatch, authority: trustme.CA, tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    clean_environment.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        proxying(silent.getsockname()[1]) as proxy,
    ):
        clean_environment.setenv("ALL_PROXY", f"socks5h://{proxy.address}")
        text = complaint(hubtoken.HubUnreachableError, f"https://{NAME}", timeout=0.2)
        assert f"through the proxy {proxy.address}" in text


# -- what can be wrong without one ------------------------------------------------------------


def refused() -> Iterator[str]:
    """No server is listening."""
    yield f"http://127.0.0.1:{closed_port()}"


def unknown_host() -> Iterator[str]:
    """A name that no machine ever has (RFC 2606)."""
    yield "https://hub.invalid"


def plain_port() -> Iterator[str]:
    """A server that speaks http where https was expected, and sends it at once."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with contextlib.suppress(OSError), server.accept()[0] as connection:
                connection.recv(1024)
                connection.sendall(http(400))

        threading.Thread(target=answer, daemon=True).start()
        yield f"https://127.0.0.1:{server.getsockname()[1]}"


def tls_port() -> Iterator[str]:
    """A server that speaks https where http was expected."""
    with tls_server(trustme.CA().issue_cert("localhost")) as port:
        yield f"http://localhost:{port}"


def closing() -> Iterator[str]:
    """A server that closes connections at once."""
    with serving(b"") as server:
        yield server.endpoint


def foreign() -> Iterator[str]:
    """A certificate of an unknown authority."""
    with tls_server(trustme.CA().issue_cert("localhost")) as port:
        yield f"https://localhost:{port}"


@pytest.mark.parametrize(
    ("situation", "part"),
    [
        (refused, "the Hub cannot be reached: the connection was refused"),
        (unknown_host, "its name cannot be resolved"),
        (plain_port, "the Hub does not speak TLS at this port"),
        (tls_port, "closed the connection without an answer"),
        (closing, "closed the connection without an answer"),
        (foreign, "comes from an authority that is not trusted here"),
    ],
)
def test_each_thing_that_can_be_wrong_has_its_sentence(
    situation: Callable[[], Iterator[str]], part: str
) -> None:
    with contextlib.contextmanager(situation)() as endpoint:
        text = complaint(hubtoken.HubUnreachableError, endpoint)
        assert part in text
        assert f"({endpoint})" in text


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_hub_that_fails_has_answered(status: int) -> None:
    with serving(http(status)) as server:
        text = complaint(hubtoken.HubUnreachableError, server.endpoint)
        assert f"the Hub answered with status {status}" in text
        assert "cannot be reached" not in text


@pytest.mark.parametrize(
    ("start", "end", "part"),
    [
        ("2001-01-01", "2002-01-01", "has expired"),
        ("2999-01-01", "2999-06-01", "is not valid yet"),
    ],
)
def test_a_certificate_at_the_wrong_time(
    start: str,
    end: str,
    part: str,
    authority: trustme.CA,
    tmp_path: Path,
    clean_environment: pytest.MonkeyPatch,
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    clean_environment.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    certificate = authority.issue_cert(
        "localhost",
        not_before=dt.datetime.fromisoformat(start),
        not_after=dt.datetime.fromisoformat(end),
    )
    with tls_server(certificate) as port:
        text = complaint(hubtoken.HubUnreachableError, f"https://localhost:{port}")
        assert f"the certificate of the Hub {part}" in text


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda _: None, "does not exist"),
        (lambda path: path.write_text("nothing"), "holds no certificate"),
        (lambda path: path.mkdir(), "holds no certificate under a name"),
    ],
)
def test_each_fault_of_the_named_certificates_has_its_sentence(
    make: Callable[[Path], object],
    part: str,
    tmp_path: Path,
    clean_environment: pytest.MonkeyPatch,
) -> None:
    make(tmp_path / "ca.pem")
    clean_environment.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    text = complaint(hubtoken.ConfigurationError, "https://localhost:1")
    assert f"names {tmp_path / 'ca.pem'}, which {part}" in text
