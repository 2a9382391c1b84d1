"""Programs that log in by a code, which a user enters in a real browser."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import chromium
from tests.e2e.support.approving import log_in
from tests.e2e.support.runner import Runner
from tests.python.helpers import leaks

if TYPE_CHECKING:
    from tests.e2e.support.browsing import Desk

pytestmark = pytest.mark.skipif(chromium.find() is None, reason="there is no Chromium here")

SCRIPTS = Path(sys.executable).parent
LOGINS = "/settings/logins"
WAYS = {
    "hubtoken": [str(SCRIPTS / "hubtoken"), "login"],
    "hf": [str(SCRIPTS / "hf"), "auth", "login"],
}


@pytest.mark.parametrize("way", WAYS)
def test_a_login_from_the_code_to_its_end(desk: Desk, home: Path, way: str) -> None:
    runner = Runner(home=home, endpoint=desk.hub.endpoint)
    alice = desk.sit()
    page = alice.sign_in()

    def approve(code: str) -> None:
        # The address that the program names.
        page.goto("/oauth/device")
        page.get_by_label("Code").fill(code.lower().replace("-", " "))
        alice.press("Continue")
        page.get_by_role("heading", name="Log in the program?").wait_for()
        shown = page.locator("main").inner_text()
        for part in ("Hugging Face CLI and libraries", alice.name, code, "127.0.0.1"):
            assert part in shown
        assert "The address of this browser" in shown
        assert desk.hub.list_logins(alice.name) == []
        alice.press("Approve")
        assert "is logged in as" in page.get_by_role("status").inner_text()

    ended = log_in(runner, WAYS[way], approve)
    assert ended.code == 0, ended.shown
    whoami = json.loads(runner.run("hubtoken", "whoami", "--json").stdout)
    assert whoami["identity"]["user"] == alice.name

    alice.follow("Connected Logins")
    row = page.get_by_role("row", name="Hugging Face CLI and libraries")
    assert "Everything that you may do" in row.inner_text()
    value = (home / "huggingface" / "token").read_text(encoding="utf-8")
    assert leaks(page.content(), value) == []
    row.get_by_role("link").click()
    alice.press("End the login")
    assert page.get_by_text("No program is logged in as you.").is_visible()
    ended_whoami = json.loads(runner.run("hubtoken", "whoami", "--json").stdout)
    assert ended_whoami["error"]["kind"] == "InvalidTokenError"
    assert alice.complaints == []


def test_a_link_only_fills_in_and_the_program_can_be_denied(desk: Desk, home: Path) -> None:
    runner = Runner(home=home, endpoint=desk.hub.endpoint)
    alice = desk.sit()
    page = alice.page

    def deny(code: str) -> None:
        page.goto(f"/oauth/device?user_code={code}")
        # It is still there after the sign-in.
        alice.sign_in()
        assert page.get_by_label("Code").input_value() == code
        page.get_by_label("Code").press("Enter")
        page.get_by_role("heading", name="Log in the program?").wait_for()
        alice.press("Deny")
        page.get_by_role("heading", name="Return to the program").wait_for()
        assert "was denied" in page.get_by_role("status").inner_text()

    ended = log_in(runner, WAYS["hubtoken"], deny)
    assert ended.code != 0
    assert "denied" in ended.shown
    assert desk.hub.list_logins(alice.name) == []
    assert alice.complaints == []
