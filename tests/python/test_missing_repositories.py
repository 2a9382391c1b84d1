"""A repository or a namespace that does not exist, and what may have been meant by its name."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import warnings
from typing import TYPE_CHECKING, Any

import pytest

import hubtoken
from hubtoken.hub import Hub
from tests.environment import fake_token
from tests.python.helpers import handed_over
from tests.python.servers import Request, http, identity, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hubtoken import HubToken


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with Hub() as hub:
        for name in ("alice", "bob"):
            hub.create_user(name)
        hub.create_organization("acme")
        hub.set_member("acme", "alice", "write")
        hub.create_repository("alice/trained")
        hub.create_repository("alice/hidden", private=True)
        hub.create_repository("alice/numbers", type="dataset")
        hub.create_repository("alice/numberz", type="space")
        yield hub


@pytest.fixture
def token(hub: Hub) -> Iterator[HubToken]:
    """A write token of alice's, for a single test."""
    token = hub.create_token("alice", name="w", role="write")
    yield token
    hub.delete_token("alice", "w")


@pytest.fixture
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.usefixtures("quiet")
def test_a_missing_repository_is_logged_and_passes(
    token: HubToken, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="hubtoken")
    assert hubtoken.require_role("write", token, repo="alice/quite-another") is token
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("hubtoken", logging.INFO)
    hub = token.endpoint
    says = f"the model alice/quite-another does not exist on {hub} yet, and would be created"
    assert record.getMessage() == says
    caplog.clear()
    assert hubtoken.require_role("write", token, repo="alice/trained") is token
    assert hubtoken.require_role("write", token) is token
    assert caplog.records == []


@pytest.mark.parametrize(
    ("repo", "options", "says"),
    [
        ("alice/trainedd", {}, "did you mean alice/trained?"),
        ("trainde", {}, "did you mean alice/trained?"),
        ("alice/hiden", {}, "did you mean alice/hidden?"),
        ("alice/numbers", {}, 'there is a dataset of that name: repo_type="dataset"'),
        ("Alice/Numbers", {"repo_type": "space"}, 'repo_type="dataset"'),
        ("alice/numberz", {"repo_type": "dataset"}, "did you mean alice/numbers?"),
    ],
)
def test_what_may_have_been_meant_is_warned_of_once(
    repo: str, options: dict[str, Any], says: str, token: HubToken
) -> None:
    with pytest.warns(hubtoken.HubTokenWarning) as warned:
        assert hubtoken.require_role("write", token, repo=repo, **options) is token
    (warning,) = warned
    assert says in str(warning.message)
    assert warning.filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hubtoken.require_role("write", token, repo=repo, **options)
        hubtoken.require_permission("repo.write", token, repo=repo, **options)


@pytest.mark.parametrize("role", ["read", "write"])
def test_a_repository_that_must_exist(role: Any, hub: Hub, token: HubToken) -> None:
    for repo in ("alice/trained", "hidden", "datasets/alice/numbers"):
        assert hubtoken.require_role(role, token, repo=repo, must_exist=True) is token
    soon = f"alice/there-soon-to-{role}"
    with pytest.raises(hubtoken.RepositoryNotFoundError, match=soon) as caught:
        hubtoken.require_role(role, token, repo=soon, must_exist=True)
    assert "name may be wrong" in str(caught.value)
    hub.create_repository(soon)
    assert hubtoken.require_role(role, token, repo=soon, must_exist=True) is token


def test_a_repository_that_must_exist_is_looked_for_by_name(token: HubToken) -> None:
    for _ in range(2):
        with pytest.raises(hubtoken.RepositoryNotFoundError) as caught:
            hubtoken.require_role("write", token, repo="alice/traned", must_exist=True)
        assert "did you mean alice/trained?" in str(caught.value)
    with pytest.raises(hubtoken.RepositoryNotFoundError, match="datasets/alice/numbers"):
        hubtoken.require_role("write", token, repo="models/alice/numbers", must_exist=True)


def test_a_permission_of_no_auth_check_needs_a_repository_as_well(token: HubToken) -> None:
    for permission in ("repo.write", "repo.content.read", "discussion.write"):
        # A *yes* that does not depend on it does not report whether the repository exists.
        if permission == "discussion.write":
            hubtoken.require_permission(permission, token, repo="alice/not-there")
        with pytest.raises(hubtoken.RepositoryNotFoundError):
            hubtoken.require_permission(permission, token, repo="alice/not-there", must_exist=True)
        for _ in range(2):
            assert (
                hubtoken.require_permission(permission, token, repo="hidden", must_exist=True)
                is token
            )
    with pytest.raises(ValueError, match="repo="):
        hubtoken.require_permission("job.write", token, must_exist=True)
    with pytest.raises(ValueError, match="repo="):
        hubtoken.require_role("write", token, must_exist=True)


