"""Many files at once with `huggingface_hub`: folders, and its file system."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from huggingface_hub import HfApi, HfFileSystem, constants, snapshot_download

from hubtoken.hub import Hub

FILES = 200


def content(folder: Path) -> dict[str, bytes]:
    """The contents of a folder, without the library's own notes."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".cache" not in path.parts
    }


@pytest.mark.parametrize("xet", [False, True])
# The library's own call of httpx, in its path for LFS.
@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
def test_a_large_folder_goes_up_and_comes_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, xet: bool
) -> None:
    # What HF_HUB_DISABLE_XET sets, for a user whose network lets nothing else pass.
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", not xet)
    folder = tmp_path / "folder"
    for number in range(FILES):
        path = folder / f"part-{number % 10}" / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(number))
    (folder / "model.safetensors").write_bytes(os.urandom(12_000_000))
    with Hub() as hub:
        hub.create_user("alice")
        value = hub.create_token("alice", name="w", role="write").reveal()
        api = HfApi(endpoint=hub.endpoint, token=value)
        api.create_repo("alice/large", private=True)
        commits = [api.upload_folder(repo_id="alice/large", folder_path=folder) for _ in range(2)]
        # The second upload has nothing to send.
        assert commits[0].oid == commits[1].oid
        asked = hub.request_count("/alice/large.git/info/lfs/objects/batch")
        assert asked == (0 if xet else 2)
        got = Path(
            snapshot_download(
                "alice/large", endpoint=hub.endpoint, token=value, cache_dir=tmp_path / "cache"
            )
        )
        (whole,) = api.get_paths_info("alice/large", "model.safetensors")
        assert getattr(whole, "lfs", None) is not None
        assert (getattr(whole, "xet_hash", None) is not None) == xet
    assert {**content(folder), ".gitattributes": content(got)[".gitattributes"]} == content(got)


def test_a_repository_is_a_file_system(tmp_path: Path) -> None:
    data = os.urandom(300_000)
    with Hub() as hub:
        hub.create_user("alice")
        value = hub.create_token("alice", name="w", role="write").reveal()
        hub.create_repository("alice/m", private=True)
        files = HfFileSystem(endpoint=hub.endpoint, token=value, skip_instance_cache=True)
        with files.open("alice/m/folder/data.bin", "wb") as file:
            file.write(data)
        files.pipe_file("alice/m/folder/note.txt", b"hello")
        assert files.glob("alice/m/**/*.bin") == ["alice/m/folder/data.bin"]
        assert files.info("alice/m/folder/data.bin")["size"] == len(data)
        with files.open("alice/m/folder/data.bin", "rb", block_size=1000) as file:
            file.seek(200_000)
            assert file.read(10) == data[200_000:200_010]
            file.seek(-5, os.SEEK_END)
            assert file.read() == data[-5:]
        with files.open("alice/m/folder/data.bin", "rb", block_size=0) as file:
            assert file.read() == data
        files.get("alice/m/folder", str(tmp_path / "got"), recursive=True)
        assert (tmp_path / "got" / "data.bin").read_bytes() == data
        files.cp_file("alice/m/folder/note.txt", "alice/m/copy.txt")
        files.rm("alice/m/folder", recursive=True)
        assert files.ls("alice/m", detail=False) == ["alice/m/.gitattributes", "alice/m/copy.txt"]
        assert files.cat_file("alice/m/copy.txt") == b"hello"
