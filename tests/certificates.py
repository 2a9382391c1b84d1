"""Certificates of a test authority, as files that a Hub reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import trustme


def write_certificate(
    folder: Path, authority: trustme.CA, name: str = "localhost"
) -> dict[str, Any]:
    """Write a certificate and its key; returns them as options of a Hub."""
    issued = authority.issue_cert(name)
    certificate, key = folder / "cert.pem", folder / "key.pem"
    chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
    key.touch(mode=0o600)
    # Each is replaced atomically, as programs that renew certificates do.
    for path, content in ((key, issued.private_key_pem.bytes()), (certificate, chain)):
        unfinished = path.with_suffix(".new")
        unfinished.touch(mode=0o600)
        unfinished.write_bytes(content)
        unfinished.replace(path)
    return {"tls_cert": str(certificate), "tls_key": str(key)}
