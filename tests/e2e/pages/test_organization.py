"""An organization's pages in a real browser: policy, approvals, audit log, from both sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

import chromium
from tests.e2e.support.browsing import TOKENS, Person
from tests.e2e.support.other_site import MARKUP, another_site, foreign_form

if TYPE_CHECKING:
    from tests.e2e.support.browsing import Desk

pytestmark = pytest.mark.skipif(chromium.find() is None, reason="there is no Chromium here")

FINE_GRAINED = "Only access via fine-grained tokens"
APPROVAL = "Require administrator approval"
PENDING = "needs to be approved by the organization"
REVOKED = "has been revoked by the organization administrator"


@dataclass
class Team:
    """An organization with a private model, its admin and a member, each with a browser."""

    name: str
    admin: Person
    member: Person

    @property
    def model(self) -> str:
        """The model that members may write."""
        return f"{self.name}/model"

    @property
    def settings(self) -> str:
        """The path of its pages."""
        return f"/organizations/{self.name}/settings"

    def refusal(self, value: str) -> str | None:
        """The error that `huggingface_hub` gets on an upload with a token; nothing if it works."""
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError

        api = HfApi(endpoint=self.admin.hub.endpoint, token=value)
        try:
            api.upload_file(path_or_fileobj=b"x", path_in_repo="x.txt", repo_id=self.model)
        except HfHubHTTPError as error:
            if error.response.status_code != 403:
                raise
            return str(error)
        return None

    def set_policy(self, name: str) -> None:
        """Set the token policy as the admin does it, after the review of its effect."""
        self.admin.page.goto(f"{self.settings}/tokens")
        self.admin.role(name).check()
        self.admin.press("Review the change")
        self.admin.press("Change the policy")
        assert f"is “{name}” now." in self.admin.page.get_by_role("status").inner_text()

    def decide(self, name: str, decision: str) -> None:
        """Decide about one of the member's tokens as the admin does it."""
        page = self.admin.page
        page.goto(f"{self.settings}/tokens")
        self.admin.follow(f"{decision} {name} of {self.member.name}")
        assert page.get_by_role("heading", name=f"{decision} the token?").is_visible()
        self.admin.press(f"{decision} the token")
        assert self.member.name in page.get_by_role("status").inner_text()

    def standing(self, name: str) -> str:
        """The status that the member sees for one of their tokens."""
        self.member.page.goto(f"{self.settings}/tokens")
        row = self.member.page.get_by_role("row", name=name)
        return row.get_by_role("cell").nth(2).inner_text()


@pytest.fixture
def team(desk: Desk) -> Team:
    """A new team that no other test uses; both are signed in."""
    admin, member = desk.sit(), desk.sit()
    name = f"team-{admin.name}"
    desk.hub.create_organization(name)
    desk.hub.set_member(name, admin.name, "admin")
    desk.hub.set_member(name, member.name, "write")
    desk.hub.create_repository(f"{name}/model", private=True)
    admin.sign_in()
    member.sign_in()
    return Team(name, admin, member)


def make_fine(team: Team, name: str) -> str:
    """A token that the member creates for the organization, on the page."""
    page = team.member.page
    asked = f"tokenType=fineGrained&orgs={team.name}&orgPermissions=repo.content.read"
    page.goto(f"{TOKENS}/new?{asked}&orgPermissions=repo.write")
    page.get_by_label("Name", exact=True).fill(name)
    team.member.press("Create the token")
    return team.member.shown_value()


