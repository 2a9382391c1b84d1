"""The pages over https: the cookie, and the administrator's view."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trustme

import chromium
from tests.certificates import write_certificate
from tests.e2e.support.browsing import PASSWORD, TOKENS
from tests.e2e.support.operating import run, serving
from tests.environment import HANG_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.skipif(chromium.find() is None, reason="there is no Chromium here")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium, for the tests of this file."""
    with chromium.chromium() as browser:
        yield browser


def press(page: Page, name: str) -> None:
    """Press a button that leads to another page."""
    with page.expect_navigation():
        page.get_by_role("button", name=name).click()


def test_over_https_the_cookie_is_for_this_host_alone(home: Path, browser: Browser) -> None:
    data = home / "data"
    made = run(
        home, "init", "--data", data, "--admin", "root", "--password-stdin", stdin=PASSWORD + "\n"
    )
    assert made.returncode == 0, made.stderr
    files = write_certificate(home, trustme.CA())
    arguments = ("--tls-cert", files["tls_cert"], "--tls-key", files["tls_key"])
    with serving(home, data, *arguments) as hub:
        assert hub.endpoint.startswith("https://")
        context = browser.new_context(base_url=hub.endpoint, ignore_https_errors=True)
        context.set_default_timeout(HANG_LIMIT * 1000)
        page = context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto("/")
        assert page.url == f"{hub.endpoint}/login"
        page.get_by_label("User name").fill("root")
        page.get_by_label("Password").fill(PASSWORD)
        press(page, "Sign in")
        assert page.url == f"{hub.endpoint}{TOKENS}"
        (cookie,) = context.cookies()
        assert cookie["name"] == "__Host-hubtoken_session"
        assert cookie["secure"]
        assert cookie["httpOnly"]
        assert cookie["sameSite"] == "Lax"
        assert cookie["path"] == "/"

        page.goto(f"{TOKENS}/new?tokenType=read")
        page.get_by_label("Name", exact=True).fill("laptop")
        press(page, "Create the token")
        value = page.get_by_label("Value").input_value()
        assert hub.ask("GET", "/api/whoami-v2", token=value)[0] == 200
        # A browser accepts a cookie of that name from nowhere else, so it cannot be planted.
        page.evaluate("document.cookie = '__Host-hubtoken_session=planted; path=/settings'")
        page.evaluate("document.cookie = '__Host-hubtoken_session=planted; path=/; secure'")
        assert [each["value"] for each in context.cookies()] == [cookie["value"]]

        # The administrator sees every action on the Hub, and no value.
        page.goto("/settings/audit-log")
        with page.expect_navigation():
            page.get_by_role("link", name="The whole Hub").click()
        words = page.locator("tbody code.under").all_inner_texts()
        assert words == ["token.create", "login.ok", "user.password", "user.create"]
        assert value not in page.content()
        assert value[-4:] in page.content()

        press(page, "Sign out")
        # A new visitor's ID, without a session.
        (after,) = context.cookies()
        assert after["value"] != cookie["value"]
        page.goto(TOKENS)
        assert "/login" in page.url
        assert complaints == []
        context.close()
