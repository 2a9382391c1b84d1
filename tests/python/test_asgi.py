"""Middleware for third-party servers, in-process: who is admitted, and what the others receive."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from hubtoken.asgi import TokenAuthentication
from hubtoken.hub import Hub
from tests.environment import HANG_LIMIT, child_environment, fake_token
from tests.python.helpers import ROOT
from tests.python.servers import http, identity, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHALLENGE = 'Bearer realm="Hugging Face Hub"'


@dataclass
class Answer:
    """The outcome of a request."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    scopes: list[Any] = field(default_factory=list)

    @property
    def status(self) -> int:
        """The status; 200 if the application was reached."""
        return 200 if self.scopes else int(self.messages[0]["status"])

    def header(self, name: str) -> str | None:
        """A header of a rejection."""
        found = dict(self.messages[0]["headers"]).get(name.lower().encode())
        return None if found is None else found.decode()

    @property
    def body(self) -> Any:
        """The body of a rejection."""
        return json.loads(self.messages[1]["body"])


async def ask(middleware_options: dict[str, Any], *authorization: str, **scope: Any) -> Answer:
    """Send one request through the middleware."""
    answer = Answer()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert receive is not None
        assert send is not None
        answer.scopes.append(scope)

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        answer.messages.append(message)

    headers = [(b"host", b"x"), *((b"authorization", value.encode()) for value in authorization)]
    whole = {"type": "http", "path": "/", "headers": headers, **scope}
    await TokenAuthentication(app, **middleware_options)(whole, receive, send)
    return answer


def bearer(value: str) -> str:
    return f"Bearer {value}"


def basic(pair: str) -> str:
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    """A Hub with alice, bob, and a private and a public model of alice's."""
    with Hub() as running:
        running.create_user("alice")
        running.create_user("bob")
        running.create_repository("alice/private", private=True)
        running.create_repository("alice/public")
        yield running


def token(hub: Hub, role: Any = "read", user: str = "alice", **options: Any) -> str:
    return hub.create_token(user, name=fake_token()[-8:], role=role, **options).reveal()


def test_who_is_let_in_and_what_the_others_hear(hub: Hub) -> None:
    read, write = token(hub), token(hub, "write")
    scopes = {"alice/private": ["repo.content.read"], "alice": ["inference.serverless.write"]}
    fine = token(hub, "fine-grained", scopes=scopes)
    bob = token(hub, user="bob")
    private, public = {"repo": "alice/private"}, {"repo": "alice/public"}
    inference = "inference.serverless.write"
    for require, on, value, status in [
        ("read", {}, read, 200),
        ("read", {}, write, 200),
        ("read", {}, fine, 403),
        ("write", {}, read, 403),
        ("write", {}, write, 200),
        (None, {}, fine, 200),
        (inference, {}, read, 200),
        (inference, {}, fine, 200),
        ("read", private, read, 200),
        ("read", private, fine, 200),
        ("read", private, bob, 403),
        ("write", private, fine, 403),
        ("write", private, read, 403),
        ("write", private, write, 200),
        # Only the Hub knows that it is public.
        ("read", public, bob, 200),
        ("write", public, bob, 403),
    ]:
        options = {"require": require, "endpoint": hub.endpoint, **on}
        answer = asyncio.run(ask(options, bearer(value)))
        assert answer.status == status, (require, on, status)
        if status == 403:
            challenge = answer.header("WWW-Authenticate") or ""
            assert challenge.startswith(f'{CHALLENGE}, error="insufficient_scope", error_desc')
            assert value not in str(answer.messages)
            assert value[-4:] not in str(answer.messages)


def test_missing_and_bad_tokens_are_told_apart(hub: Hub) -> None:
    options = {"endpoint": hub.endpoint}
    for nothing in [(), ("Digest x",), ("",)]:
        answer = asyncio.run(ask(options, *nothing))
        assert (answer.status, answer.header("WWW-Authenticate")) == (401, CHALLENGE)
        assert answer.body == {"error": "A Hub access token is required, as a bearer token"}
    unknown = fake_token()
    for authorization in [
        bearer(unknown),
        bearer("sk-another-service"),
        bearer(""),
        bearer("hf_****abcd"),
        basic(f"alice:{unknown}"),
        "Basic !",
        "Basic /w==",
        basic(":"),
        bearer("hf_é"),
    ]:
        answer = asyncio.run(ask(options, authorization))
        assert answer.status == 401, authorization
        challenge = answer.header("WWW-Authenticate") or ""
        assert challenge.startswith(f'{CHALLENGE}, error="invalid_token"'), authorization
        assert unknown not in str(answer.messages)
    two = asyncio.run(ask(options, bearer(token(hub)), bearer(token(hub))))
    assert two.status == 400
    assert 'error="invalid_request"' in (two.header("WWW-Authenticate") or "")


def test_basic_authentication_does_as_well(hub: Hub) -> None:
    value = token(hub)
    for pair in (f"alice:{value}", f":{value}", f"{value}:"):
        assert asyncio.run(ask({"endpoint": hub.endpoint}, basic(pair))).status == 200


def test_the_application_finds_the_caller_and_its_own_state(hub: Hub) -> None:
    state = {"pool": 1}
    answer = asyncio.run(ask({"endpoint": hub.endpoint}, bearer(token(hub)), state=state))
    [scope] = answer.scopes
    assert scope["hubtoken.identity"].user == "alice"
    assert scope["state"] == {"pool": 1, "identity": scope["hubtoken.identity"]}
    assert state == {"pool": 1}


