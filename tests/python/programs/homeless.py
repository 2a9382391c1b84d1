"""Uses the stored tokens as a user without a home folder, as in a container with a random user."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import hubtoken

if TYPE_CHECKING:
    from collections.abc import Callable

NOBODY_KNOWS = 54_321


def outcome(change: Callable[[], object]) -> str:
    """What a verb returns or raises."""
    try:
        return repr(change())
    except (ValueError, hubtoken.HubTokenError) as error:
        return f"{type(error).__name__}: {error}"


def main() -> None:
    """Every verb that reads, and every one that looks for a name that is not there."""
    os.setgroups([])
    os.setgid(NOBODY_KNOWS)
    os.setuid(NOBODY_KNOWS)
    verbs: dict[str, Callable[[], object]] = {
        "stored": hubtoken.stored_tokens,
        "switch": lambda: hubtoken.switch_token("ci"),
        "rename": lambda: hubtoken.rename_token("ci", "new"),
        "remove": lambda: hubtoken.logout("ci"),
        "resolve": lambda: hubtoken.resolve_token(profile="ci"),
        "logout": hubtoken.logout,
        "login": lambda: hubtoken.login("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX"),
    }
    print(json.dumps({name: outcome(verb) for name, verb in verbs.items()}))  # noqa: T201


if __name__ == "__main__":
    main()
