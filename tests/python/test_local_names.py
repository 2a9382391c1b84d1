"""The names of this machine (RFC 6761): hubtoken looks none of them up, and other programs do."""

from __future__ import annotations

import httpx
import pytest
import requests

import hubtoken
from tests.python.helpers import handed_over
from tests.python.servers import Server, identity, serving

NAMES = ("localhost.", "hub.localhost", "HUB.a.LocalHost", "hub.localhost.")
# Nothing listens there.
NOWHERE = "http://127.0.0.1:9"


def endpoint_of(server: Server, host: str) -> str:
    return f"http://{host}:{server.server_address[1]}"


@pytest.mark.parametrize("host", [*NAMES, "localhost", "127.0.0.1"])
def test_own_requests_reach_this_machine(host: str, clean_environment: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "ALL_PROXY"):
        clean_environment.setenv(name, NOWHERE)
    with serving(identity()) as server:
        assert hubtoken.whoami(handed_over(endpoint=endpoint_of(server, host))).user == "alice"
        port = server.server_address[1]
        assert server.requests[0].headers["host"] == f"{host.lower()}:{port}"


@pytest.mark.parametrize(
    "host", ["[::ffff:127.0.0.1]", "[::FFFF:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]"]
)
def test_a_mapped_address_is_the_address_that_it_maps(host: str) -> None:
    with serving(identity()) as server:
        token = handed_over(endpoint=endpoint_of(server, host))
        assert token.endpoint == server.endpoint
        assert hubtoken.whoami(token).user == "alice"
        assert "Authorization" in token.headers(f"{endpoint_of(server, host)}/x")
        assert token.environ({})["HF_ENDPOINT"] == server.endpoint


@pytest.mark.parametrize("host", NAMES)
def test_other_programs_get_no_token_for_a_name_that_they_look_up(
    host: str, alone: pytest.MonkeyPatch
) -> None:
    with serving(identity()) as server:
        endpoint = endpoint_of(server, host)
        token = handed_over(endpoint=endpoint)
        for send in (requests.get, httpx.get):
            with pytest.raises(hubtoken.UntrustedEndpointError, match="look up that name"):
                send(f"{endpoint}/api", auth=token)
        with pytest.raises(hubtoken.UntrustedEndpointError, match="http://localhost"):
            token.headers(f"{endpoint}/api")
        with pytest.raises(hubtoken.UntrustedEndpointError):
            token.environ({})
        alone.setenv("HF_ENDPOINT", endpoint)
        with pytest.raises(hubtoken.UntrustedEndpointError):
            token.activate()
        assert server.requests == []


def test_the_user_may_name_even_such_a_host(clean_environment: pytest.MonkeyPatch) -> None:
    clean_environment.setenv("HUBTOKEN_INSECURE_HOSTS", "hub.localhost")
    token = handed_over(endpoint="http://hub.localhost:8080")
    assert "Authorization" in token.headers("http://hub.localhost:8080/x")
    assert token.environ({})["HF_ENDPOINT"] == "http://hub.localhost:8080"


@pytest.mark.parametrize(
    "host",
    [
        "localhost%2e",
        "localhost..",
        ".localhost",
        "xlocalhost",
        "localhost.example",
        "localhost\u3002",
        "\u24dbocalhost",
        "127.1",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "017700000001",
        "127.0.0.1.",
        "[::1%25lo]",
        "[::1%lo]",
        "[::127.0.0.1]",
        "[::ffff:10.0.0.1]",
        "[::ffff:0:127.0.0.1]",
        "0.0.0.0",  # noqa: S104 - nobody listens there
        "[::]",
    ],
)
def test_what_only_resembles_this_machine_is_refused(host: str) -> None:
    with pytest.raises(hubtoken.UntrustedEndpointError):
        handed_over(endpoint=f"http://{host}:8080")
    token = handed_over(endpoint="http://127.0.0.1:8080")
    with pytest.raises(hubtoken.UntrustedEndpointError):
        token.headers(f"http://{host}:8080/x")
