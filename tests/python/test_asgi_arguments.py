"""Arguments of the middleware that cannot be right: the call that makes it says so."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import pytest

import hubtoken
from hubtoken._core import is_known_permission
from hubtoken.asgi import TokenAuthentication, require_bearer
from tests.environment import fake_token
from tests.python.helpers import leaks

if TYPE_CHECKING:
    from collections.abc import Callable


async def application(_scope: Any, _receive: Any, _send: Any) -> None:
    """An application that is never reached."""
    raise AssertionError


@pytest.fixture(params=["middleware", "dependency"])
def make(request: pytest.FixtureRequest) -> Callable[..., object]:
    """Both ways to make a rule."""
    if request.param == "dependency":
        pytest.importorskip("fastapi")
        return require_bearer

    def middleware(require: Any = "read", **options: Any) -> object:
        return TokenAuthentication(application, require, **options)

    return middleware


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("require", value) for value in (5, True, 1.5, b"read", ["read"], {"read"}, object())),
        *(("repo", value) for value in (5, True, 1.5, b"a/b", ["a", "b"], {}, object())),
        *(("repo_type", value) for value in (5, None, b"model", ["model"])),
        *(("endpoint", value) for value in (5, True, b"https://hub.example", object())),
        *(("max_age", value) for value in ("60", [], object())),
        *(("timeout", value) for value in ("60", [], object())),
    ],
    ids=lambda part: part if isinstance(part, str) else type(part).__name__,
)
def test_a_wrong_type_is_a_type_error_that_names_the_argument(
    make: Callable[..., object], name: str, value: Any
) -> None:
    with pytest.raises(TypeError, match=rf"^{name}= takes a ") as caught:
        make(**{name: value})
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"require": ""}, "^require must be"),
        ({"require": "admin"}, "^require must be"),
        ({"require": "repo.wr\udcff"}, "^require= is not text"),
        ({"repo": ""}, "^repo must have"),
        ({"repo": "x"}, "^repo must have"),
        ({"repo": "a/b/c"}, "^repo must have"),
        ({"repo": "a/b c"}, "^repo=: a repository is written"),
        ({"repo": "a/\udcff"}, "^repo= is not text"),
        ({"repo": "a/b", "require": None}, "^repo needs require"),
        ({"repo_type": "bogus"}, "^repo_type=: a repository type is"),
        ({"repo_type": "bogus", "repo": "a/b"}, "^repo_type=: a repository type is"),
        ({"repo_type": "", "require": None}, "^repo_type=: a repository type is"),
        ({"endpoint": "https://hub\udcff.example"}, "^endpoint= is not text"),
        ({"max_age": -1}, "^max_age must be"),
        ({"timeout": 0}, "^timeout must be"),
    ],
    ids=ascii,
)
def test_a_wrong_word_is_a_value_error_that_names_the_argument(
    make: Callable[..., object], options: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        make(**options)


@pytest.mark.parametrize("endpoint", ["", "x", "ftp://x", "http://hub.example", "https://a:b@c.d"])
@pytest.mark.parametrize("is_ambient", [False, True])
def test_an_endpoint_that_gets_no_token_is_told_at_the_start(
    make: Callable[..., object],
    endpoint: str,
    is_ambient: bool,
    clean_environment: pytest.MonkeyPatch,
) -> None:
    if not is_ambient:
        with pytest.raises(hubtoken.UntrustedEndpointError, match="endpoint="):
            make(endpoint=endpoint)
    elif endpoint:
        clean_environment.setenv("HF_ENDPOINT", endpoint)
        with pytest.raises(hubtoken.UntrustedEndpointError):
            make()


@pytest.mark.parametrize(
    "endpoint", [None, "https://hub.example", "http://127.0.0.1:1", "http://hub.localhost:8080/"]
)
def test_an_endpoint_that_may_get_tokens_is_accepted(
    make: Callable[..., object], endpoint: str | None
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make(endpoint=endpoint)
        make(None, endpoint=endpoint, repo_type="dataset", max_age=0, timeout=1)
        make("repo.write", repo="acme/x", repo_type="space")


@pytest.mark.parametrize(
    ("public", "kind", "says"),
    [
        (5, TypeError, "^public= takes a collection"),
        ([5], TypeError, "^public= takes paths"),
        (b"/healthz", TypeError, "^public= takes paths"),
        ("/healthz", ValueError, "^public must be"),
        (["healthz"], ValueError, "public= begins with a slash"),
    ],
)
def test_public_is_a_collection_of_paths(public: Any, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says):
        TokenAuthentication(application, public=public)


@pytest.mark.parametrize("app", [None, "read", 5])
def test_what_cannot_be_called_is_no_application(app: Any) -> None:
    with pytest.raises(TypeError, match=r"^app= takes an ASGI application"):
        TokenAuthentication(app)


@pytest.mark.parametrize(
    "name",
    ["repowrite", "repo-write", "repo:write", "repo..write", "repo.wirte", "writ", "everything"],
)
def test_what_the_core_says_of_a_permission_is_said_here(
    make: Callable[..., object], name: str
) -> None:
    with pytest.raises(ValueError, match="permission") as of_core:
        is_known_permission(name)
    with pytest.raises(ValueError, match=r"^require must be") as caught:
        make(name)
    assert str(caught.value).endswith(str(of_core.value))


@pytest.mark.parametrize(
    "form", ["{0}", "x.{0}", "{0}.x", "a.{0}.b", "hf_oauth_{1}.x", "sk-proj-{1}.x", "a.ghp_{1}"]
)
def test_a_token_in_place_of_a_permission_is_not_repeated(
    make: Callable[..., object], form: str
) -> None:
    value = fake_token()
    word = form.format(value, value.removeprefix("hf_"))
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with pytest.raises(ValueError, match=r"^require must be") as caught:
            make(word)
    assert warned == []
    assert leaks(f"{caught.value!r}", value) == []
    assert caught.value.__cause__ is None


def test_a_token_in_place_of_anything_else_is_not_repeated(make: Callable[..., object]) -> None:
    value = fake_token()
    for name in ("repo", "repo_type", "endpoint", "max_age", "timeout"):
        for word in (value, f"acme/{value}", [value]):
            with pytest.raises((TypeError, ValueError, hubtoken.UntrustedEndpointError)) as caught:
                make(**{name: word})
            assert leaks(f"{caught.value!r}", value) == []
    with pytest.raises(TypeError) as of_app:
        TokenAuthentication(value)  # type: ignore[arg-type]
    assert leaks(f"{of_app.value!r}", value) == []
