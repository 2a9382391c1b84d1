"""A HubToken passed to `huggingface_hub` in place of the string never goes unnoticed.

`huggingface_hub` ignores a `token=` that is not a string and sends the ambient one, so a script
would run as another user. Each call must fail, with a message that names the fix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.support.world import PRIVATE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.support.world import World

CALLS: dict[str, Callable[[Any, Any], object]] = {
    "whoami": lambda api, token: api.whoami(token=token),
    "model_info": lambda api, token: api.model_info(PRIVATE, token=token),
    "list_repo_files": lambda api, token: api.list_repo_files(PRIVATE, token=token),
    "auth_check": lambda api, token: api.auth_check(PRIVATE, token=token),
    "hf_hub_download": lambda api, token: api.hf_hub_download(PRIVATE, "config.json", token=token),
    "snapshot_download": lambda api, token: api.snapshot_download(PRIVATE, token=token),
    "create_repo": lambda api, token: api.create_repo("alice/misused", token=token),
    "upload_file": lambda api, token: api.upload_file(
        path_or_fileobj=b"x", path_in_repo="x.txt", repo_id=PRIVATE, token=token
    ),
    "delete_repo": lambda api, token: api.delete_repo(PRIVATE, token=token),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_passing_the_object_itself_is_loud(
    world: World, call: Callable[[Any, Any], object]
) -> None:
    from huggingface_hub import HfApi

    before = world.hub.request_count()
    with pytest.raises(TypeError, match=r"\.reveal\(\)"):
        call(HfApi(endpoint=world.endpoint), world.token("write"))
    assert world.hub.request_count() == before


def test_client_made_with_the_object_is_loud(world: World) -> None:
    from huggingface_hub import HfApi

    token: Any = world.token("write")
    with pytest.raises(TypeError, match=r"\.reveal\(\)"):
        HfApi(endpoint=world.endpoint, token=token).model_info(PRIVATE)
