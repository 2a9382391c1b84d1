"""TLS: which authorities hubtoken trusts, and that it uses the environment's certificates."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import trustme

import hubtoken
from tests.python.helpers import handed_over

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BODY = json.dumps(
    {"name": "alice", "auth": {"type": "access_token", "accessToken": {"role": "read"}}}
).encode()


class Answering(http.server.BaseHTTPRequestHandler):
    """A Hub that accepts every token."""

    def do_GET(self) -> None:
        """Respond with an identity."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


class Server(http.server.ThreadingHTTPServer):
    """Failed handshakes are what is tested; they are not logged."""

    def handle_error(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def https(authority: trustme.CA) -> Iterator[str]:
    """A server on this machine with a certificate of the authority; its address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with Server(("127.0.0.1", 0), Answering) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"https://localhost:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_the_environments_authority_is_trusted(
    variable: str, tmp_path: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    clean_environment.setenv(variable, str(tmp_path / "ca.pem"))
    with https(authority) as endpoint:
        assert hubtoken.whoami(handed_over(endpoint=endpoint)).user == "alice"


def test_another_authority_is_not_trusted(
    tmp_path: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    with https(trustme.CA()) as endpoint:
        token = handed_over(endpoint=endpoint)
        clean_environment.setenv("SSL_CERT_FILE", str(tmp_path / "other.pem"))
        with pytest.raises(hubtoken.HubUnreachableError, match="certificate"):
            hubtoken.whoami(token)
        clean_environment.delenv("SSL_CERT_FILE")
        with pytest.raises(hubtoken.HubUnreachableError, match="certificate"):
            hubtoken.whoami(token)


def test_a_certificate_for_another_name_is_refused(
    tmp_path: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    clean_environment.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with https(authority) as endpoint:
        token = handed_over(endpoint=endpoint.replace("localhost", "127.0.0.1"))
        with pytest.raises(hubtoken.HubUnreachableError, match="certificate"):
            hubtoken.whoami(token)


@pytest.mark.parametrize("content", [None, b"", b"not a certificate"])
def test_a_file_without_certificates_is_a_configuration_error(
    content: bytes | None, tmp_path: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    clean_environment.setenv("SSL_CERT_FILE", str(path))
    with pytest.raises(hubtoken.ConfigurationError, match="SSL_CERT_FILE"):
        hubtoken.whoami(handed_over(endpoint="https://localhost:9"))