def test_a_token_waits_is_approved_and_is_revoked(team: Team) -> None:
    page = team.admin.page
    team.set_policy(APPROVAL)
    value = make_fine(team, "ci")
    assert PENDING in str(team.refusal(value))
    assert team.standing("ci") == "Waits for an admin's approval"

    page.goto(f"{team.settings}/tokens")
    assert page.get_by_text("1 waiting").is_visible()
    assert value[-4:] in page.content()
    assert value not in page.content()
    # Its permissions are shown before anything is decided.
    team.admin.follow(f"Approve ci of {team.member.name}")
    assert page.get_by_text(f"{team.name}: repo.content.read, repo.write").is_visible()
    team.admin.follow("Cancel")
    assert PENDING in str(team.refusal(value))
    team.decide("ci", "Approve")
    assert team.refusal(value) is None
    assert team.standing("ci") == "Allowed"

    team.decide("ci", "Revoke")
    assert REVOKED in str(team.refusal(value))
    assert team.standing("ci") == "Revoked by an admin"
    # It still works elsewhere.
    assert team.member.use(value) == "ci"

    other = make_fine(team, "other")
    team.decide("other", "Deny")
    assert PENDING in str(team.refusal(other))
    assert team.standing("other") == "Denied by an admin"

    # All of it is in the log, with the actor and the address.
    page.goto(f"{team.settings}/audit-log")
    words = page.locator("tbody code.under").all_inner_texts()
    assert words[:6] == [
        "approval.deny",
        "approval.request",
        "approval.revoke",
        "approval.approve",
        "approval.request",
        "policy.set",
    ]
    first = page.locator("tbody tr").first.inner_text()
    for part in (team.admin.name, "other", f"hf_…{other[-4:]}", team.member.name, "127.0.0.1"):
        assert part in first, part
    page.get_by_label("What").select_option("approval.revoke")
    team.admin.press("Filter")
    assert page.locator("tbody code.under").all_inner_texts() == ["approval.revoke"]
    assert page.get_by_label("What").input_value() == "approval.revoke"
    team.admin.follow("Clear")
    assert page.locator("tbody tr").count() > 1
    # The member sees the actions on the token, but not the addresses.
    team.member.page.goto("/settings/audit-log")
    row = team.member.page.get_by_role("row", name="approval.revoke")
    assert team.admin.name in row.inner_text()
    assert "not shown" in row.inner_text()
    for secret in (value, other):
        assert secret not in page.content()
        assert secret not in team.member.page.content()
    assert team.admin.complaints == team.member.complaints == []


def test_a_policy_says_beforehand_what_it_does(team: Team) -> None:
    plain = team.member.create_token("my secret project", "Write")
    fine = make_fine(team, "ci")
    assert team.refusal(plain) is None
    page = team.admin.page
    page.goto(f"{team.settings}/tokens")
    team.admin.role(FINE_GRAINED).check()
    team.admin.press("Review the change")
    kept_out = page.get_by_text(f"1 token of {team.member.name}")
    assert kept_out.is_visible()
    assert "my secret project" not in page.content()
    team.admin.follow("Cancel")
    # It was only a preview.
    assert team.refusal(plain) is None
    team.set_policy(FINE_GRAINED)
    assert "only fine-grained tokens" in str(team.refusal(plain))
    assert team.refusal(fine) is None
    assert "only fine-grained tokens" in team.standing("my secret project")
    team.set_policy(APPROVAL)
    assert PENDING in str(team.refusal(fine))
    team.set_policy("Allow access via User Access Tokens")
    assert team.refusal(plain) is None
    assert team.refusal(fine) is None


def test_it_works_without_javascript(desk: Desk) -> None:
    admin, member = desk.sit(java_script_enabled=False), desk.sit(java_script_enabled=False)
    team = Team(f"team-{admin.name}", admin, member)
    desk.hub.create_organization(team.name)
    desk.hub.set_member(team.name, admin.name, "admin")
    desk.hub.set_member(team.name, member.name, "write")
    desk.hub.create_repository(team.model, private=True)
    admin.sign_in()
    member.sign_in()
    team.set_policy(APPROVAL)
    value = make_fine(team, "ci")
    team.decide("ci", "Approve")
    assert team.refusal(value) is None
    admin.page.goto(f"{team.settings}/audit-log")
    admin.page.get_by_label("Who did it").fill(member.name)
    admin.press("Filter")
    words = admin.page.locator("tbody code.under").all_inner_texts()
    assert words == ["approval.request"]


