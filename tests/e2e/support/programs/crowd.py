"""Many processes that share one store: some use hubtoken, some `huggingface_hub`.

They are forked once everything is imported, and start together. The request comes in through stdin;
a child that fails writes the reason to standard error and exits with 1.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import huggingface_hub
from huggingface_hub.utils import _auth

import hubtoken

if TYPE_CHECKING:
    from collections.abc import Callable

OAUTH = "oauth-alice"
ROUNDS = 3


def unless_gone(verb: Callable[[str], object], argument: str, says: str) -> None:
    """Run the verb; it is not a failure if another process has removed its entry."""
    try:
        verb(argument)
    except (ValueError, hubtoken.TokenNotFoundError) as error:
        if says not in str(error):
            raise


def hubtoken_verbs(passing: str, lasting: str) -> None:
    """Log in, switch, rename and log out; leave one token behind."""
    for _ in range(ROUNDS):
        name = hubtoken.login(passing).name
        hubtoken.switch_token(OAUTH)
        hubtoken.rename_token(name, f"{name}-renamed")
        hubtoken.switch_token(f"{name}-renamed")
        hubtoken.logout(f"{name}-renamed")
        hubtoken.switch_token(OAUTH)
        assert any(stored.name == OAUTH for stored in hubtoken.stored_tokens())
    hubtoken.login(lasting)
    hubtoken.switch_token(OAUTH)


def huggingface_hub_refreshes() -> None:
    """Get the token, which is refreshed each time since it is always about to expire."""
    for _ in range(ROUNDS):
        _auth._OAUTH_REFRESH_CACHE = None  # noqa: SLF001 - as in a new process
        # None if a process has just logged out the active token.
        huggingface_hub.get_token()


def huggingface_hub_verbs(values: list[str]) -> None:
    """Log in, switch and log out, without a lock."""
    for value in values * ROUNDS:
        verbs: list[tuple[Callable[..., None], str]] = [(huggingface_hub.login, value)]
        names = list(_auth.get_stored_tokens())[:2]
        verbs += [(huggingface_hub.auth_switch, name) for name in names]
        verbs.append((huggingface_hub.logout, f"name-{value[-8:]}"))
        for verb, argument in verbs:
            # What it has just written or read may already be gone.
            unless_gone(verb, argument, "not found")


def beside_a_careless_writer(passing: str, lasting: str) -> None:
    """As `hubtoken_verbs`, but any entry may be gone: others write back what they read earlier."""
    for _ in range(ROUNDS):
        name = hubtoken.login(passing).name
        for verb in (hubtoken.switch_token, hubtoken.logout):
            unless_gone(verb, name, "there is no stored token")
    hubtoken.login(lasting)


def start(verb: Callable[..., None], *arguments: object, gate: int) -> int:
    """Fork a process that waits until the gate is closed, then does its part."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.read(gate, 1)
        verb(*arguments)
        code = 0
    except BaseException:  # noqa: BLE001 - the process ends here in any case
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    """Start all processes, release them, and count the failures."""
    request = json.load(sys.stdin)
    waiting, gate = os.pipe()
    parts: list[tuple[Callable[..., None], tuple[object, ...]]] = []
    careless = request.get("careless")
    verbs = beside_a_careless_writer if careless else hubtoken_verbs
    parts += [(verbs, (passing, lasting)) for passing, lasting in request["hubtoken"]]
    if careless:
        parts.append((huggingface_hub_verbs, (careless,)))
    else:
        parts += [(huggingface_hub_refreshes, ())] * request["refreshing"]
        oauth = request["oauth"]
        # What a login in the browser does.
        save, write = _auth._save_token, _auth._write_secret  # noqa: SLF001
        save(oauth["token"], OAUTH, refresh_token=oauth["refresh"], expires_at=1)
        write(Path(huggingface_hub.constants.HF_TOKEN_PATH), oauth["token"])
    children = []
    for verb, arguments in parts:
        children.append(start(verb, *arguments, gate=waiting))
    os.close(waiting)
    os.write(gate, b"." * len(children))
    failed = [child for child in children if os.waitpid(child, 0)[1]]
    if failed:
        sys.exit(f"{len(failed)} of {len(children)} processes failed")
    print(json.dumps({"processes": len(children)}))


if __name__ == "__main__":
    main()
