"""What `clear_cache()` drops, and what it leaves."""

from __future__ import annotations

import http.server
import threading
from typing import TYPE_CHECKING

import pytest

import hubtoken
from tests.python.helpers import handed_over
from tests.python.servers import http as answer
from tests.python.servers import identity, serving
from tests.python.test_tls import Answering

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubtoken import HubToken


def test_identities_of_callers_are_asked_for_again() -> None:
    with serving(identity()) as server:
        token = handed_over(endpoint=server.endpoint)
        assert hubtoken.identify(token).user == "alice"
        assert hubtoken.cached_identity(token) is not None
        hubtoken.clear_cache()
        assert hubtoken.cached_identity(token) is None
        assert hubtoken.identify(token).user == "alice"
        assert len(server.requests) == 2


def test_a_rejection_is_asked_for_again() -> None:
    with serving(answer(401)) as server:
        token = handed_over(endpoint=server.endpoint)
        for _ in range(2):
            with pytest.raises(hubtoken.InvalidTokenError):
                hubtoken.identify(token)
        assert len(server.requests) == 1
        hubtoken.clear_cache()
        with pytest.raises(hubtoken.InvalidTokenError):
            hubtoken.identify(token)
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    "ask",
    [hubtoken.whoami, lambda token: hubtoken.require_role("write", token)],
    ids=["whoami", "require_role"],
)
def test_what_the_disk_has_stays(ask: Callable[[HubToken], object]) -> None:
    with serving(identity()) as server:
        token = handed_over(endpoint=server.endpoint)
        ask(token)
        hubtoken.clear_cache()
        ask(token)
        assert len(server.requests) == 1
        assert hubtoken.whoami(token, max_age=0).user == "alice"
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    "ask",
    [hubtoken.whoami, lambda token: hubtoken.require_role("write", token)],
    ids=["whoami", "require_role"],
)
def test_without_the_disk_the_hub_is_asked_again(
    ask: Callable[[HubToken], object], clean_environment: pytest.MonkeyPatch
) -> None:
    clean_environment.setenv("HUBTOKEN_DISABLE_CACHE", "1")
    with serving(identity()) as server:
        token = handed_over(endpoint=server.endpoint)
        for asked in (1, 2):
            ask(token)
            ask(token)
            assert len(server.requests) == asked
            hubtoken.clear_cache()


def test_a_rate_limit_stays() -> None:
    with serving(answer(429, Retry_After="60")) as server:
        token = handed_over(endpoint=server.endpoint)
        for _ in range(2):
            with pytest.raises(hubtoken.RateLimitedError):
                hubtoken.identify(token, max_age=0)
            hubtoken.clear_cache()
        assert len(server.requests) == 1


def test_connections_are_made_anew() -> None:
    connections: list[object] = []

    class Keeping(Answering):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            """Count the connections, which serve any number of requests."""
            connections.append(self.client_address)
            super().setup()

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Keeping) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        token = handed_over(endpoint=f"http://127.0.0.1:{server.server_port}")
        for made in (1, 2):
            for _ in range(3):
                assert hubtoken.whoami(token, max_age=0).user == "alice"
            assert len(connections) == made
            hubtoken.clear_cache()
        server.shutdown()
