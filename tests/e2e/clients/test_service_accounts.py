"""A service account's token in the hands of the real clients."""

from __future__ import annotations

import configparser
from typing import TYPE_CHECKING, Any

import pytest

import hubtoken
from hubtoken.hub import Hub
from tests.e2e.support.runner import Runner
from tests.e2e.support.served import Connection
from tests.e2e.support.working_copy import Git, needs_git_lfs
from tests.python.helpers import leaks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ACCOUNTS = "/api/organizations/acme/service-accounts"


class Company:
    """A Hub with `acme`, and an administrator's token for its service accounts."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        hub.create_user("root")
        hub.create_organization("acme")
        hub.set_member("acme", "root", "admin")
        hub.create_repository("acme/model", private=True)
        self.client = Connection(hub.endpoint, hub.admin_key)
        self.root = hub.create_token("root", name="root", role="write").reveal()

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Send a request as the administrator."""
        status, answer, _ = self.client.ask(method, path, self.root, body)
        assert status < 300, (status, answer)
        return answer

    def token(self, **grants: object) -> tuple[str, str]:
        """The path and the value of a token of a new account."""
        account = self.ask("POST", ACCOUNTS, {"name": "Nightly build"})["_id"]
        tokens = f"{ACCOUNTS}/{account}/tokens"
        made = self.ask("POST", tokens, grants)
        return f"{tokens}/{made['tokenInfo']['_id']}", made["token"]


@pytest.fixture
def company(home: object) -> Iterator[Company]:
    del home
    with Hub() as hub:
        company = Company(hub)
        yield company
        company.client.close()


def test_the_library_and_the_command_work_until_the_token_ends(
    company: Company, home: Path
) -> None:
    path, value = company.token(permissions=["repo.content.read", "repo.write"])
    runner = Runner(home=home, endpoint=company.hub.endpoint)
    said = []

    def hf(*command: str, code: int = 0) -> str:
        done = runner.run("hf", *command, variables={"HF_TOKEN": value})
        assert done.returncode == code, (command, done.stdout, done.stderr)
        said.append(done.stdout + done.stderr)
        return done.stdout

    assert "acme--nightly-build-" in hf("auth", "whoami")
    (home / "a.txt").write_text("a")
    hf("upload", "acme/model", "a.txt")
    hf("upload", "acme/made-on-the-way", "a.txt", "--private")
    hf("download", "acme/model", "a.txt", "--local-dir", "down")
    assert (home / "down" / "a.txt").read_text() == "a"
    hf("auth", "login", "--token", value)
    company.ask("DELETE", path)
    hf("auth", "whoami", code=1)
    hf("upload", "acme/model", "a.txt", code=1)
    assert leaks("\n".join(said).encode(), value) == []


def test_hf_works_with_what_the_command_has_made(company: Company, home: Path) -> None:
    runner = Runner(home=home, endpoint=company.hub.endpoint)
    (home / "a.txt").write_text("a")
    said = []

    def run(*command: str, code: int = 0) -> str:
        done = runner.run(*command)
        assert done.returncode == code, (command, done.stdout, done.stderr)
        said.append(done.stdout + done.stderr)
        return done.stdout

    def accounts(*arguments: str, code: int = 0) -> str:
        command = ("hubtoken", "service-accounts", *arguments, "--profile", "root")
        return run(*command, code=code)

    def value(name: str) -> str:
        parser = configparser.RawConfigParser()
        parser.read(home / "huggingface" / "stored_tokens")
        return parser[name]["hf_token"]

    hubtoken.login(company.root, name="root", endpoint=company.hub.endpoint)
    accounts("create", "acme", "Nightly build", "--description", "for hf")
    token = ("acme", "Nightly build", "runner")
    grants = ("--repo", "acme/model", "--repo-permission", "repo.write")
    accounts("token", "create", *token, *grants)
    first = value("nightly-build-runner")
    # `hf` lists it, switches to it, and works with it.
    assert "nightly-build-runner" in run("hf", "auth", "list")
    run("hf", "auth", "switch", "--token-name", "nightly-build-runner")
    assert "acme--nightly-build-" in run("hf", "auth", "whoami")
    run("hf", "upload", "acme/model", "a.txt")
    run("hf", "upload", "acme/other", "a.txt", "--private", code=1)
    # The rotation of what `hf` uses leaves `hf` working.
    accounts("token", "rotate", *token)
    second = value("nightly-build-runner")
    assert second != first
    run("hf", "upload", "acme/model", "a.txt", "b.txt")
    assert runner.run("hf", "auth", "whoami", variables={"HF_TOKEN": first}).returncode == 1
    accounts("token", "change", *token, "--repo-permission", "repo.content.read")
    run("hf", "upload", "acme/model", "a.txt", "c.txt", code=1)
    run("hf", "download", "acme/model", "b.txt")
    accounts("delete", "acme", "Nightly build", "--yes")
    assert "nightly-build-runner" not in run("hf", "auth", "list")
    assert runner.run("hf", "auth", "whoami", variables={"HF_TOKEN": second}).returncode == 1
    assert leaks("\n".join(said).encode(), first, second, company.root) == []


def test_a_reader_is_told_so(company: Company) -> None:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    _, value = company.token(permissions=["repo.content.read"])
    api = HfApi(endpoint=company.hub.endpoint, token=value)
    identity = api.whoami()
    assert (identity["type"], identity["auth"]["type"]) == ("app", "app_token")
    assert api.model_info("acme/model").private
    with pytest.raises(HfHubHTTPError) as refused:
        api.upload_file(path_or_fileobj=b"x", path_in_repo="x.txt", repo_id="acme/model")
    assert refused.value.response.status_code == 403
    with pytest.raises(HfHubHTTPError):
        api.create_repo("acme/other")


@needs_git_lfs
def test_git_and_its_large_files(company: Company, home: Path, tmp_path: Path) -> None:
    path, value = company.token(permissions=["repo.write"])
    git = Git(home, company.hub.endpoint, value, lfs=True)
    clone = tmp_path / "clone"
    assert git.clone("acme/model", clone).returncode == 0
    git.commit(clone, **{"weights.safetensors": b"0123456789" * 1000})
    git.good("push", "--quiet", "origin", "main", folder=clone)
    again = tmp_path / "again"
    assert git.clone("acme/model", again).returncode == 0
    assert (again / "weights.safetensors").read_bytes() == b"0123456789" * 1000
    company.ask("PATCH", path, {"permissions": ["repo.content.read"]})
    git.commit(clone, **{"b.txt": b"b"})
    pushed = git.run("push", "--quiet", "origin", "main", folder=clone)
    assert pushed.returncode != 0
    assert "repo.write" in pushed.stderr
    assert value not in pushed.stderr
