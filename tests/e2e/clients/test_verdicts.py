"""The verdict of `require_role` agrees with what the real client then gets."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

import hubtoken
from hubtoken import errors
from tests.e2e.support import world as names
from tests.e2e.support.operations import connect, observe
from tests.e2e.support.world import KINDS

if TYPE_CHECKING:
    from pathlib import Path

    from hubtoken import HubToken
    from tests.e2e.support.world import World

# Certain denials. `VerdictUnknownError` is not among them: nothing is unknown here.
DENIALS = (
    errors.AccessDeniedError,
    errors.InvalidTokenError,
    errors.RepositoryNotFoundError,
    errors.TokenNotFoundError,
)


class Question(NamedTuple):
    """A check by `require_role`, and the operation that then shows whether it was right."""

    operation: str
    role: str
    repo: str

    def __str__(self) -> str:
        return self.operation


QUESTIONS = (
    Question("model_info", "read", names.PRIVATE),
    Question("download", "read", names.PRIVATE),
    Question("org file", "read", names.ORGANIZATION_MODEL),
    Question("check write", "write", names.PRIVATE),
    Question("upload private", "write", names.PRIVATE),
    Question("upload public", "write", names.PUBLIC),
    Question("upload scratch", "write", names.SCRATCH),
    # Does not exist yet: the right to create in the namespace decides.
    Question("create own", "write", "alice/not-there-yet"),
    Question("create in org", "write", "acme/not-there-yet"),
)


def allowed(world: World, role: Any, token: HubToken | None, repo: str) -> bool:
    """The verdict, as a script sees it."""
    try:
        hubtoken.require_role(role, token, repo=repo, endpoint=world.endpoint)
    except DENIALS:
        return False
    return True


@pytest.mark.parametrize("question", QUESTIONS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_verdict_agrees_with_what_then_happens(
    world: World, home: Path, tmp_path: Path, kind: str, question: Question
) -> None:
    assert not (home / "huggingface").exists()
    verdict = allowed(world, question.role, world.token(kind), question.repo)
    happened = observe(connect(world, kind, tmp_path), question.operation)
    assert verdict == (happened == "works"), happened


def test_dataset_needs_its_type(world: World) -> None:
    token = world.token("fine-grained")
    hubtoken.require_role("read", token, repo=names.DATASET, repo_type="dataset")
    with pytest.raises(errors.RepositoryNotFoundError):
        hubtoken.require_role("read", token, repo=names.DATASET)


def test_organization_role_is_named_as_the_cause(world: World) -> None:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    token = world.new_token("bob", "write")
    with pytest.raises(errors.AccessDeniedError) as denied:
        hubtoken.require_role("write", token, repo=names.ORGANIZATION_MODEL)
    message = str(denied.value)
    assert "acme" in message
    assert "read" in message
    assert "invalid" not in message.lower()
    assert denied.value.target == names.ORGANIZATION_MODEL
    api = HfApi(endpoint=world.endpoint, token=token.reveal())
    with pytest.raises(HfHubHTTPError) as refused:
        api.upload_file(
            path_or_fileobj=b"x", path_in_repo="x.txt", repo_id=names.ORGANIZATION_MODEL
        )
    assert refused.value.response.status_code == 403


def test_gated_repository_says_where_to_ask(world: World) -> None:
    token = world.new_token("carol", "read")
    gated = world.new_name("acme")
    world.hub.create_repository(gated, gated="manual")
    with pytest.raises(errors.GatedRepoError) as denied:
        hubtoken.require_role("read", token, repo=gated)
    assert gated in str(denied.value.remedy_url)
    world.hub.grant_access(gated, "carol")
    assert hubtoken.require_role("read", token, repo=gated) == token


def test_denial_tells_role_source_and_remedy_but_not_the_value(world: World) -> None:
    token = world.token("read")
    assert token is not None
    with pytest.raises(errors.InsufficientRoleError) as denied:
        hubtoken.require_role("write", token)
    error = denied.value
    assert (error.required, error.actual) == ("write", "read")
    assert "/settings/tokens" in str(error.remedy_url)
    assert token.source in str(error)
    assert token.reveal()[3:-4] not in str(error)


def test_fine_grained_token_has_no_role_in_general(world: World) -> None:
    token = world.token("fine-grained")
    with pytest.raises(errors.InsufficientRoleError) as denied:
        hubtoken.require_role("write", token)
    assert names.SCRATCH in str(denied.value)
    assert hubtoken.require_role("write", token, repo=names.SCRATCH) == token


def test_refreshed_token_is_dead_when_asked_anew(world: World) -> None:
    name = world.new_name("refreshed")
    old = world.hub.create_token("alice", name=name, role="read")
    assert hubtoken.whoami(old).user == "alice"
    new = world.hub.refresh_token("alice", name)
    assert new != old
    with pytest.raises(errors.InvalidTokenError):
        hubtoken.whoami(old, max_age=0)
    assert hubtoken.whoami(new).token_name == name


def test_many_threads_make_one_request(world: World) -> None:
    token = world.new_token("alice", "read")
    before = world.hub.request_count("/api/whoami-v2")
    together = threading.Barrier(64)
    users: list[str | None] = []

    def ask() -> None:
        together.wait()
        users.append(hubtoken.whoami(token).user)

    threads = [threading.Thread(target=ask) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert users == ["alice"] * 64
    assert world.hub.request_count("/api/whoami-v2") - before == 1