@pytest.mark.parametrize("permission", ["discussion.write", "job.write", "repo.access.read"])
def test_a_permission_on_a_missing_repository_passes_and_says_so(
    permission: str, hub: Hub, token: HubToken, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="hubtoken")
    repo = f"alice/mind-{permission.replace('.', '-')}"
    hub.create_repository(f"{repo}s")
    with pytest.warns(hubtoken.HubTokenWarning, match=f"did you mean {repo}s") as warned:
        assert hubtoken.require_permission(permission, token, repo=repo) is token
    assert len(warned) == 1
    (record,) = caplog.records
    says = f"the model {repo} does not exist on {token.endpoint} as far as the token can tell"
    assert record.getMessage() == says
    caplog.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert hubtoken.require_permission(permission, token, repo="alice/trained") is token
        assert hubtoken.require_permission(permission, token) is token
    assert caplog.records == []


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("answer", [http(429, Retry_After="60"), http(503), http(403, "No."), b""])
def test_a_look_for_a_repository_that_fails_changes_nothing(
    answer: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="hubtoken")
    with serving(lambda request: identity() if "whoami" in request.path else answer) as server:
        token = handed_over(endpoint=server.endpoint)
        assert hubtoken.require_permission("discussion.write", token, repo="alice/x") is token
        paths = [request.path for request in server.requests]
        assert "/api/models/alice/x/auth-check" in paths
        assert listings(server.requests) == []
        assert caplog.records == []


@pytest.mark.usefixtures("quiet")
def test_a_repository_that_is_there_is_looked_for_once() -> None:
    there = http(200, "OK")
    with serving(lambda request: identity() if "whoami" in request.path else there) as server:
        token = handed_over(endpoint=server.endpoint)
        for permission in ("discussion.write", "job.write", "discussion.write"):
            assert hubtoken.require_permission(permission, token, repo="alice/x") is token
        assert len(server.requests) == 2


ABSENT = [
    ("acmee/x", "did you mean `acme`?"),
    ("acmee/x", "there is no user or organization `acmee` on"),
    ("alcie/x", "did you mean `alice`?"),
    ("nowhere-at-all/x", "there is no user or organization `nowhere-at-all` on"),
]


@pytest.mark.parametrize(("repo", "says"), ABSENT)
def test_a_namespace_that_does_not_exist_is_said_to_be_missing(
    repo: str, says: str, hub: Hub, token: HubToken
) -> None:
    namespace = repo.partition("/")[0]
    read = hub.create_token("alice", name="r", role="read")
    fine = hub.create_token(
        "alice", name="f", role="fine-grained", scopes={"alice": ["repo.write"]}
    )
    asks: list[Callable[[], object]] = [
        lambda: hubtoken.require_role("write", token, repo=repo),
        lambda: hubtoken.require_permission("job.write", token, namespace=namespace),
        lambda: hubtoken.require_role("write", read, repo=repo),
        lambda: hubtoken.require_role("write", fine, repo=repo),
    ]
    for ask in asks:
        with pytest.raises(hubtoken.AccessDeniedError) as caught:
            ask()
        message = str(caught.value)
        assert says in message
        assert "not a member" not in message
        assert "Create a token" not in message
        assert caught.value.remedy_url is None
    for must_exist in (False, True):
        with pytest.raises(hubtoken.RepositoryNotFoundError) as missing:
            hubtoken.require_role("read", token, repo=repo, must_exist=must_exist)
        assert says in str(missing.value)
    hub.delete_token("alice", "r")
    hub.delete_token("alice", "f")


def test_a_namespace_that_exists_keeps_its_words(token: HubToken) -> None:
    with pytest.raises(hubtoken.InsufficientRoleError, match="alice is not a member of bob"):
        hubtoken.require_role("write", token, repo="bob/x")


def test_another_users_namespace_has_no_invitations(hub: Hub, token: HubToken) -> None:
    read = hub.create_token("alice", name="r", role="read")
    fine = hub.create_token(
        "alice", name="f", role="fine-grained", scopes={"alice": ["repo.write"]}
    )
    hub.create_repository("bob/there")
    asks: list[Callable[[], object]] = [
        lambda: hubtoken.require_role("write", token, repo="bob/there"),
        lambda: hubtoken.require_role("write", token, repo="bob/x"),
        lambda: hubtoken.require_role("write", read, repo="bob/x"),
        lambda: hubtoken.require_role("write", fine, repo="bob/there"),
        lambda: hubtoken.require_permission("job.write", fine, namespace="bob"),
    ]
    for ask in asks:
        with pytest.raises(hubtoken.InsufficientRoleError, match="only bob can write") as caught:
            ask()
        assert "invited" not in str(caught.value)
        assert "namespace of your own" in str(caught.value)
        assert caught.value.remedy_url is None
    # An organization has one.
    hub.create_organization("closed")
    with pytest.raises(hubtoken.InsufficientRoleError, match="ask to be invited"):
        hubtoken.require_role("write", token, repo="closed/x")
    for name in ("r", "f"):
        hub.delete_token("alice", name)


