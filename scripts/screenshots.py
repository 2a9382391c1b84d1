"""Write the screenshots of the pages into docs/pages/: `make screenshots`.

Each page is shown light, dark and on a phone, from a Hub that is filled for it and removed again.
The token values in them were never valid.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from urllib.request import urlopen

import chromium
import palette
from hubtoken.hub import Hub

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FOLDER = Path(__file__).parent.parent / "docs" / "pages"
PASSWORD = "correct horse battery staple"  # noqa: S105 - of a Hub that lives for a minute
CLIENT = "26be6b09-91c5-47da-9861-d2d2bb7a7e36"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
CODE = "BCDF-GHJK"
VALUE = f"hf_{'Fake' * 8}XX"
LOOKS = {
    "light": {"color_scheme": "light", "viewport": {"width": 960, "height": 640}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 960, "height": 640}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 700}},
}


def fill(hub: Hub) -> None:
    """People, an organization, repositories, and tokens of every kind."""
    for user in ("alice", "bob", "carol"):
        hub.create_user(user, password=PASSWORD)
    hub.create_organization("acme", fullname="Acme Inc")
    hub.create_repository("acme/trained", private=True)
    hub.set_member("acme", "alice", "admin")
    hub.set_member("acme", "bob", "write")
    hub.set_member("acme", "carol", "read")
    hub.create_repository("alice/tiny-llama", private=True)
    scopes = {
        "alice": ["repo.content.read"],
        "acme/trained": ["repo.content.read", "repo.write"],
    }
    hub.create_token("alice", name="laptop", role="read")
    hub.create_token("alice", name="nightly training", role="fine-grained", scopes=scopes)
    hub.create_token("alice", name="<script>alert(1)</script>", role="write")
    hub.create_token("bob", name="bob's laptop", role="write")
    claims = {"repository": "acme/train", "ref": "refs/heads/main"}
    hub.create_publisher("acme/trained", issuer="github", claims=claims, user="alice")
    claims = {"project_path": "alice/evaluation"}
    hub.create_publisher("alice", issuer="gitlab", claims=claims)
    hub.set_token_policy("acme", "require-approval")
    for user, name in (("bob", "nightly build"), ("carol", "evaluation"), ("bob", "release")):
        scopes = {"acme": ["repo.content.read"], "acme/trained": ["repo.write"]}
        hub.create_token(user, name=name, role="fine-grained", scopes=scopes)


def shoot(page: Page, name: str, look: str, *, whole: bool = True) -> None:
    """One page."""
    path = FOLDER / f"{name}-{look}.png"
    path.write_bytes(
        palette.reduce(page.screenshot(full_page=whole, caret="hide", animations="disabled"))
    )
    print(f"{path.relative_to(FOLDER.parent.parent)}: {path.stat().st_size // 1024} KiB")


def walk(hub: Hub, browser: Browser, look: str) -> None:
    """Every page in one look."""
    context = browser.new_context(base_url=hub.endpoint, locale="en-US", **LOOKS[look])  # type: ignore[arg-type]
    page = context.new_page()
    page.goto("/login")
    shoot(page, "sign-in", look)
    page.get_by_label("User name").fill("alice")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    shoot(page, "sign-in-wrong", look)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    shoot(page, "tokens", look)

    asked = "ownUserPermissions=repo.content.read&orgs=acme&orgPermissions=repo.write"
    page.goto(f"/settings/tokens/new?tokenType=fineGrained&{asked}")
    page.get_by_label("Name", exact=True).fill("evaluation")
    shoot(page, "new", look)
    page.get_by_label("Name of repository 1").fill("acme/nothing")
    page.get_by_role("button", name="Create the token").click()
    shoot(page, "new-mistakes", look, whole=False)
    page.goto("/settings/tokens/new?tokenType=read")
    page.get_by_label("Name", exact=True).fill("evaluation")
    page.get_by_role("button", name="Create the token").click()
    page.get_by_label("Value").evaluate("(input, value) => { input.value = value }", VALUE)
    shoot(page, "value", look)

    page.goto("/settings/tokens")
    page.get_by_role("row", name="nightly training").get_by_role("link").click()
    shoot(page, "manage", look)
    base = page.url
    for name in ("rename", "refresh", "delete"):
        page.goto(f"{base}/{name}")
        shoot(page, name, look)
    page.goto(f"{base}/permissions")
    page.locator("input[name=role][value=read]").check()
    page.get_by_role("button", name="Review the change").click()
    shoot(page, "permissions-review", look)

    page.goto("/organizations/acme/settings/members")
    shoot(page, "members", look)
    page.goto("/organizations/acme/settings/members/carol/remove")
    shoot(page, "member-remove", look)
    organization(page, look)
    member(browser, hub, look)
    logins(page, hub, look)
    publishers(page, look)
    page.goto("/settings/audit-log")
    shoot(page, "audit-log", look, whole=False)
    page.goto("/settings/password")
    shoot(page, "password", look)
    page.goto("/settings/nothing")
    shoot(page, "not-found", look)
    context.close()


def logins(page: Page, hub: Hub, look: str) -> None:
    """The pages on which programs are logged in, and those logins are ended."""
    page.goto("/login/device")
    shoot(page, "device-code", look)
    page.get_by_label("Code").fill(CODE)
    page.get_by_role("button", name="Continue").click()
    shoot(page, "device-code-wrong", look)
    for scope in ("openid profile read-repos", ""):
        code = request(hub, "/oauth/device", scope=scope)
        page.goto("/login/device")
        page.get_by_label("Code").fill(code["user_code"])
        page.get_by_role("button", name="Continue").click()
        if not scope:
            page.locator("p.code").evaluate("(shown, code) => { shown.textContent = code }", CODE)
            shoot(page, "device-decision", look)
        page.get_by_role("button", name="Approve").click()
        request(hub, "/oauth/token", device_code=code["device_code"], grant_type=DEVICE_GRANT)
    shoot(page, "device-done", look)
    page.goto("/settings/logins")
    shoot(page, "logins", look)
    page.get_by_role("link", name="End the login").first.click()
    shoot(page, "login-end", look)


def request(hub: Hub, path: str, **fields: str) -> dict[str, str]:
    """What a program that logs in asks the Hub."""
    form = urlencode({"client_id": CLIENT, **fields}).encode()
    with urlopen(hub.endpoint + path, form) as answer:  # noqa: S310 - a Hub of our own
        return dict(json.load(answer))


def publishers(page: Page, look: str) -> None:
    """The pages of trusted publishers."""
    page.goto("/settings/publishers")
    shoot(page, "publishers", look)
    page.get_by_role("link", name="Remove the publisher of acme/trained").click()
    shoot(page, "publisher-remove", look)
    page.goto("/settings/publishers/new?provider=github")
    page.get_by_label("repository", exact=True).fill("alice/train")
    shoot(page, "publisher-new", look)


def organization(page: Page, look: str) -> None:
    """The pages of an organization's tokens, for its admin, and its log."""
    settings = "/organizations/acme/settings"
    for decision, name in (
        ("Approve", "release"),
        ("Approve", "nightly build"),
        ("Revoke", "nightly build"),
    ):
        page.goto(f"{settings}/tokens")
        page.get_by_role("link", name=f"{decision} {name}").click()
        page.get_by_role("button", name=decision).click()
    page.goto(f"{settings}/tokens")
    shoot(page, "organization-tokens", look)
    page.locator("input[name=policy][value=fine-grained-only]").check()
    page.get_by_role("button", name="Review the change").click()
    shoot(page, "policy-review", look)
    for decision in ("Approve", "Deny"):
        page.goto(f"{settings}/tokens")
        page.get_by_role("link", name=f"{decision} evaluation").click()
        shoot(page, decision.lower(), look)
    page.goto(f"{settings}/tokens")
    page.get_by_role("link", name="Revoke release").click()
    shoot(page, "revoke", look)
    page.goto(f"{settings}/audit-log")
    shoot(page, "organization-audit-log", look)
    page.goto(f"{settings}/audit-log?what=approval&from=2031-02-30")
    shoot(page, "audit-log-mistakes", look)


def member(browser: Browser, hub: Hub, look: str) -> None:
    """A member's view of the organization's tokens."""
    context = browser.new_context(base_url=hub.endpoint, locale="en-US", **LOOKS[look])  # type: ignore[arg-type]
    page = context.new_page()
    page.goto("/login?next=/organizations/acme/settings/tokens")
    page.get_by_label("User name").fill("bob")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    shoot(page, "organization-tokens-member", look)
    context.close()


def main() -> None:
    """Write all screenshots, or those of one look."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("looks", nargs="*", default=list(LOOKS), metavar="LOOK")
    looks = parser.parse_args().looks
    if chromium.find() is None:
        sys.exit("there is no Chromium here (Debian: apt-get install chromium)")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with chromium.chromium() as browser:
        for look in looks:
            with Hub() as hub:
                fill(hub)
                walk(hub, browser, look)


if __name__ == "__main__":
    main()
