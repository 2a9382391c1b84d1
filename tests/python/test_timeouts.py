"""`timeout=` is one caller's budget for a whole call, whoever sends the requests."""

from __future__ import annotations

import threading

import pytest

import hubtoken
from hubtoken._core import identify_anew, require_of_caller
from tests.environment import fake_token
from tests.python.helpers import DEADLINE, handed_over
from tests.python.servers import Request, identity, serving


def test_a_caller_with_more_time_takes_over_when_the_first_one_gives_up() -> None:
    with serving(b"") as server:
        gave_up = threading.Event()

        def respond(request: Request) -> bytes:
            if request is server.requests[0]:
                return server.hang(request)
            # Otherwise, the answer might arrive while the first caller still looks for one.
            assert gave_up.wait(DEADLINE)
            return identity()

        server.behavior = respond
        value = fake_token()
        failures: list[BaseException] = []

        def give_up() -> None:
            try:
                hubtoken.whoami(value, endpoint=server.endpoint, timeout=0.2)
            except hubtoken.HubUnreachableError as error:
                failures.append(error)
            finally:
                gave_up.set()

        hasty = threading.Thread(target=give_up, daemon=True)
        hasty.start()
        assert server.asked.wait(DEADLINE)
        token = handed_over(value, endpoint=server.endpoint)
        assert hubtoken.whoami(token, timeout=DEADLINE).user == "alice"
        hasty.join(DEADLINE)
        assert "no answer within 0.2 seconds" in str(failures[0])
        assert len(server.requests) == 2


def test_what_a_server_has_spent_on_a_caller_counts() -> None:
    with serving(identity()) as server:
        for call in (
            lambda: identify_anew(fake_token(), endpoint=server.endpoint, timeout=5, spent=6),
            lambda: require_of_caller(
                "read",
                fake_token(),
                repo="alice/tiny",
                endpoint=server.endpoint,
                timeout=5,
                spent=6,
            ),
        ):
            with pytest.raises(hubtoken.HubUnreachableError, match="no answer within 5 seconds"):
                call()
        assert server.requests == []
        user = identify_anew(fake_token(), endpoint=server.endpoint, timeout=DEADLINE, spent=1).user
        assert user == "alice"
    with pytest.raises(ValueError, match="spent"):
        identify_anew(fake_token(), endpoint="http://127.0.0.1:9", spent=-1)
