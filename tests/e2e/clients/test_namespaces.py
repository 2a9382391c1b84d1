"""The real client looks up users and organizations, as `require_role` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import hubtoken
from hubtoken import errors

if TYPE_CHECKING:
    from tests.e2e.support.world import World


def test_huggingface_hub_reads_the_overviews(world: World) -> None:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    token = world.new_token("bob", "read")
    for value in (token.reveal(), False):
        api = HfApi(endpoint=world.endpoint, token=value)
        assert api.get_user_overview("alice").username == "alice"
        assert api.get_organization_overview("acme").name == "acme"
        for ask in (api.get_user_overview, api.get_organization_overview):
            with pytest.raises(HfHubHTTPError) as missing:
                ask("nobody-of-that-name")
            assert missing.value.response.status_code == 404


def test_the_verdict_on_a_misspelled_namespace_is_what_the_client_meets(world: World) -> None:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    token = world.new_token("alice", "write")
    with pytest.raises(errors.AccessDeniedError, match="did you mean `acme`"):
        hubtoken.require_role("write", token, repo="acmee/model")
    api = HfApi(endpoint=world.endpoint, token=token.reveal())
    with pytest.raises(HfHubHTTPError) as refused:
        api.create_repo("acmee/model")
    assert refused.value.response.status_code == 403


def test_a_slip_in_a_repository_is_named_before_the_client_creates_it(world: World) -> None:
    from huggingface_hub import HfApi

    token = world.new_token("alice", "write")
    api = HfApi(endpoint=world.endpoint, token=token.reveal())
    name = world.new_name("alice")
    api.create_repo(name, repo_type="dataset", private=True)
    with pytest.warns(errors.HubTokenWarning, match='repo_type="dataset"'):
        hubtoken.require_role("write", token, repo=name)
    with pytest.warns(errors.HubTokenWarning, match=f"did you mean {name}"):
        hubtoken.require_role("write", token, repo=f"{name}x", repo_type="dataset")
