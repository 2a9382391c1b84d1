"""Shared code of the page tests: users with a browser, and a Hub that knows them."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.environment import HANG_LIMIT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Locator, Page

    from hubtoken.hub import Hub

PASSWORD = "correct horse battery staple"
TOKENS = "/settings/tokens"
NEW = "/settings/tokens/new"


@dataclass(frozen=True)
class Desk:
    """A Hub, and a Chromium that any user can use."""

    hub: Hub
    browser: Browser

    def new_user(self) -> str:
        """A user with a password, not used by any other test."""
        name = f"user-{uuid.uuid4().hex[:10]}"
        self.hub.create_user(name, password=PASSWORD)
        return name

    def sit(self, **options: Any) -> Person:
        """A new user with a new browser context."""
        context = self.browser.new_context(base_url=self.hub.endpoint, **options)
        context.set_default_timeout(HANG_LIMIT * 1000)
        return Person(self.hub, self.new_user(), context)


@dataclass
class Person:
    """A user with a browser."""

    hub: Hub
    name: str
    context: BrowserContext
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Open the first page, and record what the browser complains about."""
        self.page = self.context.new_page()
        self.page.on("console", self._listen)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _listen(self, message: Any) -> None:
        # A 4xx status is a normal response here, but Chromium logs it as an error.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)

    def press(self, name: str) -> None:
        """Press a button that leads to another page, and wait for that page."""
        with self.page.expect_navigation():
            self.page.get_by_role("button", name=name).click()

    def follow(self, name: str) -> None:
        """Follow a link, and wait for its page."""
        with self.page.expect_navigation():
            self.page.get_by_role("link", name=name).click()

    def sign_in(self, password: str = PASSWORD) -> Page:
        """Sign in, from the page that asks for it."""
        if "/login" not in self.page.url:
            self.page.goto("/login")
        self.page.get_by_label("User name").fill(self.name)
        self.page.get_by_label("Password").fill(password)
        self.press("Sign in")
        return self.page

    def role(self, words: str) -> Locator:
        """The button of a role, whose name also contains its description."""
        return self.page.get_by_role("radio", name=re.compile(f"^{words}"))

    def create_token(self, name: str, role: str = "Read") -> str:
        """Create a token on the page, and read its value."""
        page = self.page
        page.goto(TOKENS)
        self.follow("New token")
        page.get_by_label("Name", exact=True).fill(name)
        self.role(role).check()
        self.press("Create the token")
        return self.shown_value()

    def shown_value(self) -> str:
        """The value that the page shows."""
        return self.page.get_by_label("Value").input_value()

    def rows(self) -> list[str]:
        """The names in the list of tokens."""
        self.page.goto(TOKENS)
        return self.page.locator("tbody th").all_inner_texts()

    def use(self, value: str) -> str | None:
        """The token name that `huggingface_hub` gets for a token; nothing if it is rejected."""
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError

        try:
            answer = HfApi(endpoint=self.hub.endpoint, token=value).whoami()
        except HfHubHTTPError as error:
            if error.response.status_code != 401:
                raise
            return None
        assert answer["name"] == self.name
        return str(answer["auth"]["accessToken"]["displayName"])