def test_the_name_of_a_members_token_does_nothing_to_the_admin(team: Team) -> None:
    team.set_policy(APPROVAL)
    make_fine(team, MARKUP)
    page = team.admin.page
    listed = f"{team.settings}/tokens"
    page.goto(listed)
    link = page.get_by_role("link", name="Approve").get_attribute("href")
    assert link
    for address in (
        listed,
        link,
        link.replace("approve", "deny"),
        link.replace("approve", "revoke"),
        f"{team.settings}/audit-log",
        f"{team.settings}/audit-log?who={MARKUP}&what={MARKUP}&from={MARKUP}",
    ):
        page.goto(address)
        assert MARKUP in page.locator("main").inner_text() or f"who={MARKUP[:7]}" in address
        assert page.evaluate("window.owned === undefined")
        assert page.locator("img[src=x]").count() == 0
    page.goto(listed)
    team.admin.role("Allow access").check()
    team.admin.press("Review the change")
    assert MARKUP in page.locator("main").inner_text()
    assert page.evaluate("window.owned === undefined")
    assert team.admin.complaints == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_another_site_decides_nothing(team: Team, host: str) -> None:
    team.set_policy(APPROVAL)
    value = make_fine(team, "ci")
    page = team.admin.page
    page.goto(f"{team.settings}/tokens")
    csrf = page.locator("form.policy input[name=csrf]").get_attribute("value")
    team.admin.follow(f"Approve ci of {team.member.name}")
    seen = page.locator("input[name=seen]").get_attribute("value")
    assert csrf
    assert seen
    fields = {"policy": "allow-all", "before": "require-approval", "step": "confirm"}
    # Even a member who has found out everything that the forms contain.
    for address, form in (
        (f"{team.admin.hub.endpoint}{team.settings}/tokens", {"csrf": csrf, **fields}),
        (page.url, {"csrf": csrf, "seen": seen}),
    ):
        with another_site(foreign_form(address, **form)) as port:
            page.goto(f"http://{host}:{port}/")
            team.admin.press("Win a prize")
            assert page.locator("h1").inner_text() in {
                "The form could not be taken",
                "You are signed out",
            }
    assert PENDING in str(team.refusal(value))
    assert team.admin.hub.token_policy(team.name) == "require-approval"


def test_a_member_decides_nothing_and_a_stranger_sees_nothing(team: Team, desk: Desk) -> None:
    team.set_policy(APPROVAL)
    value = make_fine(team, "ci")
    page = team.member.page
    page.goto(f"{team.settings}/tokens")
    assert page.get_by_role("radio").count() == 0
    assert page.get_by_role("link", name="Audit log").count() == 1
    csrf = page.locator("input[name=csrf]").first.get_attribute("value")
    token = team.admin.hub.list_approvals(team.name)[0].token.id

    def send(path: str, **fields: str) -> int:
        """Post a form from the page itself, as from the browser's console."""
        return int(
            page.evaluate(
                """async ([path, fields]) => {
                    const body = new URLSearchParams(fields);
                    return (await fetch(path, { method: "POST", body })).status;
                }""",
                [path, {"csrf": csrf, **fields}],
            )
        )

    # The policy of the pages forbids scripts to connect, so the request is sent around it.
    answer = page.request.post(
        f"{team.settings}/tokens",
        form={"csrf": str(csrf), "policy": "allow-all", "step": "confirm"},
        headers={"Origin": team.admin.hub.endpoint},
    )
    assert answer.status == 403
    answer = page.request.post(
        f"{team.settings}/tokens/{token}/approve",
        form={"csrf": str(csrf)},
        headers={"Origin": team.admin.hub.endpoint},
    )
    assert answer.status == 403
    with pytest.raises(Exception, match="Failed to fetch"):
        send(f"{team.settings}/tokens", policy="allow-all")
    page.goto(f"{team.settings}/audit-log")
    assert page.get_by_role("heading", name="Only an admin may do that").is_visible()

    stranger = desk.sit()
    stranger.sign_in()
    for rest in ("", "/tokens", f"/tokens/{token}/approve", "/audit-log"):
        stranger.page.goto(team.settings + rest)
        assert stranger.page.get_by_role("heading", name="There is nothing here").is_visible()
    assert PENDING in str(team.refusal(value))
    assert team.admin.hub.token_policy(team.name) == "require-approval"
