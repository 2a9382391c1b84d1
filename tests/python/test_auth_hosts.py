"""`auth=`: a token of huggingface.co is sent to that Hub's own other hosts, and to no others."""

from __future__ import annotations

import asyncio
import io
import warnings
from itertools import count
from typing import Any

import httpx
import pytest
import requests
from requests.adapters import BaseAdapter

from hubtoken import HubTokenWarning, UntrustedEndpointError
from tests.environment import fake_token
from tests.python.helpers import handed_over, leaks

SIBLINGS = (
    "https://router.huggingface.co/v1/chat/completions",
    "https://api.endpoints.huggingface.cloud/v2/endpoint/alice",
    "https://datasets-server.huggingface.co/rows?dataset=alice/numbers",
    "https://api-inference.huggingface.co/models/alice/tiny",
)
FOREIGN = (
    "https://alice-{}.hf.space/",
    "https://a{}.us-east-1.aws.endpoints.huggingface.cloud/",
    "https://cdn-{}.huggingface.co/",
    "https://router.huggingface.co.evil{}.example/",
    "https://hub{}.example/",
    "http://plain{}.huggingface.co/",
)
# Each server is warned about once per process, so each test uses another one.
number = count()


def fresh(template: str) -> str:
    return template.format(next(number))


class Sent(BaseAdapter):
    """Sends nothing: responds as configured, and records what would have been sent."""

    def __init__(self, *answers: tuple[int, str]) -> None:
        super().__init__()
        self.answers = list(answers)
        self.requests: list[requests.PreparedRequest] = []

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        """Respond as configured."""
        self.requests.append(request)
        response = requests.Response()
        response.status_code, location = self.answers.pop(0) if self.answers else (200, "")
        response.headers["Location"] = location
        response.request = request
        response.url = request.url or ""
        response.raw = io.BytesIO()
        return response

    def close(self) -> None:
        """There is nothing to close."""


def headers_of_requests(url: str, token: Any, *answers: tuple[int, str]) -> list[str | None]:
    """The `Authorization` of each request that `requests` makes."""
    adapter = Sent(*answers)
    with requests.Session() as session:
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        session.post(url, auth=token, timeout=1)
    return [request.headers.get("Authorization") for request in adapter.requests]


def headers_of_httpx(url: str, token: Any, *answers: tuple[int, str]) -> list[str | None]:
    """The same of `httpx`."""
    left, seen = list(answers), []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("Authorization"))
        status, location = left.pop(0) if left else (200, "")
        return httpx.Response(status, headers={"Location": location} if location else {})

    transport = httpx.MockTransport(answer)
    with httpx.Client(transport=transport, follow_redirects=True) as client:
        client.post(url, auth=token)
    return seen


def headers_of_async_httpx(url: str, token: Any) -> list[str | None]:
    """The same of its asynchronous client."""
    seen: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("Authorization"))
        return httpx.Response(200)

    async def post() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            await client.post(url, auth=token)

    asyncio.run(post())
    return seen


ALL = (headers_of_requests, headers_of_httpx, headers_of_async_httpx)


@pytest.mark.parametrize("url", SIBLINGS)
@pytest.mark.parametrize("ask", ALL)
def test_a_token_of_the_public_hub_goes_to_its_own_other_hosts(ask: Any, url: str) -> None:
    value = fake_token()
    token = handed_over(value)
    assert ask(url, token) == [f"Bearer {value}"]
    assert token.headers(url) == {"Authorization": f"Bearer {value}"}


@pytest.mark.parametrize("url", SIBLINGS)
@pytest.mark.parametrize(
    "change",
    [
        lambda url: url.replace("https://", "http://"),
        lambda url: url.replace(".co/", ".co:8443/").replace(".cloud/", ".cloud:8443/"),
    ],
)
def test_not_over_plain_http_or_another_port(url: str, change: Any) -> None:
    token = handed_over()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HubTokenWarning)
        assert headers_of_requests(change(url), token) == [None]
        assert headers_of_httpx(change(url), token) == [None]
    with pytest.raises(UntrustedEndpointError):
        token.headers(change(url))


def test_a_token_of_another_hub_does_not_go_there() -> None:
    for endpoint in ("https://hub.example", "https://hub-ci.huggingface.co"):
        token = handed_over(endpoint=endpoint)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", HubTokenWarning)
            assert headers_of_requests(SIBLINGS[0], token) == [None]
        with pytest.raises(UntrustedEndpointError):
            token.headers(SIBLINGS[0])


@pytest.mark.parametrize("template", FOREIGN)
@pytest.mark.parametrize("ask", ALL)
def test_another_host_gets_no_header_and_one_warning_says_so(ask: Any, template: str) -> None:
    value = fake_token()
    token = handed_over(value)
    url = fresh(template)
    with pytest.warns(HubTokenWarning) as record:
        assert [ask(each, token) for each in (url, f"{url}again")] == [[None], [None]]
    [warning] = record
    text = str(warning.message)
    assert url.rstrip("/") in text
    assert "https://huggingface.co" in text
    assert ".reveal()" in text
    assert leaks(text, value) == []
    assert warning.filename == __file__
    with pytest.raises(UntrustedEndpointError, match="reveal"):
        token.headers(url)


def test_a_warning_that_is_an_error_stops_each_request() -> None:
    url, token = fresh(FOREIGN[0]), handed_over()
    for _ in range(2):
        with pytest.raises(HubTokenWarning):
            headers_of_requests(url, token)


@pytest.mark.parametrize("ask", [headers_of_requests, headers_of_httpx])
def test_no_redirect_takes_the_token_along(ask: Any) -> None:
    value = fake_token()
    for start in ("https://huggingface.co/api/x", SIBLINGS[3]):
        for end in (fresh(FOREIGN[0]), fresh(FOREIGN[4]), "http://huggingface.co/x"):
            sent = ask(start, handed_over(value), (307, end))
            assert sent == [f"Bearer {value}", None], (start, end)


def test_what_is_no_address_gets_no_header() -> None:
    class Message:
        def __init__(self, url: object) -> None:
            self.url = url
            self.headers: dict[str, str] = {}

    token = handed_over()
    for url in ("", None, "huggingface.co", "ftp://huggingface.co/"):
        assert token(Message(url)).headers == {}
    for url in ("https:/huggingface.co", "\thttps://huggingface.co", "HTTPS:\\\\huggingface.co"):
        with pytest.raises(UntrustedEndpointError):
            token(Message(url))
