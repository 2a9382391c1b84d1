"""A project's configuration: its profile, the role that it needs, its repository."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import hubtoken
from hubtoken.hub import Hub
from tests.environment import fake_token
from tests.python.helpers import ambient, answer_of, handed_over, leaks, run_program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hubtoken import HubToken


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    """Alice, who has a model, and who may read in acme."""
    with Hub() as hub:
        hub.create_user("alice")
        hub.create_organization("acme")
        hub.set_member("acme", "alice", "read")
        hub.create_repository("alice/model", private=True)
        hub.create_repository("alice/numbers", type="dataset", private=True)
        yield hub


@pytest.fixture(scope="module")
def token(hub: Hub) -> HubToken:
    """Alice's write token."""
    return hub.create_token("alice", name="w", role="write")


def project(text: str, name: str = "hubtoken.toml") -> Path:
    """Write the project's file."""
    path = Path.cwd() / name
    path.write_text(text)
    hubtoken.clear_cache()
    return path


def checks(hub: Hub, token: HubToken, role: Any = None, **options: Any) -> list[str]:
    """The checks that `require_role` sends to the Hub."""
    paths = [
        f"/api/{kind}/{name}/auth-check{end}"
        for kind, name in (("models", "alice/model"), ("datasets", "alice/numbers"))
        for end in ("", "/write")
    ]
    before = [hub.request_count(path) for path in paths]
    assert hubtoken.require_role(role, token, max_age=0, **options) is token
    after = [hub.request_count(path) for path in paths]
    return [path for path, old, new in zip(paths, before, after, strict=True) if new > old]


def test_the_projects_role_and_repository_count_where_nothing_is_said(
    hub: Hub, token: HubToken
) -> None:
    with pytest.raises(ValueError, match="name a role"):
        hubtoken.require_role(token=token)
    project('role = "write"\nrepo = "alice/model"')
    assert checks(hub, token) == ["/api/models/alice/model/auth-check/write"]
    assert checks(hub, token, "read") == ["/api/models/alice/model/auth-check"]
    assert checks(hub, token, repo="datasets/alice/numbers") == [
        "/api/datasets/alice/numbers/auth-check/write"
    ]
    assert checks(hub, token, repo=False) == []
    project('[tool.hubtoken]\nrole = "read"\nrepo = "datasets/alice/numbers"', "pyproject.toml")
    # The nearest `hubtoken.toml` takes precedence.
    assert checks(hub, token) == ["/api/models/alice/model/auth-check/write"]
    os.remove("hubtoken.toml")  # noqa: PTH107 - relative, as the configuration is looked for
    hubtoken.clear_cache()
    assert checks(hub, token) == ["/api/datasets/alice/numbers/auth-check"]


def test_the_projects_repository_is_checked_and_named(token: HubToken) -> None:
    project('role = "write"\nrepo = "acme/model"')
    with pytest.raises(hubtoken.InsufficientRoleError, match="acme/model") as caught:
        hubtoken.require_role(token=token)
    assert caught.value.target == "acme/model"
    assert hubtoken.require_role(token=token, repo=False) is token
    # Most finer permissions do not apply to repositories.
    assert hubtoken.require_permission("inference.serverless.write", token) is token


def test_a_warm_answer_is_the_projects_of_now(hub: Hub, token: HubToken) -> None:
    project('role = "write"\nrepo = "alice/model"')
    assert hubtoken.require_role(token=token) is token
    before = hub.request_count()
    assert hubtoken.require_role(token=token) is token
    assert hub.request_count() == before
    project('role = "write"\nrepo = "acme/model"')
    with pytest.raises(hubtoken.InsufficientRoleError):
        hubtoken.require_role(token=token)


@pytest.mark.parametrize(
    "text",
    ['role = "god"', 'repo = "a/b/c/d"', "repo = 3", "role", 'token_command = ["x"]'],
)
def test_a_broken_project_is_told_where_it_counts(text: str, token: HubToken) -> None:
    project(text)
    for role in ("write", None):
        with pytest.raises(hubtoken.ConfigurationError, match=r"hubtoken\.toml"):
            hubtoken.require_role(role, token)
    assert hubtoken.require_role("write", token, repo=False) is token


