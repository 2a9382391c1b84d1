"""The operations with `huggingface_hub`, by their names in the matrix."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.e2e.support import world as names
from tests.e2e.support.world import World, write_tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable

    from huggingface_hub import HfApi


@dataclass(frozen=True)
class Client:
    """What an operation needs: the client with its token, the world, and a writable folder."""

    world: World
    api: HfApi
    token: str | bool
    folder: Path

    @property
    def cache(self) -> Path:
        """An empty cache, so that no earlier download is reused."""
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
    """The outcome, in the words of the matrix."""
    from huggingface_hub.errors import HfHubHTTPError

    try:
        OPERATIONS[operation](client)
    except HfHubHTTPError as error:
        return str(error.response.status_code)
    return "works"


def connect(world: World, kind: str, folder: Path) -> Client:
    """The client as a user creates it, with the token of that kind."""
    from huggingface_hub import HfApi

    token = world.value(kind) or False
    return Client(world, HfApi(endpoint=world.endpoint, token=token), token, folder)
