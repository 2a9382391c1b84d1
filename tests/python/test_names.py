"""The names of users and organizations are validated before a request is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import hubtoken
from hubtoken.asgi import TokenAuthentication, require_bearer
from tests.environment import fake_token
from tests.python.helpers import handed_over
from tests.python.servers import identity, serving
from tests.python.test_denials import command

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOT_NAMES = [
    "",
    " ",
    "../x",
    "acme inc",
    "acmee?x=1",
    "evil.example/\n",
    "al\x1b[31mice",
    "al\u202eice",
    "https://huggingface.co/acme",
    "a" * 97,
    fake_token(),
    "ghp_" + fake_token()[3:],
]


async def nobody(_scope: Any, _receive: Any, _send: Any) -> None:
    """An application that is never reached."""
    raise AssertionError


def is_harmless(message: str, name: str) -> bool:
    """Whether a message cannot control a terminal and repeats no token."""
    return message.isprintable() and (name.strip() not in message or len(name) < 30)


@pytest.mark.parametrize("name", NOT_NAMES, ids=range(len(NOT_NAMES)))
def test_what_cannot_be_a_namespace_is_a_value_error(name: str) -> None:
    with serving(identity()) as server:
        token = handed_over(endpoint=server.endpoint)
        who = hubtoken.whoami(token)
        server.requests.clear()
        asks: list[Callable[[], object]] = [
            lambda: hubtoken.require_permission("job.write", token, namespace=name),
            lambda: hubtoken.authorize(who, "write", namespace=name),
            lambda: hubtoken.authorize(who, "job.write", namespace=name),
        ]
        for ask in asks:
            with pytest.raises(ValueError, match="letters, digits") as caught:
                ask()
            assert is_harmless(str(caught.value), name)
        assert server.requests == []


@pytest.mark.parametrize("name", NOT_NAMES[:-2])
def test_what_cannot_be_a_namespace_is_wrong_usage(home: Path, name: str) -> None:
    with serving(identity()) as server:
        token = handed_over(endpoint=server.endpoint)
        words = ["require", "--permission", "job.write", f"--namespace={name}"]
        code, said = command(home, token, *words)
        assert (code, server.requests) == (2, [])
        assert is_harmless(said.replace("\n", ""), name)


@pytest.mark.parametrize("repo", ["alice/", "/x", "alice/a b", "../x", "alice/x\x1b[31m", "a?/x"])
@pytest.mark.parametrize(
    "make",
    [
        lambda **options: TokenAuthentication(nobody, "read", **options),
        lambda **options: require_bearer("read", **options),
    ],
)
def test_a_server_with_a_repository_that_cannot_be_does_not_start(
    make: Callable[..., object], repo: str
) -> None:
    with pytest.raises(ValueError, match="a repository is written") as caught:
        make(repo=repo)
    assert str(caught.value).isprintable()
    with pytest.raises(ValueError, match="type"):
        make(repo="alice/x", repo_type="modle")
