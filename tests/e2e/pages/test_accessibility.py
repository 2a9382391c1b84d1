"""Accessibility of the pages: names and headings, the keyboard, contrast, a phone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import chromium
from tests.e2e.support.approving import begin_login, request_code
from tests.e2e.support.browsing import NEW, PASSWORD, TOKENS
from tests.e2e.support.runner import PROGRAMS

if TYPE_CHECKING:
    from tests.e2e.support.browsing import Desk, Person

pytestmark = pytest.mark.skipif(chromium.find() is None, reason="there is no Chromium here")

LOOK = (PROGRAMS / "look.js").read_text(encoding="utf-8")
PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1100, "height": 800}


def addresses(desk: Desk, person: Person) -> list[str]:
    """Every page, for a user who has a bit of everything."""
    organization = f"team-{person.name}"
    desk.hub.create_organization(organization)
    desk.hub.set_member(organization, person.name, "admin")
    desk.hub.set_member(organization, desk.new_user(), "read")
    desk.hub.create_repository(f"{person.name}/model")
    scopes = {person.name: ["repo.write"], f"{person.name}/model": ["repo.content.read"]}
    desk.hub.create_token(person.name, name="a token", role="fine-grained", scopes=scopes)
    (listed,) = desk.hub.list_tokens(person.name)
    desk.hub.set_token_policy(organization, "require-approval")
    colleague = desk.new_user()
    desk.hub.set_member(organization, colleague, "write")
    desk.hub.create_token(
        colleague, name="x" * 100, role="fine-grained", scopes={organization: ["repo.write"]}
    )
    (asked,) = desk.hub.list_approvals(organization)
    claims = {"repository": "x" * 100}
    publisher = desk.hub.create_publisher(person.name, issuer="github", claims=claims)
    login = begin_login(desk.hub, person.name)
    begin_login(desk.hub, person.name, scope="openid read-repos gated-repos jobs webhooks")
    settings = f"/organizations/{organization}/settings"
    members = f"{settings}/members"
    base = f"{TOKENS}/{listed.id}"
    return [
        TOKENS,
        f"{NEW}?tokenType=fineGrained&ownUserPermissions=repo.write&orgs=nobody",
        base,
        f"{base}/rename",
        f"{base}/permissions",
        f"{base}/refresh",
        f"{base}/delete",
        "/settings/password",
        "/login/device",
        "/login/device?user_code=BCDFGHJK",
        "/login/device/done",
        "/settings/logins",
        f"/settings/logins/{login}/end",
        "/settings/publishers",
        "/settings/publishers/new?provider=github",
        "/settings/publishers/new?provider=other",
        f"/settings/publishers/{publisher.id}/delete",
        members,
        f"{members}/{person.name}/remove",
        f"{settings}/tokens",
        f"{settings}/tokens/{asked.token.id}/approve",
        f"{settings}/tokens/{asked.token.id}/revoke",
        f"{settings}/audit-log",
        f"{settings}/audit-log?what=nothing&from=never",
        "/settings/audit-log",
        "/settings/nothing",
    ]


def look(person: Person, where: str) -> None:
    faults: list[Any] = person.page.evaluate(LOOK)
    assert faults == [], where


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_every_page_is_clean(desk: Desk, scheme: str, viewport: dict[str, int]) -> None:
    alice = desk.sit(color_scheme=scheme, viewport=viewport)
    alice.page.goto("/login")
    look(alice, "/login")
    alice.sign_in("wrong")
    look(alice, "/login, wrong")
    page = alice.sign_in()
    for address in addresses(desk, alice):
        page.goto(address)
        look(alice, address)
    page.goto(NEW)
    # Bypass the browser's own checks, to see ours.
    page.locator("form.token").evaluate("form => form.noValidate = true")
    alice.press("Create the token")
    assert page.get_by_role("alert").is_visible()
    look(alice, "the form with mistakes")
    page.goto(f"/organizations/team-{alice.name}/settings/tokens")
    alice.role("Only access").check()
    alice.press("Review the change")
    look(alice, "the policy before it is set")
    for scope in ("", "openid read-repos gated-repos jobs webhooks"):
        page.goto("/login/device")
        page.get_by_label("Code").fill("BCDF-GHJK")
        alice.press("Continue")
        look(alice, "a code that is not known")
        page.get_by_label("Code").fill(request_code(desk.hub, scope)["user_code"])
        alice.press("Continue")
        look(alice, "the login of a program")
    alice.create_token("x" * 100)
    look(alice, "the value")
    page.goto(TOKENS)
    look(alice, "a long name")
    assert alice.complaints == []


def test_the_keyboard_is_enough(desk: Desk) -> None:
    alice = desk.sit()
    page = alice.page

    def tab_to(name: str) -> None:
        for _ in range(80):
            page.keyboard.press("Tab")
            seen = page.evaluate(
                """() => {
                    const at = document.activeElement, style = getComputedStyle(at);
                    const shown = at.closest(".choice, .box") ?? at;
                    const outline = getComputedStyle(shown);
                    const text = at.labels?.[0]?.innerText ?? at.innerText ?? "";
                    return [text.trim(), outline.outlineStyle !== "none"];
                }"""
            )
            assert seen[1], f"the focus is not to be seen on {seen[0]}"
            if seen[0].startswith(name):
                return
        pytest.fail(f"{name} is not reached")

    page.goto("/login")
    # The page sets the focus itself, shortly after it is loaded.
    page.wait_for_function("document.activeElement.tagName === 'INPUT'")
    page.keyboard.type(alice.name)
    tab_to("Password")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{TOKENS}")
    tab_to("Skip to the content")
    page.keyboard.press("Enter")
    # Skips the navigation at once.
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "New token"
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{NEW}")
    tab_to("Name")
    page.keyboard.type("by hand")
    tab_to("Fine-grained")
    page.keyboard.press("Space")
    tab_to("Read the content of every repository")
    page.keyboard.press("Space")
    tab_to("Last day")
    # Enter in a field creates, and does not add a row for a repository.
    page.keyboard.press("Shift+Tab")
    page.get_by_label("Name", exact=True).focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Your new access token").wait_for()
    assert alice.use(alice.shown_value()) == "by hand"
    tab_to("Done")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{TOKENS}")
    tab_to("Manage")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="by hand").wait_for()
    tab_to("Delete")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Delete the token?").wait_for()
    tab_to("Delete the token")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{TOKENS}")
    assert alice.rows() == []


def test_text_can_be_twice_as_large(desk: Desk) -> None:
    alice = desk.sit(viewport={"width": 640, "height": 800})
    alice.sign_in()
    for address in addresses(desk, alice):
        alice.page.goto(address)
        alice.page.locator("html").evaluate("html => html.style.fontSize = '200%'")
        width = alice.page.evaluate("document.documentElement.scrollWidth")
        assert width <= 640, address
