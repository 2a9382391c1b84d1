"""One verb of one of the two libraries on the stored tokens, in a separate process."""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any


def huggingface_hub_verb(verb: str, argument: Any) -> Any:
    """What a user of `huggingface_hub` would write."""
    import huggingface_hub
    from huggingface_hub.utils._auth import get_stored_tokens

    match verb:
        case "login":
            return huggingface_hub.login(argument)
        case "token":
            return huggingface_hub.get_token()
        case "switch":
            return huggingface_hub.auth_switch(argument)
        case "logout":
            return huggingface_hub.logout(argument)
        case "list":
            active = huggingface_hub.get_token()
            return {name: value == active for name, value in get_stored_tokens().items()}
        case "whoami":
            return huggingface_hub.whoami()["name"]
        case _:
            raise NotImplementedError(verb)


def hubtoken_verb(verb: str, argument: Any) -> Any:
    """What a user of hubtoken would write."""
    import hubtoken

    match verb:
        case "login":
            hubtoken.login(argument)
        case "token":
            found = hubtoken.resolve_token(required=False)
            return found and found.reveal()
        case "switch":
            hubtoken.switch_token(argument)
        case "logout":
            hubtoken.logout(argument)
        case "rename":
            return hubtoken.rename_token(*argument)
        case "list":
            return {stored.name: stored.active for stored in hubtoken.stored_tokens()}
        case "whoami":
            return hubtoken.whoami().user
        case _:
            raise NotImplementedError(verb)
    return None


def main() -> None:
    """Run it, and print the result."""
    request = json.load(sys.stdin)
    libraries = {"huggingface_hub": huggingface_hub_verb, "hubtoken": hubtoken_verb}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answer = libraries[request["library"]](request["verb"], request["argument"])
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
