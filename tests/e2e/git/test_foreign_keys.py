"""The real git with hubtoken as its helper: a key of another service is sent to no Hub."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.e2e.support.guarded import GuardedServer
from tests.e2e.support.runner import SCRIPTS
from tests.environment import fake_token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.support.runner import Runner

KEY = "ghp_FakeFakeFakeFakeFakeFakeFakeFakeFake"


@contextmanager
def guarded() -> Iterator[GuardedServer]:
    with GuardedServer('Basic realm="hub"', "Basic none-will-do") as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(60)


HELPERS = (f"{SCRIPTS / 'git-credential-hubtoken'}", f"{SCRIPTS / 'hubtoken'} git-credential")


@pytest.mark.parametrize("helper", HELPERS)
@pytest.mark.parametrize("value", [KEY, "hf_"])
def test_git_gets_tokens_and_no_keys_of_another_service(
    helper: str, value: str, runner: Runner
) -> None:
    value = fake_token() if value == "hf_" else value
    with guarded() as server:
        variables = {
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "HF_ENDPOINT": server.endpoint,
            "HF_TOKEN": value,
        }
        done = runner.run(
            *("git", "-c", f"credential.helper=!{helper}"),
            *("ls-remote", f"{server.endpoint}/alice/tiny.git"),
            variables=variables,
        )
        assert done.returncode != 0
        assert value not in done.stderr
        presented = [header for header in server.presented if header is not None]
        if value == KEY:
            assert presented == []
            assert "a token of GitHub" in done.stderr
            assert "HF_TOKEN" in done.stderr
        else:
            assert presented != []