def test_a_namespace_of_its_own_hub_only_is_asked_for() -> None:
    who = identity(auth={"type": "oauth", "expiresAt": None})

    def answer(request: Request) -> bytes:
        return who if "whoami" in request.path else http(404, '{"error":"Not here"}')

    with serving(answer) as server:
        token = handed_over("hf_oauth_" + fake_token()[3:], server.endpoint)
        with pytest.raises(hubtoken.AccessDeniedError, match="no user or organization `acmee`"):
            hubtoken.require_role("write", token, repo="acmee/x")
        server.requests.clear()
        # An invalid name is never part of a path.
        with pytest.raises(ValueError, match="name of a user or an organization"):
            hubtoken.require_permission("job.write", token, namespace="../x?y")
        assert server.requests == []


def listings(requests: list[Request]) -> list[str]:
    return [request.path for request in requests if "author=" in request.path]


def overviews(requests: list[Request]) -> list[str]:
    return sorted(request.path for request in requests if "overview" in request.path)


def answering(rest: bytes, who: bytes | None = None) -> Callable[[Request], bytes]:
    """A Hub without the repository, which responds to everything else alike."""
    whoami = who or identity()

    def answer(request: Request) -> bytes:
        if "whoami" in request.path:
            return whoami
        if "auth-check" in request.path:
            return http(404, '{"error":"Repository not found"}', X_Error_Code="RepoNotFound")
        return rest

    return answer


BAD = {
    "rate limit": http(429, '{"error":"slow down"}', Retry_After="60"),
    "away": http(503),
    "portal": http(200, "<html>"),
    "nonsense": http(200, '{"id": ["alice/x"]}'),
    "escape": http(200, json.dumps([{"id": "alice/ne\x1b[31mw"}, {"id": "bob/new"}])),
    "nothing": b"",
}


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("name", BAD)
def test_a_listing_that_fails_changes_nothing(name: str) -> None:
    with serving(answering(BAD[name])) as server:
        token = handed_over(endpoint=server.endpoint)
        assert hubtoken.require_role("write", token, repo="alice/new") is token
        assert len(listings(server.requests)) == 3
        assert all(request.authorization for request in server.requests)
        # Once per name, whatever the outcome.
        assert hubtoken.require_role("write", token, repo="alice/new") is token
        assert len(listings(server.requests)) == 3


@pytest.mark.usefixtures("quiet")
def test_a_listing_that_hangs_is_not_waited_for() -> None:
    with serving(b"") as server:
        answer = answering(b"")

        def behavior(request: Request) -> bytes:
            return server.hang(request) if "author=" in request.path else answer(request)

        server.behavior = behavior
        token = handed_over(endpoint=server.endpoint)
        assert hubtoken.require_role("write", token, repo="alice/new") is token
        assert len(listings(server.requests)) == 3


@pytest.mark.parametrize("rest", [http(429, '{"error":"slow"}'), http(503), http(404, "gone"), b""])
def test_a_namespace_that_cannot_be_asked_about_keeps_its_words(rest: bytes) -> None:
    with serving(answering(rest)) as server:
        token = handed_over(endpoint=server.endpoint)
        with pytest.raises(hubtoken.InsufficientRoleError, match="alice is not a member of acmee"):
            hubtoken.require_role("write", token, repo="acmee/x")
        assert overviews(server.requests) == [
            "/api/organizations/acmee/overview",
            "/api/users/acmee/overview",
        ]


def test_nothing_is_looked_up_while_the_hub_limits_the_rate() -> None:
    """An identity is cached, and a request for a newer one was rate-limited."""
    limited = http(429, '{"error":"slow"}', Retry_After="60")
    with serving(answering(http(200, "[]"))) as server:
        token = handed_over(endpoint=server.endpoint)
        hubtoken.whoami(token)
        plain = server.behavior
        server.behavior = lambda request: limited if "whoami" in request.path else plain(request)
        with pytest.raises(hubtoken.RateLimitedError):
            hubtoken.whoami(token, max_age=0, max_stale=0)
        server.requests.clear()
        assert hubtoken.require_role("write", token, repo="alice/new") is token
        assert listings(server.requests) == []
        assert overviews(server.requests) == []


def test_logging_is_imported_only_where_there_is_something_to_log(hub: Hub) -> None:
    token = hub.create_token("alice", name="l", role="write")
    program = (
        "import sys, hubtoken\n"
        "token = sys.stdin.read()\n"
        f"hub = {token.endpoint!r}\n"
        "hubtoken.require_role('write', token, endpoint=hub, repo='alice/trained')\n"
        "assert 'logging' not in sys.modules\n"
        "hubtoken.require_role('write', token, endpoint=hub, repo='alice/brand-new')\n"
        "assert 'logging' in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=token.reveal(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    hub.delete_token("alice", "l")
