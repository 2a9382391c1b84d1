"""The debug log of requests: what was asked of whom, in Python's `logging`, without a secret."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

import hubtoken
from hubtoken.hub import Hub
from tests.environment import HANG_LIMIT, child_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOGGER = "hubtoken.http"


@pytest.fixture
def hub(clean_environment: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A Hub with alice, to which ambient tokens belong."""
    with Hub() as running:
        running.create_user("alice")
        for name, value in running.environ().items():
            clean_environment.setenv(name, value)
        yield running


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == LOGGER]


def test_a_request_is_logged_with_its_outcome_and_no_secret(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    hub.create_repository("alice/model", private=True)
    token = hub.create_token("alice", name="log", role="read")
    caplog.set_level(logging.DEBUG, logger="hubtoken")
    hubtoken.require_role("read", token, repo="alice/model")
    whoami, check = (record for record in caplog.records if record.name == LOGGER)
    method, host, path, status, duration = whoami.args or ()
    assert (method, f"http://{host}", path, status) == (
        "GET",
        hub.endpoint,
        "/api/whoami-v2",
        "200",
    )
    assert isinstance(duration, float)
    assert duration > 0
    assert whoami.levelno == logging.DEBUG
    assert "/api/models/alice/model/auth-check: 200" in check.getMessage()
    assert token.reveal() not in caplog.text
    caplog.clear()
    hubtoken.require_role("read", token, repo="alice/model")
    assert messages(caplog) == []


def test_a_refusal_is_logged_with_its_status(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="hubtoken")
    with pytest.raises(hubtoken.InvalidTokenError):
        hubtoken.whoami("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX", endpoint=hub.endpoint)
    (message,) = messages(caplog)
    assert "/api/whoami-v2: 401" in message
    assert "hf_Fake" not in message


def test_a_failure_is_logged_with_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="hubtoken")
    with pytest.raises(hubtoken.HubUnreachableError):
        hubtoken.whoami("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX", endpoint="http://127.0.0.1:1")
    (message,) = messages(caplog)
    assert message.startswith("GET 127.0.0.1:1/api/whoami-v2: ")
    assert "200" not in message


def test_a_handler_may_call_hubtoken(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    first, second = (
        hub.create_token("alice", name=name, role="read") for name in ("first", "second")
    )
    names: list[str] = []

    class Handler(logging.Handler):
        def emit(self, _record: logging.LogRecord) -> None:
            if not names:
                names.append("asked")
                names.append(hubtoken.whoami(second).token_name or "")

    handler = Handler()
    logger = logging.getLogger(LOGGER)
    logger.addHandler(handler)
    caplog.set_level(logging.DEBUG, logger=LOGGER)
    try:
        hubtoken.whoami(first)
    finally:
        logger.removeHandler(handler)
    assert names == ["asked", "second"]


def test_every_request_of_many_threads_is_logged_once(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = [hub.create_token("alice", name=f"t{number}", role="read") for number in range(8)]
    caplog.set_level(logging.DEBUG, logger=LOGGER)
    threads = [threading.Thread(target=hubtoken.whoami, args=(token,)) for token in tokens]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(messages(caplog)) == len(tokens)


def test_a_log_that_is_not_read_costs_nothing(
    hub: Hub, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    token = hub.create_token("alice", name="quiet", role="read")
    caplog.set_level(logging.INFO, logger="hubtoken")
    hubtoken.whoami(token)
    caplog.set_level(logging.DEBUG, logger="hubtoken")
    hubtoken.whoami(token, max_age=0)
    assert len(messages(caplog)) == 1
    program = "import sys, hubtoken; hubtoken.whoami(); assert 'logging' not in sys.modules"
    variables = token.environ(child_environment(home))
    subprocess.run([sys.executable, "-c", program], env=variables, check=True, timeout=HANG_LIMIT)
