"""A login of a program at an embedded Hub, without a client library."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from hubtoken.hub import Hub

# The public client of `huggingface_hub`.
CLIENT_ID = "26be6b09-91c5-47da-9861-d2d2bb7a7e36"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"


def code_login(hub: Hub, user: str) -> dict[str, Any]:
    """The token answer of a login that the user has approved."""

    def ask(path: str, **fields: str) -> dict[str, Any]:
        form = urlencode({"client_id": CLIENT_ID, **fields}).encode()
        with urllib.request.urlopen(f"{hub.endpoint}{path}", form) as answer:  # noqa: S310
            return dict(json.load(answer))

    code = ask("/oauth/device")
    hub.approve_login(code["user_code"], user)
    return ask("/oauth/token", grant_type=DEVICE_CODE, device_code=code["device_code"])
