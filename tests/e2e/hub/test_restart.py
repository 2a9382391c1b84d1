"""A Hub's data survives a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from hubtoken.hub import Hub


def test_files_users_and_tokens_survive_a_restart(tmp_path: Path) -> None:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    data = tmp_path / "data"
    with Hub(data) as hub:
        hub.create_user("alice")
        write = hub.create_token("alice", name="write", role="write").reveal()
        dead = hub.create_token("alice", name="dead", role="write").reveal()
        hub.delete_token("alice", "dead")
        first = HfApi(endpoint=hub.endpoint, token=write)
        first.create_repo("alice/kept", private=True)
        commit = first.upload_file(
            path_or_fileobj=b"kept\n", path_in_repo="folder/kept.txt", repo_id="alice/kept"
        )

    with Hub(data) as hub:
        second = HfApi(endpoint=hub.endpoint, token=write)
        assert second.whoami()["name"] == "alice"
        assert second.model_info("alice/kept").sha == commit.oid
        assert "folder/kept.txt" in second.list_repo_files("alice/kept")
        path = second.hf_hub_download("alice/kept", "folder/kept.txt", cache_dir=tmp_path / "cache")
        assert Path(path).read_text(encoding="utf-8") == "kept\n"
        with pytest.raises(HfHubHTTPError):
            second.whoami(token=dead)


def test_temporary_data_folder_goes_with_the_hub() -> None:
    with Hub() as hub:
        data = Path(hub.data)
        assert data.is_dir()
    assert not data.exists()


def test_given_data_folder_stays(tmp_path: Path) -> None:
    with Hub(tmp_path / "data") as hub:
        endpoint = hub.endpoint
    assert (tmp_path / "data").is_dir()
    assert endpoint.startswith("http://127.0.0.1:")
