"""A minimal browser for the pages: it stores the cookie and fills in forms."""

from __future__ import annotations

import http.client
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from tests.environment import HANG_LIMIT

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Page:
    """The Hub's response."""

    status: int
    headers: list[tuple[str, str]]
    text: str

    def hidden(self, name: str) -> str | None:
        """The value of a hidden field."""
        found = re.search(rf'type="hidden" name="{name}" value="([^"]*)"', self.text)
        return None if found is None else found[1]

    def shown_value(self) -> str:
        """The value of a token that the page shows."""
        found = re.search(r'id="value" value="([^"]+)"', self.text)
        assert found is not None, self.text
        return found[1]


@dataclass
class Visitor:
    """A visitor of the pages, who records every secret that the pages contained."""

    endpoint: str
    cookie: str | None = None
    ids: set[str] = field(default_factory=set)
    form_tokens: set[str] = field(default_factory=set)
    pages: list[Page] = field(default_factory=list)

    def send(self, method: str, path: str, fields: Mapping[str, str] | None = None) -> Page:
        """One request; a form is one of this Hub's own pages."""
        address = urlsplit(self.endpoint)
        assert address.hostname is not None
        headers = {"Origin": self.endpoint, "Sec-Fetch-Site": "same-origin"}
        if self.cookie is not None:
            headers["Cookie"] = self.cookie
        body = None if fields is None else urlencode(fields)
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=HANG_LIMIT)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            page = Page(answer.status, answer.getheaders(), answer.read().decode())
        finally:
            connection.close()
        for name, value in page.headers:
            if name.lower() == "set-cookie":
                self.cookie = value.split(";")[0]
                self.ids.add(self.cookie.split("=")[1])
        self.ids.discard("")
        found = (page.hidden("csrf"), page.hidden("once"))
        self.form_tokens.update(token for token in found if token)
        self.pages.append(page)
        return page

    def submit(self, path: str, fields: Mapping[str, str]) -> Page:
        """Open a page and send its form."""
        opened = self.send("GET", path)
        assert opened.status == 200, opened.text
        hidden = {name: opened.hidden(name) for name in ("csrf", "once")}
        known = {name: value for name, value in hidden.items() if value is not None}
        return self.send("POST", path, known | dict(fields))
