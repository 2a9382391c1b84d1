"""The real `huggingface_hub` against the embedded Hub, by operation and kind of token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.support import world as names
from tests.e2e.support.matrix import Case, cases
from tests.e2e.support.operations import connect, observe

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.support.world import World


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
