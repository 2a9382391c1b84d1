"""TLS: what a user reads when a handshake fails for a reason of the server's."""

from __future__ import annotations

import ssl
import threading
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.x509.oid import NameOID

import hubtoken
from tests.python.helpers import handed_over
from tests.python.test_tls import Answering, Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START, END = datetime(2001, 1, 1, tzinfo=timezone.utc), datetime(2999, 1, 1, tzinfo=timezone.utc)


def certificate(key: Any, subject: str, signer: Any, issuer: str) -> x509.Certificate:
    """A certificate for a key, signed by another; self-signed ones are authorities."""

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(START)
        .not_valid_after(END)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=key is signer, path_length=None), critical=True)
    )
    is_edwards = isinstance(signer, ed448.Ed448PrivateKey)
    return builder.sign(signer, None if is_edwards else hashes.SHA256())


@contextmanager
def serving(
    folder: Path, key: Any, signer: Any, *, client_certificates: bool = False, version: Any = None
) -> Iterator[str]:
    """A server whose certificate the environment's authority has signed; its address."""
    authority = certificate(signer, "authority", signer, "authority")
    (folder / "ca.pem").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    own = certificate(key, "localhost", signer, "authority")
    (folder / "key.pem").touch(mode=0o600)
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    (folder / "cert.pem").write_bytes(own.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # What this machine's OpenSSL finds too weak is served all the same.
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    if version is not None:
        context.minimum_version = context.maximum_version = version
    if client_certificates:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(folder / "ca.pem")
    with Server(("127.0.0.1", 0), Answering) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"https://localhost:{server.server_port}"
        server.shutdown()


def elliptic() -> Any:
    return ec.generate_private_key(ec.SECP256R1())


def problem(folder: Path, endpoint: str, environment: pytest.MonkeyPatch) -> str:
    environment.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
    with pytest.raises(hubtoken.HubUnreachableError) as caught:
        hubtoken.whoami(handed_over(endpoint=endpoint))
    text = str(caught.value)
    for word in ("Context", "Other(", "{", "Error("):
        assert word not in text
    return text


def test_a_server_that_is_as_it_should_be_answers(
    tmp_path: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    clean_environment.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with serving(tmp_path, elliptic(), elliptic()) as endpoint:
        assert hubtoken.whoami(handed_over(endpoint=endpoint)).user == "alice"


def test_a_weak_rsa_key_is_called_weak(
    tmp_path: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505
    with serving(tmp_path, weak, elliptic()) as endpoint:
        assert "too weak (RSA below 2048 bits)" in problem(tmp_path, endpoint, clean_environment)


def test_an_authority_with_a_weak_rsa_key_is_called_weak(
    tmp_path: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505
    with serving(tmp_path, elliptic(), weak) as endpoint:
        assert "too weak (RSA below 2048 bits)" in problem(tmp_path, endpoint, clean_environment)


def test_a_signature_of_an_unsupported_kind_is_named_as_such(
    tmp_path: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    with serving(tmp_path, elliptic(), ed448.Ed448PrivateKey.generate()) as endpoint:
        text = problem(tmp_path, endpoint, clean_environment)
    assert "a kind that hubtoken does not support" in text


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_requires_client_certificates_is_told_as_such(
    tmp_path: Path, clean_environment: pytest.MonkeyPatch, version: ssl.TLSVersion
) -> None:
    with serving(
        tmp_path, elliptic(), elliptic(), client_certificates=True, version=version
    ) as endpoint:
        text = problem(tmp_path, endpoint, clean_environment)
    assert "requires client certificates" in text


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1:DeprecationWarning")
def test_an_old_version_of_tls_is_told_as_such(
    tmp_path: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    with serving(tmp_path, elliptic(), elliptic(), version=ssl.TLSVersion.TLSv1_1) as endpoint:
        text = problem(tmp_path, endpoint, clean_environment)
    assert "no TLS version or cipher in common" in text