@pytest.mark.parametrize(
    "text",
    [
        'token_command = ["x"]',
        'endpoint = "https://evil.example"',
        'token = "{}"',
        "[",
        'shade = "red"',
    ],
)
@pytest.mark.parametrize(
    "call",
    [
        hubtoken.resolve_token,
        lambda: hubtoken.resolve_token(True),
        hubtoken.get_token,
        hubtoken.whoami,
        lambda: hubtoken.require_permission("job.write"),
        lambda: hubtoken.require_role("write", repo=False),
        lambda: hubtoken.require_role("write", repo="alice/model"),
    ],
)
def test_an_invalid_project_is_warned_about_where_a_variable_has_the_token(
    call: Callable[[], object],
    text: str,
    hub: Hub,
    token: HubToken,
    clean_environment: pytest.MonkeyPatch,
) -> None:
    secret = fake_token()
    # A name of its own, since a process warns of each file once.
    folder = Path(tempfile.mkdtemp(dir=Path.cwd()))
    clean_environment.chdir(folder)
    clean_environment.setenv("HF_ENDPOINT", hub.endpoint)
    clean_environment.setenv("HF_TOKEN", token.reveal())
    project(text.replace("{}", secret))
    with pytest.warns(hubtoken.HubTokenWarning, match=r"hubtoken\.toml") as caught:
        call()
    (warning,) = caught
    assert leaks(str(warning.message), secret) == []
    hubtoken.clear_cache()
    call()
    # Its role and its repository would count here.
    for options in ({"role": "write"}, {"repo": False}):
        with pytest.raises(hubtoken.ConfigurationError, match=r"hubtoken\.toml"):
            hubtoken.require_role(**options)


def test_the_users_file_adds_what_the_project_leaves_out(
    hub: Hub, token: HubToken, home: Path
) -> None:
    user = home / "config" / "hubtoken" / "config.toml"
    user.parent.mkdir(parents=True)
    user.write_text('role = "write"\nrepo = "datasets/alice/numbers"')
    project('profile = "ci"')
    assert checks(hub, token) == ["/api/datasets/alice/numbers/auth-check/write"]
    # The user's role, and the project's repository.
    project('repo = "alice/model"')
    assert checks(hub, token) == ["/api/models/alice/model/auth-check/write"]
    # The project's role is never checked on the user's repository.
    project('role = "read"')
    assert checks(hub, token) == []


@pytest.mark.parametrize("repo", [True, 3, b"a/b", ["a/b"]])
def test_a_repository_is_a_text_or_false(repo: Any, token: HubToken) -> None:
    with pytest.raises(TypeError, match="repo= takes a str, False or None"):
        hubtoken.require_role("write", token, repo=repo)


def test_a_folder_that_is_gone_is_no_project(
    tmp_path: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone" / "further"
    gone.mkdir(parents=True)
    clean_environment.chdir(gone)
    gone.rmdir()
    with pytest.raises(hubtoken.TokenNotFoundError):
        hubtoken.resolve_token()
    clean_environment.setenv("HF_TOKEN", fake_token())
    assert ambient().source == "env:HF_TOKEN"
    assert hubtoken.explain().source == "env:HF_TOKEN"
    with pytest.raises(ValueError, match="name a role"):
        hubtoken.require_role()


def test_a_folder_that_vanishes_while_it_is_looked_through(
    tmp_path: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    """Folders come and go during the search, which always ends with a valid result."""
    clean_environment.setenv("HF_TOKEN", fake_token())
    inner = tmp_path / "a" / "b" / "c"
    inner.mkdir(parents=True)
    clean_environment.chdir(inner)
    done = threading.Event()

    def disturb() -> None:
        while not done.is_set():
            for text in ('role = "write"', 'role = "read"'):
                (tmp_path / "a" / "hubtoken.toml").write_text(text)
                (tmp_path / "a" / "b").rename(tmp_path / "a" / "moved")
                (tmp_path / "a" / "moved").rename(tmp_path / "a" / "b")
            (tmp_path / "a" / "hubtoken.toml").unlink()

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        for _ in range(300):
            hubtoken.clear_cache()
            assert hubtoken.explain().source == "env:HF_TOKEN"
    finally:
        done.set()
        thread.join()


def test_a_command_hands_out_the_token(home: Path) -> None:
    """Once for many threads; its failure is reported, and Ctrl-C ends the wait for it."""
    value = fake_token()
    answer = answer_of(run_program("command", home, {"value": value}))
    assert answer["source"] == ["command:sh"] * 16
    assert answer["same"]
    assert answer["runs"] == 1
    assert "StoreError" in answer["failure"]
    assert "code 7" in answer["failure"]
    assert answer["interrupted"] == "KeyboardInterrupt"


def test_a_token_is_still_the_callers(token: HubToken) -> None:
    """With a default target, the token that was passed is still the one that is checked."""
    project('role = "write"\nrepo = "alice/model"')
    dead = handed_over(endpoint=token.endpoint)
    with pytest.raises(hubtoken.InvalidTokenError):
        hubtoken.require_role(token=dead)
