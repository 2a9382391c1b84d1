"""The pages in a real browser, with `huggingface_hub` using the tokens between the clicks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

import chromium
import hubtoken
from tests.e2e.support.browsing import NEW, PASSWORD, TOKENS, Person

if TYPE_CHECKING:
    from tests.e2e.support.browsing import Desk

pytestmark = pytest.mark.skipif(chromium.find() is None, reason="there is no Chromium here")


def test_the_whole_life_of_a_token(desk: Desk) -> None:
    alice = desk.sit(permissions=["clipboard-read", "clipboard-write"])
    page = alice.sign_in()
    assert page.get_by_text("You have no tokens yet.").is_visible()

    first = alice.create_token("laptop", "Write")
    assert re.fullmatch(r"hf_[A-Za-z]{34}", first)
    assert first not in page.url
    page.get_by_role("button", name="Copy").click()
    page.get_by_text("Copied.").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == first
    assert alice.use(first) == "laptop"

    alice.follow("Done")
    row = page.get_by_role("row", name="laptop")
    assert f"hf_…{first[-4:]}" in row.inner_text()
    assert first not in page.content()
    alice.follow("Manage")
    alice.follow("Rename")
    page.get_by_label("New name").fill("old laptop")
    alice.press("Rename")
    assert page.get_by_role("status").inner_text() == "“laptop” is called “old laptop” now."
    assert alice.use(first) == "old laptop"

    alice.follow("Refresh")
    # Only the confirmation page: nothing has happened yet.
    assert alice.use(first) == "old laptop"
    alice.press("Refresh the token")
    second = alice.shown_value()
    assert second != first
    assert (alice.use(first), alice.use(second)) == (None, "old laptop")

    alice.follow("Done")
    alice.follow("Manage")
    alice.follow("Delete")
    alice.follow("Cancel")
    assert alice.use(second) == "old laptop"
    alice.follow("Delete")
    alice.press("Delete the token")
    assert page.get_by_text("was deleted and no longer works.").is_visible()
    assert alice.use(second) is None
    assert alice.rows() == []
    assert alice.complaints == []


def test_permissions_are_changed_after_a_look_at_both(desk: Desk) -> None:
    alice = desk.sit()
    repository = f"{alice.name}/model"
    desk.hub.create_repository(repository, private=True)
    page = alice.sign_in()
    value = alice.create_token("trainer")
    token = hubtoken.resolve_token(value, endpoint=desk.hub.endpoint)
    assert token is not None
    with pytest.raises(hubtoken.InsufficientRoleError):
        hubtoken.require_role("write", token, repo=repository)

    page.goto(TOKENS)
    alice.follow("Manage")
    alice.follow("Change permissions")
    alice.role("Fine-grained").check()
    page.get_by_label("Name of repository 1").fill(repository)
    single = page.get_by_role("group", name="Repository 1")
    single.get_by_role("checkbox", name="repo.content.read").check()
    single.get_by_role("checkbox", name="repo.write").check()
    alice.press("Review the change")
    assert page.get_by_text("Read everything that you can read").is_visible()
    assert page.get_by_text(f"{repository}: repo.content.read, repo.write").is_visible()
    alice.press("Change the permissions")
    assert page.get_by_text("were changed.").is_visible()
    hubtoken.require_role("write", token, repo=repository, max_age=0)


def test_a_denial_leads_to_the_form_that_mends_it(desk: Desk) -> None:
    alice = desk.sit()
    organization = f"team-{alice.name}"
    desk.hub.create_organization(organization)
    desk.hub.set_member(organization, alice.name, "write")
    weak = desk.hub.create_token(
        alice.name, name="weak", role="fine-grained", scopes={alice.name: ["repo.content.read"]}
    )
    with pytest.raises(hubtoken.InsufficientRoleError) as caught:
        hubtoken.require_role("write", weak, repo=f"{organization}/model")
    remedy = caught.value.remedy_url
    assert remedy is not None
    alice.page.goto(remedy)
    # Not signed in: the link leads through the sign-in page and on.
    page = alice.sign_in()
    assert page.url == remedy
    page.get_by_label("Name", exact=True).fill("strong")
    alice.press("Create the token")
    strong = hubtoken.resolve_token(alice.shown_value(), endpoint=desk.hub.endpoint)
    assert hubtoken.require_role("write", strong, repo=f"{organization}/model") is not None


def test_a_link_of_the_real_page_fills_the_form_in(desk: Desk) -> None:
    alice = desk.sit()
    page = alice.sign_in()
    page.goto(
        f"{NEW}?tokenType=fineGrained&ownUserPermissions=repo.write"
        "&ownUserPermissions=inference.serverless.write&globalPermissions=discussion.write"
        "&canReadGatedRepos=true"
    )
    ticked = page.eval_on_selector_all("input:checked", "all => all.map(each => each.value)")
    assert sorted(ticked) == [
        "discussion.write",
        "fineGrained",
        "inference.serverless.write",
        "on",
        "repo.write",
    ]
    page.goto(f"{NEW}?tokenType=write")
    assert alice.role("Write").is_checked()
    # What only applies to fine-grained tokens is hidden.
    assert not page.get_by_role("heading", name="Permissions of a fine-grained token").is_visible()
    assert alice.rows() == []


def test_a_reload_neither_makes_nor_shows_a_value_again(desk: Desk) -> None:
    alice = desk.sit()
    page = alice.sign_in()
    value = alice.create_token("once")
    page.reload()
    assert page.get_by_role("heading", name="This was done already").is_visible()
    assert value not in page.content()
    assert alice.rows() == ["once"]
    assert alice.use(value) == "once"


def test_wrong_passwords(desk: Desk) -> None:
    alice = desk.sit()
    page = alice.sign_in("wrong")
    assert page.get_by_role("alert").inner_text() == "User name or password is wrong."
    assert page.get_by_label("User name").input_value() == alice.name
    assert page.get_by_label("Password").input_value() == ""
    for _ in range(9):
        alice.sign_in("wrong")
    alice.sign_in()
    assert "too many attempts" in page.get_by_role("alert").inner_text()
    page.goto(TOKENS)
    assert "/login" in page.url


def test_two_browsers_at_once(desk: Desk) -> None:
    here = desk.sit()
    there = Person(desk.hub, here.name, desk.browser.new_context(base_url=desk.hub.endpoint))
    here.sign_in()
    there.sign_in()
    value = here.create_token("shared")
    assert there.rows() == ["shared"]

    # Both have the page open that deletes it; the second gets the message that it is gone.
    for person in (here, there):
        person.page.goto(TOKENS)
        person.follow("Manage")
        person.follow("Delete")
    here.press("Delete the token")
    there.press("Delete the token")
    assert there.page.get_by_role("heading", name="There is nothing here").is_visible()
    assert here.use(value) is None

    # A new password signs out the other session, but not this one.
    here.page.goto("/settings/password")
    here.page.get_by_label("Current password").fill(PASSWORD)
    here.page.get_by_label("New password", exact=True).fill("another horse battery")
    here.page.get_by_label("New password, once more").fill("another horse battery")
    here.press("Change the password")
    assert here.page.get_by_text("Your password was changed.").is_visible()
    there.page.goto(TOKENS)
    assert "/login" in there.page.url
    there.sign_in()
    assert there.page.get_by_role("alert").is_visible()
    there.sign_in("another horse battery")
    assert there.page.get_by_role("heading", name="Access Tokens").is_visible()

    there.press("Sign out")
    assert here.rows() == []


def test_without_javascript(desk: Desk) -> None:
    alice = desk.sit(java_script_enabled=False)
    page = alice.sign_in()
    first = alice.create_token("plain", "Read")
    assert not page.get_by_role("button", name="Copy").is_visible()
    assert alice.use(first) == "plain"
    page.goto(NEW)
    alice.role("Fine-grained").check()
    alice.press("Add another repository")
    assert page.get_by_role("group", name="Repository 2").is_visible()
    page.goto(TOKENS)
    alice.follow("Manage")
    alice.follow("Refresh")
    alice.press("Refresh the token")
    second = alice.shown_value()
    assert (alice.use(first), alice.use(second)) == (None, "plain")
    page.goto(TOKENS)
    alice.follow("Manage")
    alice.follow("Delete")
    alice.press("Delete the token")
    assert alice.use(second) is None


def test_members_of_an_organization(desk: Desk) -> None:
    alice = desk.sit()
    bob = desk.new_user()
    organization = f"team-{alice.name}"
    desk.hub.create_organization(organization)
    desk.hub.set_member(organization, alice.name, "admin")
    page = alice.sign_in()
    alice.follow(organization)
    page.get_by_label("User name").fill(bob)
    page.get_by_label("Role", exact=True).select_option("read")
    alice.press("Add the member")
    assert page.get_by_role("status").inner_text() == f"“{bob}” has the role read now."

    value = desk.hub.create_token(bob, name="b", role="write")
    with pytest.raises(hubtoken.InsufficientRoleError):
        hubtoken.require_role("write", value, repo=f"{organization}/model")
    page.get_by_label(f"Role of {bob}", exact=True).select_option("write")
    alice.press(f"Change the role of {bob}")
    hubtoken.require_role("write", value, repo=f"{organization}/model", max_age=0)

    alice.follow(f"Remove {bob}")
    alice.press(f"Remove {bob}")
    assert page.get_by_role("row", name=bob).count() == 0
    with pytest.raises(hubtoken.InsufficientRoleError):
        hubtoken.require_role("write", value, repo=f"{organization}/model", max_age=0)
