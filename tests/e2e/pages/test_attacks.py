"""Attacks on the pages that need a real browser: another site, a frame, names that are markup."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

import chromium
from tests.e2e.support.browsing import NEW, TOKENS
from tests.e2e.support.other_site import MARKUP, another_site, foreign_form
from tests.environment import HANG_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.support.browsing import Desk

pytestmark = pytest.mark.skipif(chromium.find() is None, reason="there is no Chromium here")


@pytest.fixture
def make_site() -> Iterator[Callable[[str], int]]:
    """Creates such sites, which last as long as the test."""
    with ExitStack() as sites:
        yield lambda page: sites.enter_context(another_site(page))


# `localhost` is another site; 127.0.0.1 on another port is the same site, whose cookies are sent.
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_another_site_makes_no_token(
    desk: Desk, make_site: Callable[[str], int], host: str
) -> None:
    alice = desk.sit()
    page = alice.sign_in()
    page.goto(NEW)
    csrf = page.locator("form.token input[name=csrf]").get_attribute("value")
    assert csrf
    for stolen in ("", csrf):
        form = foreign_form(
            desk.hub.endpoint + NEW, csrf=stolen, once="0" * 64, name="forged", role="write"
        )
        page.goto(f"http://{host}:{make_site(form)}/")
        alice.press("Win a prize")
        # From another site the cookie is not even sent.
        assert page.locator("h1").inner_text() in {
            "The form could not be taken",
            "You are signed out",
        }
    assert alice.rows() == []


def test_another_site_signs_nobody_out(desk: Desk, make_site: Callable[[str], int]) -> None:
    alice = desk.sit()
    page = alice.sign_in()
    port = make_site(foreign_form(f"{desk.hub.endpoint}/logout"))
    page.goto(f"http://127.0.0.1:{port}/")
    alice.press("Win a prize")
    assert page.get_by_role("heading", name="The form could not be taken").is_visible()
    page.goto(TOKENS)
    assert page.get_by_role("heading", name="Access Tokens").is_visible()


def test_no_page_is_framed(desk: Desk, make_site: Callable[[str], int]) -> None:
    alice = desk.sit()
    page = alice.sign_in()
    port = make_site(f'<iframe src="{desk.hub.endpoint}{TOKENS}"></iframe>')
    page.goto(f"http://127.0.0.1:{port}/")
    page.wait_for_load_state("networkidle")
    (frame,) = page.frames[1:]
    assert "Access Tokens" not in frame.content()
    assert any("frame-ancestors" in complaint for complaint in alice.complaints)


def test_names_are_text_and_never_markup(desk: Desk) -> None:
    alice = desk.sit()
    page = alice.sign_in()
    alice.create_token(MARKUP)
    assert MARKUP in page.locator("main").inner_text()
    assert alice.rows() == [MARKUP]
    alice.follow("Manage")
    base = page.url
    for rest in ("", "/rename", "/permissions", "/refresh", "/delete"):
        page.goto(base + rest)
        assert MARKUP in page.locator("main").inner_text()
        assert page.evaluate("window.owned === undefined")
    page.goto(f"{NEW}?orgs={MARKUP}&ownUserPermissions={MARKUP}&tokenType={MARKUP}")
    assert page.evaluate("window.owned === undefined")
    assert page.locator("img[src=x]").count() == 0
    # If one had got through, the policy would have stopped it, and the browser would report it.
    assert alice.complaints == []


def test_a_script_that_got_in_would_not_run(desk: Desk) -> None:
    alice = desk.sit()
    page = alice.sign_in()
    page.evaluate(
        """() => new Promise((done) => {
            const script = document.createElement("script");
            script.textContent = "window.owned = 1";
            document.body.append(script);
            document.body.insertAdjacentHTML("beforeend", "<img src=x onerror='window.owned = 1'>");
            // Told when the picture could not be loaded, after its own script had its chance.
            document.body.lastElementChild.addEventListener("error", done);
        })"""
    )
    assert page.evaluate("window.owned === undefined")
    end = time.monotonic() + HANG_LIMIT
    while not any("Content Security Policy" in complaint for complaint in alice.complaints):
        assert time.monotonic() < end
        page.wait_for_timeout(20)


def test_the_cookie_is_out_of_reach_of_scripts(desk: Desk) -> None:
    alice = desk.sit()
    page = alice.sign_in()
    assert page.evaluate("document.cookie") == ""
    (cookie,) = alice.context.cookies()
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Lax"
    assert cookie["path"] == "/"
    before = cookie["value"]
    alice.press("Sign out")
    alice.sign_in()
    (cookie,) = alice.context.cookies()
    assert cookie["value"] != before


def test_a_session_that_was_planted_is_worth_nothing(desk: Desk) -> None:
    alice = desk.sit()
    planted = "0123456789abcdef" * 4
    alice.page.goto("/login")
    (cookie,) = alice.context.cookies()
    plant = {"name": cookie["name"], "value": planted, "url": desk.hub.endpoint}
    alice.context.add_cookies([plant])  # type: ignore[list-item]
    alice.page.reload()
    alice.sign_in()
    assert alice.page.get_by_role("heading", name="Access Tokens").is_visible()
    other = desk.browser.new_context(base_url=desk.hub.endpoint)
    other.add_cookies([plant])  # type: ignore[list-item]
    page = other.new_page()
    page.goto(TOKENS)
    assert "/login" in page.url
    assert alice.context.cookies()[0]["value"] != planted


def test_the_way_back_leads_to_no_other_site(desk: Desk, make_site: Callable[[str], int]) -> None:
    elsewhere = f"127.0.0.1:{make_site('stolen')}"
    for target in (f"http://{elsewhere}/", f"//{elsewhere}/settings", f"/\\{elsewhere}/settings"):
        alice = desk.sit()
        alice.page.goto(f"/login?next={target}")
        alice.sign_in()
        assert alice.page.url == desk.hub.endpoint + TOKENS
