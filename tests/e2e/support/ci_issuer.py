"""A CI provider on this machine, which signs id tokens and publishes its keys."""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

if TYPE_CHECKING:
    from typing_extensions import Self

# One for all tests: generating a key takes a while.
_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_EC = ec.generate_private_key(ec.SECP256R1())


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(number: int) -> str:
    return _encode(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _signature(algorithm: str, message: bytes) -> bytes:
    if algorithm == "RS256":
        return _RSA.sign(message, padding.PKCS1v15(), hashes.SHA256())
    if algorithm == "PS256":
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
        return _RSA.sign(message, pss, hashes.SHA256())
    if algorithm == "ES256":
        r, s = utils.decode_dss_signature(_EC.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    if algorithm == "HS256":
        # What an attacker has: the public key, which a careless verifier takes for a secret.
        public = _RSA.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return hmac.digest(public, message, "sha256")
    return b""


class CIIssuer:
    """A CI provider, for the length of a block.

    Attributes:
        url: The issuer.
        mint_url: GitHub's address for id tokens, which has a query of its own.
        mint_token: What that address wants to see.
        asked: The paths of the requests.
    """

    def __init__(self) -> None:
        """Take a port, and do not answer yet."""
        self.claims: dict[str, Any] = {"repository": "acme/train", "ref": "refs/heads/main"}
        self.key_id = "k1"
        self.asked: list[str] = []
        self.values: list[str] = []
        self.mint_token = secrets.token_urlsafe(32)
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                status, answer = issuer.answer(self.path, self.headers["Authorization"])
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.mint_url = f"{self.url}/mint?api-version=2.0"

    def __enter__(self) -> Self:
        """Begin to answer."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, authorization: str | None) -> tuple[int, object]:
        """What it answers to a request."""
        parts = urlsplit(path)
        if parts.path == "/.well-known/openid-configuration":
            return 200, {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        if parts.path == "/keys":
            return 200, self.keys()
        if parts.path == "/mint" and authorization == f"Bearer {self.mint_token}":
            [audience] = parse_qs(parts.query)["audience"]
            return 200, {"value": self.sign(audience)}
        return 404, {}

    def keys(self) -> dict[str, Any]:
        """Its public keys."""
        numbers = _RSA.public_key().public_numbers()
        point = _EC.public_key().public_numbers()
        rsa_key = {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
        ec_key = {
            "kty": "EC",
            "crv": "P-256",
            "x": _encode(point.x.to_bytes(32, "big")),
            "y": _encode(point.y.to_bytes(32, "big")),
        }
        return {
            "keys": [
                {"kid": self.key_id, "use": "sig", **rsa_key},
                {"kid": f"{self.key_id}-ec", "use": "sig", **ec_key},
            ]
        }

    def sign(self, audience: str, algorithm: str = "RS256", **changes: Any) -> str:
        """A new id token for an audience; a claim that is changed to `None` is left out."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.url,
            "aud": audience,
            "sub": "repo:acme/train:ref:refs/heads/main",
            "jti": secrets.token_hex(16),
            "iat": now,
            "nbf": now - 5,
            "exp": now + 900,
            **self.claims,
            **changes,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        key_id = f"{self.key_id}-ec" if algorithm == "ES256" else self.key_id
        header = {"alg": algorithm, "kid": key_id, "typ": "JWT"}
        message = ".".join(_encode(json.dumps(part).encode()) for part in (header, claims))
        value = f"{message}.{_encode(_signature(algorithm, message.encode()))}"
        self.values.append(value)
        return value
