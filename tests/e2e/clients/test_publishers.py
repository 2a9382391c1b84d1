"""Trusted publishers: jobs of a CI provider that push to the Hub without a stored secret."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from hubtoken.hub import Hub
from tests.e2e.support.ci_issuer import CIIssuer
from tests.e2e.support.runner import Runner
from tests.e2e.support.working_copy import Git, needs_git_lfs
from tests.python.helpers import leaks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"


class Pipeline:
    """A Hub with two models of alice, one of which trusts a job."""

    def __init__(self, hub: Hub, issuer: CIIssuer) -> None:
        self.hub = hub
        self.issuer = issuer
        hub.create_user("alice")
        hub.create_repository("alice/model", private=True)
        hub.create_repository("alice/other", private=True)
        self.publisher = hub.create_publisher(
            "alice/model", issuer=issuer.url, claims={"repository": "acme/train"}
        )

    def exchange(self, token: str, resource: str = "alice/model") -> tuple[int, Any]:
        """Exchange an id token."""
        body = {
            "grant_type": GRANT,
            "subject_token_type": ID_TOKEN,
            "subject_token": token,
            "resource": resource,
        }
        answer = httpx.post(f"{self.hub.endpoint}/oauth/token", json=body)
        return answer.status_code, answer.json()

    def sign(self, algorithm: str = "RS256", **changes: Any) -> str:
        """A new id token for this Hub."""
        return self.issuer.sign(self.hub.endpoint, algorithm, **changes)

    def publish(self) -> str:
        """The token that a new id token is exchanged for."""
        status, answer = self.exchange(self.sign())
        assert status == 200, answer
        return str(answer["access_token"])


@pytest.fixture
def pipeline(home: object) -> Iterator[Pipeline]:
    del home
    with CIIssuer() as issuer, Hub() as hub:
        yield Pipeline(hub, issuer)


class Job:
    """A job of the CI, with what it printed."""

    def __init__(self, home: Path, endpoint: str, variables: Mapping[str, str]) -> None:
        self.runner = Runner(home=home, endpoint=endpoint)
        self.variables = variables
        self.said = ""
        (home / "a.txt").write_text("a")

    def hf(self, *command: str, code: int = 0) -> str:
        """Run `hf`, and return what it wrote."""
        done = self.runner.run("hf", *command, variables=self.variables)
        self.said += done.stdout + done.stderr
        assert done.returncode == code, (command, done.stdout, done.stderr)
        return done.stdout + done.stderr


def test_a_job_with_an_id_token_uploads_to_its_repository_alone(
    pipeline: Pipeline, home: Path
) -> None:
    def job(**changes: Any) -> Job:
        variables = {
            "HF_OIDC_RESOURCE": "alice/model",
            "HF_OIDC_ID_TOKEN": pipeline.sign(**changes),
        }
        return Job(home, pipeline.hub.endpoint, variables)

    good = job()
    good.hf("upload", "alice/model", "a.txt")
    other = job()
    assert "403" in other.hf("upload", "alice/other", "a.txt", code=1)
    fork = job(repository="acme/fork")
    assert "its `repository` is `acme/fork`" in fork.hf("upload", "alice/model", "a.txt", code=1)
    again = Job(home, pipeline.hub.endpoint, good.variables)
    assert "used only once" in again.hf("upload", "alice/model", "a.txt", code=1)
    said = "".join(each.said for each in (good, other, fork, again))
    assert leaks(said.encode(), *pipeline.issuer.values) == []
    acts = [entry.act for entry in pipeline.hub.audit(act="publisher")]
    assert acts == ["publisher.refuse", "publisher.refuse", "publisher.add"]


def test_a_job_of_github_asks_for_its_id_token(pipeline: Pipeline, home: Path) -> None:
    variables = {
        "GITHUB_ACTIONS": "true",
        "ACTIONS_ID_TOKEN_REQUEST_URL": pipeline.issuer.mint_url,
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": pipeline.issuer.mint_token,
        "HF_OIDC_RESOURCE": "alice/model",
    }
    job = Job(home, pipeline.hub.endpoint, variables)
    job.hf("upload", "alice/model", "a.txt")
    job.hf("download", "alice/model", "a.txt", "--local-dir", "down")
    assert (home / "down" / "a.txt").read_text() == "a"
    assert "alice" in job.hf("auth", "whoami")
    assert leaks(job.said.encode(), *pipeline.issuer.values, pipeline.issuer.mint_token) == []


def test_a_job_of_a_user_reads_gated_repositories(pipeline: Pipeline, home: Path) -> None:
    hub = pipeline.hub
    hub.create_user("bob")
    hub.create_repository("bob/gated", gated="manual")
    owner = hub.create_token("bob", name="bob", role="write").reveal()
    Job(home, hub.endpoint, {"HF_TOKEN": owner}).hf("upload", "bob/gated", "a.txt")
    hub.create_publisher("alice", issuer=pipeline.issuer.url, claims={"repository": "acme/train"})
    hub.grant_access("bob/gated", "alice")

    def job() -> Job:
        variables = {"HF_OIDC_RESOURCE": "alice", "HF_OIDC_ID_TOKEN": pipeline.sign()}
        return Job(home, hub.endpoint, variables)

    job().hf("download", "bob/gated", "a.txt", "--local-dir", "down")
    assert (home / "down" / "a.txt").read_text() == "a"
    job().hf("upload", "alice/model", "a.txt", code=1)
    job().hf("download", "alice/model", "a.txt", code=1)


@needs_git_lfs
def test_git_pushes_to_the_repository_alone(pipeline: Pipeline, home: Path, tmp_path: Path) -> None:
    value = pipeline.publish()
    git = Git(home, pipeline.hub.endpoint, value, lfs=True)
    clone = tmp_path / "clone"
    assert git.clone("alice/model", clone).returncode == 0
    git.commit(clone, **{"weights.safetensors": b"0123456789" * 1000})
    git.good("push", "--quiet", "origin", "main", folder=clone)
    refused = git.run("push", "--quiet", git.url("alice/other"), "main", folder=clone)
    assert refused.returncode != 0
    pipeline.hub.delete_publisher(pipeline.publisher.id)
    git.commit(clone, **{"b.txt": b"b"})
    ended = git.run("push", "--quiet", "origin", "main", folder=clone)
    assert ended.returncode != 0
    assert value not in refused.stderr + ended.stderr


def test_the_keys_of_an_issuer_decide(pipeline: Pipeline) -> None:
    for algorithm in ("RS256", "PS256", "ES256"):
        assert pipeline.exchange(pipeline.sign(algorithm))[0] == 200, algorithm
    for algorithm in ("none", "HS256"):
        status, answer = pipeline.exchange(pipeline.sign(algorithm))
        assert (status, answer["error"]) == (400, "invalid_grant"), algorithm
    # Fetched once, also by those that are refused.
    assert pipeline.issuer.asked == ["/.well-known/openid-configuration", "/keys"]
    pipeline.issuer.key_id = "k2"
    unknown = pipeline.exchange(pipeline.sign())
    assert unknown[0] == 400
    assert "does not publish" in unknown[1]["error_description"]
    # The keys in the entry itself take the place of fetched ones.
    pipeline.hub.delete_publisher(pipeline.publisher.id)
    pipeline.hub.create_publisher(
        "alice/model",
        issuer=pipeline.issuer.url,
        claims={"repository": "acme/train"},
        keys=json.dumps(pipeline.issuer.keys()),
    )
    assert pipeline.exchange(pipeline.sign())[0] == 200


def test_many_that_have_the_same_id_token(pipeline: Pipeline) -> None:
    token = pipeline.sign()
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda _: pipeline.exchange(token)[0], range(32)))
    assert sorted(answers) == [200] + [400] * 31
