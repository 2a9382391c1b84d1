"""What `huggingface_hub` sends while a token is active, and for which Hub that is possible."""

from __future__ import annotations

import hashlib
import json
import os
import sys

import hubtoken


def digest(value: str | None) -> str | None:
    """Distinguishes values without showing them."""
    return None if value is None else hashlib.sha256(value.encode()).hexdigest()


def main() -> None:
    """Import the library for the request's `bound` Hub, then activate a token of another."""
    request = json.load(sys.stdin)
    os.environ.update(request["bound"])
    from huggingface_hub import get_token

    for name in request["bound"]:
        del os.environ[name]
    token = hubtoken.resolve_token(request["value"], endpoint=request["endpoint"])
    assert token is not None
    answer: dict[str, str | None] = {"before": digest(get_token())}
    try:
        with token.activate():
            answer["active"] = digest(get_token())
    except hubtoken.HubTokenError as error:
        answer["error"] = type(error).__name__
        answer["message"] = str(error)
    answer["after"] = digest(get_token())
    answer["variable"] = digest(os.environ.get("HF_TOKEN"))
    print(json.dumps(answer))  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
