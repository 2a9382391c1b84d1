"""A Hub with a certificate from `openssl req -x509`: curl and requests beside hubtoken.

hubtoken accepts and rejects the same certificates as those two.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import requests

from tests.e2e.support.operating import DEADLINE, serving
from tests.environment import child_environment

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    not (shutil.which("openssl") and shutil.which("curl")), reason="openssl or curl is missing"
)


@dataclass(frozen=True)
class Certificate:
    """The files of a certificate."""

    certificate: Path
    key: Path


def make(folder: Path, name: str, *options: str) -> Certificate:
    """The certificate from the first line of every manual."""
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes"),
            *("-subj", "/CN=localhost"),
            *("-out", str(made.certificate), "-keyout", str(made.key)),
            *options,
        ],
        check=True,
        capture_output=True,
        timeout=DEADLINE,
    )
    made.key.chmod(0o600)
    return made


NAMES = ("-addext", "subjectAltName=IP:127.0.0.1")


def curl(url: str, bundle: Path, home: Path) -> bool:
    """Whether curl trusts it."""
    done = subprocess.run(
        ["curl", "--silent", "--output", "/dev/null", "--cacert", str(bundle), url],
        env=child_environment(home),
        check=False,
        timeout=DEADLINE,
    )
    return done.returncode == 0


def with_requests(url: str, bundle: Path) -> bool:
    """Whether requests trusts it."""
    try:
        requests.get(url, verify=str(bundle), timeout=DEADLINE)
    except requests.exceptions.SSLError:
        return False
    return True


def whoami(endpoint: str, bundle: Path, token: str, home: Path) -> tuple[bool, str]:
    """Whether hubtoken trusts it, and its message."""
    done = subprocess.run(
        [sys.executable, "-m", "hubtoken", "whoami", "--json"],
        env=child_environment(
            home, HF_TOKEN=token, HF_ENDPOINT=endpoint, SSL_CERT_FILE=str(bundle)
        ),
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )
    answer = json.loads(done.stdout)
    if done.returncode == 0:
        assert "alice" in done.stdout
        return True, done.stdout
    assert done.returncode == 3, done.stdout
    return False, str(answer["error"]["message"])


@pytest.fixture
def folder(home: Path) -> Path:
    """A folder of certificates."""
    folder = home / "tls"
    folder.mkdir()
    return folder


def test_a_self_signed_certificate_that_is_named_is_accepted(home: Path, folder: Path) -> None:
    made = make(folder, "own", *NAMES)
    other = make(folder, "other", *NAMES)
    both = folder / "both.pem"
    both.write_text(other.certificate.read_text() + made.certificate.read_text())
    elsewhere = make(folder, "elsewhere", "-addext", "subjectAltName=DNS:else.example")
    arguments = ("--tls-cert", str(made.certificate), "--tls-key", str(made.key))
    with serving(home, home / "data", *arguments) as hub:
        token = hub.token("alice")
        endpoint = hub.endpoint
        for bundle, accepted in [
            (made.certificate, True),
            (both, True),
            (other.certificate, False),
            (elsewhere.certificate, False),
        ]:
            ours, text = whoami(endpoint, bundle, token, home)
            assert ours is accepted, text
            assert curl(endpoint, bundle, home) is accepted
            assert with_requests(endpoint, bundle) is accepted
            assert "CaUsedAsEndEntity" not in text
        # Under another name all of them reject it.
        other_name = endpoint.replace("127.0.0.1", "localhost")
        ours, text = whoami(other_name, made.certificate, token, home)
        assert (ours, "for another name" in text) == (False, True)
        assert not curl(other_name, made.certificate, home)
        assert not with_requests(other_name, made.certificate)
