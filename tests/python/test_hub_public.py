"""A Hub for other machines: TLS, its renewal, and what prevents it from starting."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trustme

import hubtoken
from hubtoken.hub import Hub
from tests.certificates import write_certificate
from tests.python.helpers import DEADLINE


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """A context that trusts only the authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def ask(
    endpoint: str, authority: trustme.CA, path: str = "/api/agent-harnesses", host: str = ""
) -> http.client.HTTPResponse:
    """One request over TLS to the Hub's address; the response, read completely."""
    port = urlsplit(endpoint).port
    assert port is not None
    connection = http.client.HTTPSConnection(
        "localhost", port, context=trusting(authority), timeout=DEADLINE
    )
    try:
        connection.request("GET", path, headers={"Host": host or f"localhost:{port}"})
        answer = connection.getresponse()
        answer.read()
        return answer
    finally:
        connection.close()


def serial(endpoint: str, authority: trustme.CA) -> str:
    """The serial number of the Hub's certificate."""
    port = urlsplit(endpoint).port
    assert port is not None
    context = trusting(authority)
    with (
        socket.create_connection(("localhost", port), timeout=DEADLINE) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as stream,
    ):
        certificate = stream.getpeercert()
    assert certificate is not None
    return str(certificate["serialNumber"])


def test_clients_speak_tls_with_it(tmp_path: Path, clean_environment: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    clean_environment.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with Hub(host="localhost", **write_certificate(tmp_path, authority)) as hub:
        assert hub.endpoint.startswith("https://localhost:")
        assert hub.local_endpoint.startswith("http://127.0.0.1:")
        hub.create_user("alice")
        token = hub.create_token("alice", name="t", role="read")
        assert hubtoken.whoami(token).user == "alice"
        assert ask(hub.endpoint, authority).status == 200
        assert ask(hub.endpoint, authority, host="evil.example").status == 421
        assert ask(hub.endpoint, authority, "/metrics").status == 404
        announced = json.loads((Path(hub.data) / "hub.json").read_text())
        assert announced["endpoint"] == hub.endpoint
        assert announced["local"] == hub.local_endpoint
        # Plain http to the TLS socket gets nothing.
        port = urlsplit(hub.endpoint).port
        assert port is not None
        with socket.create_connection(("localhost", port), timeout=DEADLINE) as plain:
            plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"HTTP" not in plain.recv(4096)


def test_it_listens_on_every_address_with_a_certificate(tmp_path: Path) -> None:
    authority = trustme.CA()
    options = write_certificate(tmp_path, authority, "hub.example")
    with Hub(host="0.0.0.0", base_url="https://hub.example/", **options) as hub:  # noqa: S104
        assert hub.endpoint == "https://hub.example"
    with pytest.raises(ValueError, match="base_url"):
        Hub(host="0.0.0.0", **options).start()  # noqa: S104


def test_old_protocols_are_not_spoken(tmp_path: Path) -> None:
    authority = trustme.CA()
    with Hub(host="localhost", **write_certificate(tmp_path, authority)) as hub:
        context = trusting(authority)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        port = urlsplit(hub.endpoint).port
        connection = http.client.HTTPSConnection("localhost", port, context=context)
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == 200
        connection.close()


def test_a_renewed_certificate_is_taken_into_use(tmp_path: Path) -> None:
    authority = trustme.CA()
    with Hub(host="localhost", **write_certificate(tmp_path, authority)) as hub:
        first = serial(hub.endpoint, authority)
        write_certificate(tmp_path, authority)
        hub.reload_certificate()
        second = serial(hub.endpoint, authority)
        assert second != first
        # A pair that does not match leaves the valid one in place.
        key = tmp_path / "key.pem"
        key.write_bytes(authority.issue_cert("localhost").private_key_pem.bytes())
        with pytest.raises(hubtoken.HubError, match="certificate"):
            hub.reload_certificate()
        key.write_text("not a key")
        with pytest.raises(hubtoken.HubError, match="no private key"):
            hub.reload_certificate()
        assert serial(hub.endpoint, authority) == second


def test_a_certificate_that_changes_is_noticed(tmp_path: Path) -> None:
    authority = trustme.CA()
    with Hub(host="localhost", **write_certificate(tmp_path, authority)) as hub:
        first = serial(hub.endpoint, authority)
        write_certificate(tmp_path, authority)
        end = time.monotonic() + DEADLINE
        while serial(hub.endpoint, authority) == first:
            assert time.monotonic() < end
            time.sleep(0.2)


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    options = write_certificate(tmp_path, trustme.CA())
    key = Path(options["tls_key"])
    key.chmod(0o644)
    with pytest.raises(hubtoken.HubError, match="chmod") as caught:
        Hub(tmp_path / "data", host="localhost", **options).start()
    assert str(key) in str(caught.value)
    key.chmod(0o640)
    Hub(tmp_path / "data", host="localhost", **options).start().stop()


@pytest.mark.parametrize("broken", ["tls_cert", "tls_key"])
@pytest.mark.parametrize("content", [None, b"", b"not PEM"])
def test_files_that_are_none_are_told(broken: str, content: bytes | None, tmp_path: Path) -> None:
    options = write_certificate(tmp_path, trustme.CA())
    path = Path(options[broken])
    path.unlink()
    if content is not None:
        path.touch(mode=0o600)
        path.write_bytes(content)
    with pytest.raises(hubtoken.HubError, match="certificate cannot be used") as caught:
        Hub(tmp_path / "data", host="localhost", **options).start()
    assert options[broken] in str(caught.value)


def test_one_file_without_the_other_makes_no_sense(tmp_path: Path) -> None:
    options = write_certificate(tmp_path, trustme.CA())
    for name, path in options.items():
        with pytest.raises(ValueError, match="belong together"):
            Hub(**{name: path})
    with pytest.raises(ValueError, match="log_level"):
        Hub(log_level="loud")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="log_format"):
        Hub(log_format="xml")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options",
    [
        {"base_url": "http://hub.example"},
        {"base_url": "https://hub.example"},
        {"base_url": "http://hub.example", "behind_proxy": True},
        {"behind_proxy": True},
        {"base_url": "https://hub.example/path", "behind_proxy": True},
        {"base_url": "hub.example", "behind_proxy": True},
    ],
)
def test_nothing_is_served_to_others_without_tls(options: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"."):
        Hub(tmp_path / "data", **options).start()
    assert not (tmp_path / "data").exists()
