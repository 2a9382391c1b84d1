"""The operations with `huggingface_hub`, by their names in the matrix."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.e2e.support import world as names
from tests.e2e.support.world import World, write_tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable

    from huggingface_hub import HfApi, HfFileSystem


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


def _download_large(client: Client, repo: str) -> None:
    path = client.api.hf_hub_download(repo, names.LARGE, cache_dir=client.cache)
    assert Path(path).read_bytes() == names.LARGE_CONTENT


def download_large(client: Client) -> None:
    _download_large(client, names.PRIVATE)


def public_large(client: Client) -> None:
    _download_large(client, names.PUBLIC)


def _check_uploaded(client: Client, path: str, content: bytes) -> None:
    """It is stored outside git, by Xet, and is what was sent."""
    write = client.world.value("write")
    (info,) = client.api.get_paths_info(names.SCRATCH, path, token=write)
    assert getattr(info, "xet_hash", None)
    got = client.api.hf_hub_download(names.SCRATCH, path, cache_dir=client.cache, token=write)
    assert Path(got).read_bytes() == content


def upload_large(client: Client) -> None:
    path, content = client.world.new_name("large") + ".bin", os.urandom(200_000)
    client.api.upload_file(path_or_fileobj=content, path_in_repo=path, repo_id=names.SCRATCH)
    _check_uploaded(client, path, content)


def large_folder(client: Client) -> None:
    place, content = client.world.new_name("folder"), os.urandom(200_000)
    file = client.folder / "large" / place / "a.safetensors"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    client.api.upload_folder(repo_id=names.SCRATCH, folder_path=client.folder / "large")
    _check_uploaded(client, f"{place}/a.safetensors", content)


def _file_system(client: Client) -> HfFileSystem:
    from huggingface_hub import HfFileSystem

    endpoint = client.world.endpoint
    return HfFileSystem(endpoint=endpoint, token=client.token, skip_instance_cache=True)


def files_of_fs(client: Client) -> None:
    with _file_system(client).open(f"{names.PRIVATE}/{names.LARGE}", "rb") as file:
        file.seek(250_000)
        assert file.read(10) == names.LARGE_CONTENT[250_000:250_010]


def write_by_fs(client: Client) -> None:
    path, content = client.world.new_name("fs") + ".bin", os.urandom(200_000)
    with _file_system(client).open(f"{names.SCRATCH}/{path}", "wb") as file:
        file.write(content)
    _check_uploaded(client, path, content)


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
    "download large": download_large,
    "public large": public_large,
    "upload large": upload_large,
    "large folder": large_folder,
    "files of fs": files_of_fs,
    "write by fs": write_by_fs,
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
    except FileNotFoundError:
        # What the library's file system makes of a 401 without a token.
        return "404"
    return "works"


def connect(world: World, kind: str, folder: Path) -> Client:
    """The client as a user creates it, with the token of that kind."""
    from huggingface_hub import HfApi

    token = world.value(kind) or False
    return Client(world, HfApi(endpoint=world.endpoint, token=token), token, folder)