@pytest.mark.parametrize("denial", [True, False])
def test_a_websocket_is_refused_before_it_is_accepted(hub: Hub, denial: bool) -> None:
    extensions: dict[str, Any] = {"websocket.http.response": {}} if denial else {}
    websocket = {"type": "websocket", "extensions": extensions}
    refused = asyncio.run(ask({"endpoint": hub.endpoint}, **websocket))
    kinds = [message["type"] for message in refused.messages]
    if denial:
        assert kinds == ["websocket.http.response.start", "websocket.http.response.body"]
        assert refused.messages[0]["status"] == 401
    else:
        assert kinds == ["websocket.close"]
    let_in = asyncio.run(ask({"endpoint": hub.endpoint}, bearer(token(hub)), **websocket))
    assert (len(let_in.scopes), let_in.messages) == (1, [])


def test_what_needs_no_token_passes() -> None:
    nobody = "http://127.0.0.1:1"
    assert asyncio.run(ask({"endpoint": nobody}, type="lifespan")).status == 200
    options = {"endpoint": nobody, "public": ("/healthz",)}
    assert asyncio.run(ask(options, path="/healthz")).status == 200
    for path in ("/healthz/", "/healthz/../x", "/other"):
        assert asyncio.run(ask(options, path=path)).status == 401
    with pytest.raises(RuntimeError, match="telnet"):
        asyncio.run(ask(options, type="telnet"))


def test_a_hub_that_cannot_say_denies_nothing() -> None:
    limited = http(429, "", RateLimit='"api";r=0;t=7', Retry_After="7")
    for answer, status, again in [(limited, 429, "7"), (http(500), 503, "5")]:
        with serving(answer) as server:
            refused = asyncio.run(ask({"endpoint": server.endpoint}, bearer(fake_token())))
        assert (refused.status, refused.header("Retry-After")) == (status, again)
        assert refused.header("WWW-Authenticate") is None
    refused = asyncio.run(ask({"endpoint": "http://127.0.0.1:1"}, bearer(fake_token())))
    assert (refused.status, refused.header("Retry-After")) == (503, "5")


def test_the_loop_goes_on_while_the_hub_is_asked() -> None:
    asked, goes_on = threading.Event(), threading.Event()
    slow, quick = fake_token(), fake_token()

    def behave(request: Any) -> bytes:
        if request.authorization == f"Bearer {slow}":
            asked.set()
            assert goes_on.wait(HANG_LIMIT)
        return identity()

    async def both(endpoint: str) -> list[int]:
        options = {"endpoint": endpoint}
        first = asyncio.create_task(ask(options, bearer(slow)))
        await asyncio.to_thread(asked.wait, 60)
        # Admitted on a loop that would otherwise be blocked.
        second = await ask(options, bearer(quick))
        third = await ask(options, bearer(quick))
        assert not first.done()
        goes_on.set()
        return [(await first).status, second.status, third.status]

    with serving(behave) as server:
        assert asyncio.run(both(server.endpoint)) == [200, 200, 200]
        assert len(server.requests) == 2


def test_so_many_wait_for_the_hub_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    from hubtoken import asgi

    monkeypatch.setattr(asgi, "_WAITING", 2)
    monkeypatch.setattr(asgi, "_threads", asgi._Threads())  # noqa: SLF001 - with the new bound
    goes_on = threading.Event()

    def behave(_request: Any) -> bytes:
        assert goes_on.wait(HANG_LIMIT)
        return identity()

    async def crowd(endpoint: str) -> list[int]:
        tasks = [
            asyncio.create_task(ask({"endpoint": endpoint}, bearer(fake_token()))) for _ in range(3)
        ]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        statuses = [task.result().status for task in done]
        goes_on.set()
        return statuses + [(await task).status for task in tasks if task not in done]

    with serving(behave) as server:
        assert asyncio.run(crowd(server.endpoint)) == [503, 200, 200]
        # The slots are free again.
        again = asyncio.run(ask({"endpoint": server.endpoint}, bearer(fake_token())))
        assert again.status == 200


@pytest.mark.parametrize(
    "options",
    [
        {"require": "admin"},
        {"require": None, "repo": "alice/x"},
        {"repo": "x"},
        {"public": "/healthz"},
    ],
)
def test_what_makes_no_sense_is_told_at_the_start(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"require|repo|public"):
        asyncio.run(ask(options))


def test_nothing_but_the_standard_library_is_imported(home: Path) -> None:
    program = (
        "import sys, hubtoken.asgi\n"
        "allowed = sys.stdlib_module_names | {'hubtoken', '__mp_main__'}\n"
        "names = {name.partition('.')[0] for name in sys.modules}\n"
        "print(sorted(name for name in names - allowed if not name.startswith(('_', 'sitec'))))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=child_environment(home),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def code_of_the_page(beginning: str) -> str:
    page = (ROOT / "docs" / "servers.md").read_text(encoding="utf-8")
    codes: list[str] = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    [code] = [code for code in codes if code.startswith(beginning)]
    return code


def test_the_pages_middleware_guards() -> None:
    names: dict[str, Any] = {}
    exec(code_of_the_page("from hubtoken.asgi import TokenAuthentication"), names)  # noqa: S102 - the page's own code
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    scope = {"type": "http", "path": "/", "headers": []}
    asyncio.run(names["app"](scope, None, send))
    assert messages[0]["status"] == 401


def test_the_pages_routes_guard() -> None:
    pytest.importorskip("fastapi")
    names: dict[str, Any] = {}
    exec(code_of_the_page("from fastapi"), names)  # noqa: S102 - the page's own code
    operation = names["api"].openapi()["paths"]["/models/{name}"]["post"]
    assert operation["security"] == [{"HubToken": []}]
    assert [parameter["name"] for parameter in operation["parameters"]] == ["name"]
