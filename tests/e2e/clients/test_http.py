"""Plain HTTP clients, bearer and basic: as strings, and with the token object as `auth=`."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.support.matrix import Case, cases
from tests.e2e.support.world import PRIVATE
from tests.environment import HANG_LIMIT

if TYPE_CHECKING:
    from tests.e2e.support.runner import Runner
    from tests.e2e.support.world import World

PATHS = {"whoami": "/api/whoami-v2", "file": f"/{PRIVATE}/resolve/main/config.json"}


def authorization(scheme: str, value: str | None) -> dict[str, str]:
    """The header as a program without any library writes it."""
    if value is None:
        return {}
    if scheme == "bearer":
        return {"Authorization": f"Bearer {value}"}
    pair = base64.b64encode(f"anyone:{value}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


def url_of(world: World, operation: str) -> tuple[str, str]:
    """The scheme and the address of an operation such as `bearer whoami`."""
    scheme, _, what = operation.partition(" ")
    return scheme, world.endpoint + PATHS[what]


@pytest.mark.parametrize("case", cases("requests"), ids=str)
def test_requests(world: World, case: Case) -> None:
    import requests

    scheme, url = url_of(world, case.operation)
    headers = authorization(scheme, world.value(case.kind))
    with requests.get(url, headers=headers, timeout=HANG_LIMIT) as answer:
        assert str(answer.status_code) == case.expected


@pytest.mark.parametrize("case", cases("httpx"), ids=str)
def test_httpx(world: World, case: Case) -> None:
    import httpx

    scheme, url = url_of(world, case.operation)
    headers = authorization(scheme, world.value(case.kind))
    answer = httpx.get(url, headers=headers, timeout=HANG_LIMIT, trust_env=False)
    assert str(answer.status_code) == case.expected


@pytest.mark.parametrize("case", cases("curl"), ids=str)
def test_curl(world: World, runner: Runner, case: Case) -> None:
    scheme, url = url_of(world, case.operation)
    value = world.value(case.kind)
    # Through stdin: an argument would be visible to every user of the machine.
    config = [f'url = "{url}"', "silent", 'output = "/dev/null"', 'write-out = "%{http_code}"']
    if value is not None and scheme == "bearer":
        config.append(f'header = "Authorization: Bearer {value}"')
    elif value is not None:
        config.append(f'user = "anyone:{value}"')
    done = runner.run("curl", "--config", "-", stdin="\n".join(config))
    assert done.stdout == case.expected, done.stderr


def get(library: str, url: str, token: Any) -> Any:
    """GET with the token object as `auth=`, redirects followed."""
    if library == "requests":
        import requests

        return requests.get(url, auth=token, timeout=HANG_LIMIT)
    import httpx

    return httpx.get(url, auth=token, timeout=HANG_LIMIT, trust_env=False, follow_redirects=True)


@pytest.mark.parametrize("library", ["requests", "httpx"])
def test_token_is_an_auth_object(world: World, library: str) -> None:
    answer = get(library, world.endpoint + PATHS["whoami"], world.token("read"))
    assert answer.status_code == 200
    assert answer.json()["auth"]["accessToken"]["displayName"] == "read"


@pytest.mark.parametrize("library", ["requests", "httpx"])
def test_auth_object_tells_another_origin_nothing_and_the_caller_why(
    world: World, make_server: Any, library: str
) -> None:
    import hubtoken

    other = make_server()
    with pytest.warns(hubtoken.HubTokenWarning, match="no token was sent to") as record:
        answer = get(library, f"{other.endpoint}/api/whoami-v2", world.token("read"))
    assert [warning.filename for warning in record] == [__file__]
    assert answer.status_code == 200
    assert [headers["Authorization"] for headers in other.seen] == [None]


@pytest.mark.parametrize("library", ["requests", "httpx"])
def test_token_does_not_follow_a_redirect_elsewhere(
    world: World, make_server: Any, library: str
) -> None:
    import hubtoken

    elsewhere = make_server()
    hub = make_server(location=f"{elsewhere.endpoint}/stolen")
    value = world.value("read")
    token = hubtoken.resolve_token(value, endpoint=hub.endpoint)
    assert get(library, f"{hub.endpoint}/api/whoami-v2", token).status_code == 200
    assert [headers["Authorization"] for headers in hub.seen] == [f"Bearer {value}"]
    assert [headers["Authorization"] for headers in elsewhere.seen] == [None]


@pytest.mark.parametrize("library", ["requests", "httpx"])
def test_basic_auth_pair(world: World, library: str) -> None:
    token = world.token("read")
    assert token is not None
    answer = get(library, world.endpoint + PATHS["file"], token.basic_auth())
    assert answer.status_code == 200
    assert answer.json() == {"model_type": "bert"}


def test_child_process_gets_the_token_by_its_environment(world: World, runner: Runner) -> None:
    token = world.token("fine-grained")
    assert token is not None
    environment = token.environ(runner.environment())
    assert environment["HF_ENDPOINT"] == world.endpoint
    done = runner.run("hf", "auth", "whoami", "--format", "json", variables=environment)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["user"] == "alice"
