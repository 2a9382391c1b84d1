"""Third-party servers: FastAPI under uvicorn, guarded by a dependency and by the middleware."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.support.matrix import Case, cases
from tests.e2e.support.world import PRIVATE, SCRATCH
from tests.environment import HANG_LIMIT, fake_token
from tests.python.servers import http, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.support.world import World

pytest.importorskip("fastapi")

# By operation in the table: what is required, and on what.
RULES = {"read": ("read", PRIVATE), "write": ("write", SCRATCH)}


@contextmanager
def running(app: Any) -> Iterator[str]:
    """An application under uvicorn, in its own thread."""
    import uvicorn

    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(HANG_LIMIT)


def application(endpoint: str) -> Any:
    """A route for each rule, and under `/inside` an application within the middleware."""
    from fastapi import Depends, FastAPI, Request
    from fastapi.responses import JSONResponse

    from hubtoken.asgi import TokenAuthentication, require_bearer

    async def inside(scope: Any, receive: Any, send: Any) -> None:
        identity = Request(scope).state.identity
        assert identity is scope["hubtoken.identity"]
        await JSONResponse(identity.user)(scope, receive, send)

    app = FastAPI()
    for name, (require, repo) in RULES.items():
        guard = require_bearer(require, repo=repo, endpoint=endpoint)

        @app.get(f"/dependency/{name}")
        async def by_dependency(identity: Any = Depends(guard)) -> str:  # noqa: B008, FAST002 - created here
            return str(identity.user)

        app.mount(
            f"/middleware/{name}",
            TokenAuthentication(inside, require, repo=repo, endpoint=endpoint),
        )
    return app


@pytest.fixture(scope="module")
def server(world: World) -> Iterator[str]:
    """The application, in front of the shared Hub."""
    with running(application(world.endpoint)) as url:
        yield url


def get(url: str, value: str | None, **options: Any) -> Any:
    import httpx

    headers = {} if value is None else {"Authorization": f"Bearer {value}"}
    return httpx.get(url, headers=headers, timeout=HANG_LIMIT, trust_env=False, **options)


@pytest.mark.parametrize("how", ["dependency", "middleware"])
@pytest.mark.parametrize("case", cases("asgi"), ids=str)
def test_matrix(world: World, server: str, how: str, case: Case) -> None:
    value = world.value(case.kind)
    answer = get(f"{server}/{how}/{case.operation}/", value, follow_redirects=True)
    assert str(answer.status_code) == case.expected, answer.text
    if answer.status_code == 200:
        assert answer.json() == "alice"
        return
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith("Bearer realm=")
    error = {401: "invalid_token", 403: "insufficient_scope"}[answer.status_code]
    assert (f'error="{error}"' in challenge) == (value is not None)
    assert value is None or value not in f"{answer.text} {answer.headers}"


@pytest.mark.parametrize("how", ["dependency", "middleware"])
def test_basic_authentication_does_as_well(world: World, server: str, how: str) -> None:
    value = world.value("read")
    assert value is not None
    answer = get(f"{server}/{how}/read/", None, auth=("anyone", value), follow_redirects=True)
    assert (answer.status_code, answer.json()) == (200, "alice")


def test_openapi_shows_the_scheme(server: str) -> None:
    document = get(f"{server}/openapi.json", None).json()
    scheme = document["components"]["securitySchemes"]["HubToken"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    route = document["paths"]["/dependency/read"]["get"]
    assert route["security"] == [{"HubToken": []}]
    assert "parameters" not in route


@pytest.mark.parametrize("how", ["dependency", "middleware"])
def test_a_hub_that_cannot_say_denies_nothing(how: str) -> None:
    limited = http(429, "", RateLimit='"api";r=0;t=7', Retry_After="7")
    with serving(limited) as hub, running(application(hub.endpoint)) as url:
        answer = get(f"{url}/{how}/read/", fake_token(), follow_redirects=True)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    with running(application("http://127.0.0.1:1")) as url:
        answer = get(f"{url}/{how}/read/", fake_token(), follow_redirects=True)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert "www-authenticate" not in answer.headers
