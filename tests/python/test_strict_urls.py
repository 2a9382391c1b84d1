"""Every client sends a request for an approved URL to the host and port it was approved for."""

from __future__ import annotations

import os
import socketserver
import subprocess
import threading
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

import hubtoken
from hubtoken import UntrustedEndpointError
from tests.environment import fake_token
from tests.python.helpers import handed_over, leaks
from tests.python.servers import identity, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubtoken import HubToken

ENDPOINTS = (
    "https://huggingface.co",
    "http://127.0.0.1:8080",
    "http://localhost:8080",
    "http://[::1]:8080",
    "https://hub.example:8443",
)
DEADLINE = 60.0
# What parsers disagree about, before, in and after the host.
PIECES = (
    *("@", "\\", "/", "//", ":", "?", "#", ";", "%40", "%2f", "%5c", "%00", ".", "..", "\t", "\n"),
    *("\r", " ", "\x00", "\x7f", "\u00a0", "\u3002", "\uff0f", "\uff20", "é", "[", "]", "&", "|"),
    *("evil.example", "localhost", "127.0.0.1", "0x7f.1", ":80", ":8080", ":0", ":080", "user"),
    *("huggingface.co", "https://", "http:", "a", "-", "_", "{x}", "[1-3]", "'", '"', "^", "`"),
)

tokens: dict[str, HubToken] = {}


def token_of(endpoint: str) -> HubToken:
    """One token for each endpoint: what differs is the URL."""
    if endpoint not in tokens:
        tokens[endpoint] = handed_over(fake_token(), endpoint)
    return tokens[endpoint]


def approves(endpoint: str, url: str) -> bool:
    """Whether the token of an endpoint would be added to a request for this URL."""
    try:
        token_of(endpoint).headers(url)
    except UntrustedEndpointError:
        return False
    return True


def place(text: str) -> tuple[str, int]:
    """The host and the port of an endpoint."""
    parts = urlsplit(text)
    port = parts.port or {"https": 443, "http": 80}[parts.scheme]
    return (parts.hostname or "", port)


def plain(host: str | None) -> str:
    return (host or "").lower().removeprefix("[").removesuffix("]")


def readings(url: str) -> Iterator[tuple[str, tuple[str, int]]]:
    """The addresses that the clients would connect to, each by its own parser."""
    usual = {"https": 443, "http": 80}
    parts = urlsplit(url)
    yield "urllib.parse", (plain(parts.hostname), parts.port or usual[parts.scheme])
    legacy = urllib.request.Request(url)  # noqa: S310 - parsed, not opened
    host = urlsplit(f"//{legacy.host}")
    yield "urllib.request", (plain(host.hostname), host.port or usual[legacy.type])
    prepared = requests.Request("GET", url).prepare()
    with requests.Session() as session:
        adapter = session.get_adapter(url=prepared.url or "")
        assert isinstance(adapter, requests.adapters.HTTPAdapter)
        pool = adapter.get_connection_with_tls_context(prepared, verify=True)
        assert pool.port is not None
        yield "requests", (plain(pool.host), pool.port)
    read = httpx.URL(url)
    yield "httpx", (plain(read.raw_host.decode("ascii")), read.port or usual[read.scheme])


def own_url(endpoint: str) -> st.SearchStrategy[str]:
    """URLs that start like the endpoint, and continue with what parsers disagree about."""
    pieces = st.lists(st.sampled_from(PIECES), max_size=5).map("".join)
    scheme, rest = endpoint.split("://")
    return st.one_of(
        st.builds(
            lambda scheme, before, after: f"{scheme}{before}{rest}{after}",
            st.sampled_from((f"{scheme}://", scheme.upper() + "://", f"{scheme}:/", f"{scheme}:")),
            st.one_of(st.just(""), pieces),
            pieces,
        ),
        st.builds(lambda path: f"{endpoint}/{path}", pieces),
        st.builds(lambda start, path: f"{start}{path}", pieces, pieces),
    )


@settings(max_examples=600, deadline=None)
@given(data=st.data())
def test_what_is_approved_goes_where_it_was_approved_for(data: st.DataObject) -> None:
    endpoint = data.draw(st.sampled_from(ENDPOINTS))
    url = data.draw(own_url(endpoint))
    if not approves(endpoint, url):
        return
    expected = place(endpoint)
    for client, read in readings(url):
        assert read == expected, (client, url)


