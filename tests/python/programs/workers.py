"""Passes a token to the workers of a multiprocessing pool, as trainers do."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import sys

import hubtoken


def use(token: hubtoken.HubToken) -> list[str]:
    """The result of using the token in a worker."""
    shown = repr(token)
    try:
        return [shown, hashlib.sha256(token.reveal().encode()).hexdigest()]
    except hubtoken.HubTokenError as error:
        return [shown, type(error).__name__]


def main() -> None:
    """Resolve as requested, then let two workers use the token."""
    request = json.load(sys.stdin)
    if request["source"] == "environment":
        os.environ["HF_TOKEN"] = request["value"]
        token = hubtoken.resolve_token()
    else:
        token = hubtoken.resolve_token(request["value"])
    assert token is not None
    with multiprocessing.get_context(request["method"]).Pool(2) as pool:
        answers = pool.map(use, [token] * 4, chunksize=1)
    print(json.dumps(answers))  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
