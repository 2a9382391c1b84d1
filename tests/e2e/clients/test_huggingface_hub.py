"""The real `huggingface_hub` against the embedded Hub, by operation and kind of token."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.support import world as names
from tests.e2e.support.matrix import Case, cases
from tests.e2e.support.world import World, write_tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable

    from huggingface_hub import HfApi


@dataclass(frozen=True)
class Client:
    """What an operation needs: the client with its token, the world, and a folder to write in."""

    world: World
    api: HfApi
    token: str | bool
    folder: Path

    @property
    def cache(self) -> Path:
        """An empty cache, so that nothing is answered from an earlier download."""
        return self.folder / "cache"


def whoami(client: Client) -> None:
    assert client.api.whoami()["name"] == "alice"


def model_info(client: Client) -> None:
    assert client.api.model_info(names.PRIVATE).id == names.PRIVATE


def public_info(client: Client) -> None:
    assert client.api.model_info(names.PUBLIC).private is False


def list_files(client: Client) -> None:
    assert "tokenizer.json" in client.api.list_repo_files(names.PRIVATE)


def _download(client: Client, repo: str) -> None:
    path = client.api.hf_hub_download(repo, "config.json", cache_dir=client.cache)
    assert Path(path).read_text(encoding="utf-8") == '{"model_type": "bert"}\n'


def download(client: Client) -> None:
    _download(client, names.PRIVATE)


def public_file(client: Client) -> None:
    _download(client, names.PUBLIC)


def organization_file(client: Client) -> None:
    _download(client, names.ORGANIZATION_MODEL)


def snapshot(client: Client) -> None:
    folder = Path(client.api.snapshot_download(names.PRIVATE, cache_dir=client.cache))
    found = {file.name for file in folder.iterdir()}
    assert {"config.json", "tokenizer.json", "tokenizer_config.json"} <= found


def check_read(client: Client) -> None:
    client.api.auth_check(names.PRIVATE)


def check_write(client: Client) -> None:
    client.api.auth_check(names.PRIVATE, write=True)


def check_scratch(client: Client) -> None:
    client.api.auth_check(names.SCRATCH, write=True)


def _upload(client: Client, repo: str) -> None:
    path = client.world.new_name("notes").removeprefix("notes/") + ".txt"
    client.api.upload_file(path_or_fileobj=path.encode(), path_in_repo=path, repo_id=repo)
    write = client.world.value("write")
    got = client.api.hf_hub_download(repo, path, cache_dir=client.cache, token=write)
    assert Path(got).read_text(encoding="utf-8") == path


def upload_scratch(client: Client) -> None:
    _upload(client, names.SCRATCH)


def upload_private(client: Client) -> None:
    _upload(client, names.PRIVATE)


def upload_public(client: Client) -> None:
    _upload(client, names.PUBLIC)


def upload_folder(client: Client) -> None:
    place = client.world.new_name("folder").removeprefix("folder/")
    write_tokenizer(client.folder / "model")
    client.api.upload_folder(
        repo_id=names.SCRATCH, folder_path=client.folder / "model", path_in_repo=place
    )
    listed = client.api.list_repo_files(names.SCRATCH, token=client.world.value("write"))
    assert f"{place}/tokenizer.json" in listed


def _create(client: Client, owner: str) -> None:
    repo = client.world.new_name(owner)
    assert client.api.create_repo(repo, private=True).repo_id == repo
    assert client.api.repo_exists(repo)


def create_own(client: Client) -> None:
    _create(client, "alice")


def create_in_organization(client: Client) -> None:
    _create(client, "acme")


def delete(client: Client) -> None:
    repo = client.world.new_name()
    client.world.hub.create_repository(repo, private=True)
    client.api.delete_repo(repo)
    assert not client.api.repo_exists(repo)


OPERATIONS: dict[str, Callable[[Client], None]] = {
    "whoami": whoami,
    "model_info": model_info,
    "public info": public_info,
    "list files": list_files,
    "download": download,
    "public file": public_file,
    "org file": organization_file,
    "snapshot": snapshot,
    "check read": check_read,
    "check write": check_write,
    "check scratch": check_scratch,
    "upload scratch": upload_scratch,
    "upload private": upload_private,
    "upload public": upload_public,
    "upload folder": upload_folder,
    "create own": create_own,
    "create in org": create_in_organization,
    "delete": delete,
}


def observe(client: Client, operation: str) -> str:
    """What came of it, in the words of the matrix."""
    from huggingface_hub.errors import HfHubHTTPError

    try:
        OPERATIONS[operation](client)
    except HfHubHTTPError as error:
        return str(error.response.status_code)
    return "works"


def connect(world: World, kind: str, folder: Path) -> Client:
    """The client as a user makes it, with the token of that kind."""
    from huggingface_hub import HfApi

    token = world.value(kind) or False
    return Client(world, HfApi(endpoint=world.endpoint, token=token), token, folder)


@pytest.mark.parametrize("case", cases("huggingface_hub"), ids=str)
def test_matrix(world: World, tmp_path: Path, case: Case) -> None:
    client = connect(world, case.kind, tmp_path)
    assert observe(client, case.operation) == case.expected


@pytest.mark.parametrize("kind", ["none", "deleted", "read"])
def test_errors_are_the_clients_own(world: World, tmp_path: Path, kind: str) -> None:
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

    api = connect(world, kind, tmp_path).api
    missing = world.new_name()
    if kind == "deleted":
        with pytest.raises(HfHubHTTPError, match="Invalid credentials in Authorization header"):
            api.model_info(names.PRIVATE)
        with pytest.raises(HfHubHTTPError, match="Invalid user token"):
            api.whoami()
        return
    with pytest.raises(RepositoryNotFoundError):
        api.model_info(missing)
    with pytest.raises(RepositoryNotFoundError):
        api.hf_hub_download(missing, "config.json", cache_dir=tmp_path)
    if kind == "none":
        with pytest.raises(GatedRepoError, match="Please log in"):
            api.auth_check(names.GATED)


def test_gate_opens_when_access_is_granted(world: World, tmp_path: Path) -> None:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError

    gated = world.new_name("acme")
    world.hub.create_repository(gated, gated="manual")
    api = HfApi(endpoint=world.endpoint, token=world.new_token("carol", "read").reveal())
    assert api.model_info(gated).gated == "manual"
    with pytest.raises(GatedRepoError, match="not in the authorized list"):
        api.auth_check(gated)
    with pytest.raises(GatedRepoError):
        api.hf_hub_download(gated, "config.json", cache_dir=tmp_path)
    world.hub.grant_access(gated, "carol")
    api.auth_check(gated)


def test_refreshed_token_replaces_the_old_one_at_once(world: World) -> None:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    name = world.new_name("refreshed")
    old = world.hub.create_token("alice", name=name, role="read")
    new = world.hub.refresh_token("alice", name)
    api = HfApi(endpoint=world.endpoint)
    assert api.whoami(token=new.reveal())["auth"]["accessToken"]["displayName"] == name
    with pytest.raises(HfHubHTTPError):
        api.whoami(token=old.reveal())


def test_pull_request_without_the_right_to_write_is_advised(world: World, tmp_path: Path) -> None:
    from huggingface_hub.errors import HfHubHTTPError

    api = connect(world, "read", tmp_path).api
    with pytest.raises(HfHubHTTPError, match="create_pr=1"):
        api.upload_file(path_or_fileobj=b"x", path_in_repo="x.txt", repo_id=names.PRIVATE)
