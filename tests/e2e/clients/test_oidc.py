"""hubtoken in a CI job, beside `huggingface_hub`, against a Hub that trusts the job."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hubtoken.hub import Hub
from tests.e2e.support.ci_issuer import CIIssuer
from tests.e2e.support.runner import Runner
from tests.python.helpers import leaks

if TYPE_CHECKING:
    from collections.abc import Iterator

HF = str(Path(sys.executable).parent / "hf")

# A training script: it checks, trains, and pushes by both libraries.
TRAIN = """
import hubtoken
from huggingface_hub import get_token, upload_file

token = hubtoken.require_role("write", repo="alice/model")
token.activate()
for name in ("a.txt", "b.txt"):
    upload_file(path_or_fileobj=name.encode(), path_in_repo=name, repo_id="alice/model")
print(token.source, get_token() == token.reveal(), hubtoken.whoami().user)
try:
    hubtoken.require_role("write", repo="alice/other")
except hubtoken.InsufficientRoleError as error:
    print("alice/other" in str(error) and "HF_OIDC_RESOURCE=alice/model" in str(error))
"""


class Site:
    """A Hub with two models of alice, the issuer of a CI, and a machine for its jobs."""

    def __init__(self, hub: Hub, issuer: CIIssuer, home: Path) -> None:
        """Trust nobody yet."""
        self.hub, self.issuer = hub, issuer
        self.runner = Runner(home=home, endpoint=hub.endpoint)
        self.said = ""
        hub.create_user("alice")
        for name in ("alice/model", "alice/other"):
            hub.create_repository(name, private=True)

    def trust(self) -> None:
        """Let the jobs of one repository publish one model."""
        claims = {"repository": "acme/train"}
        self.hub.create_publisher("alice/model", issuer=self.issuer.url, claims=claims)

    def github(self) -> dict[str, str]:
        """The environment of a job of GitHub Actions."""
        return {
            "HF_OIDC_RESOURCE": "alice/model",
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_URL": self.issuer.mint_url,
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": self.issuer.mint_token,
        }

    def other(self, **changes: Any) -> dict[str, str]:
        """The environment of a job of another CI."""
        return {
            "HF_OIDC_RESOURCE": "alice/model",
            "HF_OIDC_ID_TOKEN": self.issuer.sign(self.hub.endpoint, "RS256", **changes),
        }

    def run(self, variables: dict[str, str], *command: str, code: int = 0) -> str:
        """Run a command in a job, and return what it wrote."""
        done = self.runner.run(*command, variables=variables)
        said = str(done.stdout + done.stderr)
        assert done.returncode == code, said
        assert leaks(said, *self.issuer.values, self.issuer.mint_token) == []
        return said


@pytest.fixture
def site(home: Path) -> Iterator[Site]:
    with CIIssuer() as issuer, Hub() as hub:
        yield Site(hub, issuer, home)


@pytest.mark.parametrize("kind", ["github", "other"])
def test_both_libraries_push_by_an_exchange(site: Site, home: Path, kind: str) -> None:
    site.trust()
    (home / "train.py").write_text(TRAIN)
    variables = site.github() if kind == "github" else site.other()
    said = site.run(variables, sys.executable, "train.py").splitlines()
    # Where the exchange can be repeated, huggingface_hub makes its own.
    assert f"oidc {kind == 'other'} alice" in said
    assert "True" in said


@pytest.mark.parametrize("kind", ["github", "other"])
def test_one_exchange_serves_all_that_run_starts(site: Site, home: Path, kind: str) -> None:
    site.trust()
    (home / "a.txt").write_text("a")
    variables = site.github() if kind == "github" else site.other()
    check = ("hubtoken", "run", "--role", "write", "--repo", "alice/model", "--")
    site.run(variables, *check, HF, "upload", "alice/model", "a.txt")
    again = ("hubtoken", "status")
    if kind == "github":
        assert "alice" in site.run(variables, *again)
    else:
        assert "make one exchange" in site.run(variables, *again, code=1)


def test_what_a_job_says_of_itself_is_a_publisher_that_trusts_it(site: Site) -> None:
    refused = site.run(site.github(), "hubtoken", "whoami", code=1)
    assert "hubtoken oidc" in refused
    entry = json.loads(site.run(site.github(), "hubtoken", "oidc", "--json"))["publisher"]
    assert entry["url"] == f"{site.hub.endpoint}/alice/model/settings"
    site.hub.create_publisher(entry["resource"], issuer=entry["issuer"], claims=entry["claims"])
    assert "alice" in site.run(site.github(), "hubtoken", "whoami")


def test_a_refusal_has_the_words_of_the_hub(site: Site) -> None:
    site.trust()
    for changes, expected in (
        ({"repository": "acme/fork"}, "invalid_grant"),
        ({"aud": "https://huggingface.co"}, "must be http://127.0.0.1:"),
        ({"exp": 1_000_000_000}, "has expired"),
    ):
        said = site.run(site.other(**changes), "hubtoken", "whoami", code=1)
        assert expected in said