class Proxy(socketserver.ThreadingTCPServer):
    """Records where clients want to connect, and connects none of them."""

    daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), _Tunnel)


class _Tunnel(socketserver.StreamRequestHandler):
    server: Proxy

    def handle(self) -> None:
        line = self.rfile.readline().decode("latin-1").split()
        while self.rfile.readline().strip():
            pass
        self.server.asked.append(line[1])
        self.wfile.write(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


@contextmanager
def proxying() -> Iterator[Proxy]:
    with Proxy() as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join(DEADLINE)


def curl_connects(urls: list[str]) -> list[str]:
    """The addresses that the real curl wants to connect to for each of the URLs, in order."""

    def quoted(text: str) -> str:
        return text.replace("\\", "\\\\").replace('"', '\\"')

    config = "".join(f'url = "{quoted(url)}"\noutput = "{os.devnull}"\n' for url in urls)
    with proxying() as proxy:
        address = f"http://127.0.0.1:{proxy.server_address[1]}"
        subprocess.run(
            ["curl", "-q", "-s", "-g", "-p", "-x", address, "--noproxy", "", "-K", "-"],
            input=config,
            env={"PATH": os.environ["PATH"]},
            text=True,
            capture_output=True,
            check=False,
            timeout=DEADLINE,
        )
        return proxy.asked


# Approved ones with everything that is allowed in a path, a query and a fragment.
APPROVED = (
    "/",
    "",
    "?",
    "#",
    "?@evil.example/",
    "#@evil.example/",
    "/@evil.example/",
    "/:80@evil.example/",
    "/a//b/../c;d",
    "/%5c@evil.example/%2f%00",
    "/{x}[1-3]",
    "?x=//evil.example/&y=http://evil.example",
    "/'\"^`|",
)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_curl_goes_where_a_url_was_approved_for(endpoint: str) -> None:
    scheme, rest = endpoint.split("://")
    urls = [start + end for start in (endpoint, f"{scheme.upper()}://{rest}") for end in APPROVED]
    assert [url for url in urls if not approves(endpoint, url)] == []
    host, port = place(endpoint)
    expected = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    assert curl_connects(urls) == [expected] * len(urls)


@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_curl_goes_where_made_up_urls_were_approved_for(data: st.DataObject) -> None:
    endpoint = data.draw(st.sampled_from(ENDPOINTS))
    made = data.draw(st.lists(own_url(endpoint), min_size=60, max_size=120))
    # curl reads its configuration line by line, and cannot be given a line break.
    urls = [url for url in made if approves(endpoint, url)]
    host, port = place(endpoint)
    expected = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    assert curl_connects(urls) == [expected] * len(urls), urls


# `{own}` is the endpoint's host and port, `{other}` those of a server that must not see the token.
ODD = (
    "http://{own}\\@{other}/f",
    "http://{own}/\\@{other}/f",
    "http://{own}@{other}/f",
    "http://user@{own}/f",
    "http://user:secret@{own}/f",
    "http://@{own}/f",
    "http:{own}/f",
    "http:/{own}/f",
    "http:///{own}/f",
    "http:\\\\{own}/f",
    " http://{own}/f",
    "http://{own}/f\n",
    "http://{own}/f g",
    "ht\ttp://{own}/f",
    "http://\t{own}/f",
    "http://%31{own}/f",
    "http://\uff11{own}/f",
    "http://0x7f.1:{port}/f",
    "http://127.1:{port}/f",
    "http://2130706433:{port}/f",
    "http://0177.0.0.1:{port}/f",
    "http://127.0.0.1.:{port}/f",
    "http://127.0.0.1:/f",
    "http://127.0.0.1:0{port}/f",
    "http://127.0.0.1:0/f",
    "http://127.0.0.1:65536/f",
    "http://127.0.0.1:+{port}/f",
)


@pytest.mark.parametrize("template", ODD)
def test_an_oddly_written_url_is_refused_by_headers_and_auth(template: str) -> None:
    value = fake_token()
    with serving(identity()) as own, serving(identity()) as other:
        port = own.server_address[1]
        url = template.format(
            own=f"127.0.0.1:{port}", other=f"localhost:{other.server_address[1]}", port=port
        )
        token = handed_over(value, own.endpoint)
        with pytest.raises(UntrustedEndpointError) as caught:
            token.headers(f"{url}?secret=hunter2" if not url.endswith("\n") else url)
        assert leaks(str(caught.value), value) == []
        assert "hunter2" not in str(caught.value)
        assert "/f" not in str(caught.value)
        for ask in (with_requests, with_httpx):
            ask(url, token)
        for server in (own, other):
            for request in server.requests:
                # A library may repair the URL before `auth=` sees it; then the token is sent to its
                # own Hub and to no other.
                assert server is own or request.authorization is None


def with_requests(url: str, token: Any) -> None:
    try:
        requests.get(url, auth=token, timeout=DEADLINE)
    except (UntrustedEndpointError, requests.RequestException, hubtoken.HubTokenWarning):
        return


def with_httpx(url: str, token: Any) -> None:
    try:
        httpx.get(url, auth=token, timeout=DEADLINE)
    except (UntrustedEndpointError, httpx.HTTPError, httpx.InvalidURL, hubtoken.HubTokenWarning):
        return


@pytest.mark.parametrize(
    "text",
    [
        "https://huggingface.co\\@evil.example",
        "https://huggingface.co@evil.example",
        "https://huggingface.co\n",
        " https://huggingface.co",
        "https://hugging%66ace.co",
        "https://\uff48uggingface.co",
        "https://huggingface.co:0443",
        "https://huggingface.co:",
        "https:/huggingface.co",
        "http://127.1:8080",
    ],
)
def test_an_oddly_written_endpoint_is_refused_wherever_it_is_named(
    text: str, clean_environment: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    for ask in (hubtoken.resolve_token, hubtoken.whoami, hubtoken.identify, hubtoken.login):
        with pytest.raises(UntrustedEndpointError, match="endpoint"):
            ask(fake_token(), endpoint=text)
    with pytest.raises(UntrustedEndpointError):
        hubtoken.HubToken(fake_token(), endpoint=text)
    clean_environment.setenv("HF_TOKEN", fake_token())
    clean_environment.setenv("HF_ENDPOINT", text)
    with pytest.raises(UntrustedEndpointError, match="HF_ENDPOINT"):
        hubtoken.resolve_token()
    clean_environment.delenv("HF_TOKEN")
    clean_environment.delenv("HF_ENDPOINT")
    # In the file the URL is quoted, and whitespace around it does not count.
    text = text.strip()
    if text == "https://huggingface.co":
        return
    configuration = tmp_path / "home" / "config" / "hubtoken" / "config.toml"
    configuration.parent.mkdir(parents=True)
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n")
    configuration.write_text(f'token_file = "/nowhere"\nendpoint = "{escaped}"\n')
    with pytest.raises(UntrustedEndpointError):
        hubtoken.resolve_token()


@pytest.mark.parametrize(
    "location", ["/\\{other}/x", "\\\\{other}/x", "http://{own}\\@{other}/x", "http:/{other}/x"]
)
def test_an_oddly_written_redirect_is_not_followed(location: str) -> None:
    with serving(identity()) as own, serving(identity()) as other:
        names = {
            "own": own.endpoint.removeprefix("http://"),
            "other": other.endpoint.removeprefix("http://"),
        }
        target = location.format(**names)
        body = b"HTTP/1.1 302 Found\r\nLocation: " + target.encode() + b"\r\nContent-Length: 0\r\n"
        own.behavior = lambda _: body + b"Connection: close\r\n\r\n"
        with pytest.raises(hubtoken.VerdictUnknownError, match="redirects"):
            hubtoken.whoami(fake_token(), endpoint=own.endpoint)
        assert len(own.requests) == 1
        assert other.requests == []


@pytest.mark.parametrize(
    "address", ["http://proxy.example\\@127.0.0.1:1", "http://proxy.example:0", "http://0x7f.1:1"]
)
def test_an_oddly_written_proxy_is_refused(
    address: str, clean_environment: pytest.MonkeyPatch
) -> None:
    clean_environment.setenv("HTTPS_PROXY", address)
    with pytest.raises(UntrustedEndpointError, match="proxy"):
        hubtoken.whoami(fake_token(), endpoint="https://hub.example")
