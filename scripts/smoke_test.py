"""Checks that an installed wheel works on its own: its Hub accepts a token that it issued."""

from __future__ import annotations

import hubtoken
from hubtoken.hub import Hub


def main() -> None:
    """Issue a token, and use it."""
    with Hub() as hub:
        hub.create_user("alice")
        token = hub.create_token("alice", name="smoke", role="write")
        hubtoken.require_role("write", token)
        print(f"{hubtoken.whoami(token).user} may write at {hub.endpoint}")


if __name__ == "__main__":
    main()
