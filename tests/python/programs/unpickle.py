"""Unpickles a token in a process that never had it, and uses it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import pickle
import sys

import hubtoken


def main() -> None:
    """Print the token's state before and after its first use."""
    request = json.load(sys.stdin)
    token = pickle.loads(base64.b64decode(request["pickle"]))  # noqa: S301 - our own
    answer = {
        "shown": repr(token),
        "source": token.source,
        "kind": token.kind,
        "fingerprint": token.fingerprint,
    }
    # After unpickling: variables set now are used on first use.
    os.environ.update(request.get("set", {}))
    try:
        answer["digest"] = hashlib.sha256(token.reveal().encode()).hexdigest()
    except hubtoken.HubTokenError as error:
        answer["error"] = type(error).__name__
        answer["message"] = str(error)
    answer["shown after"] = repr(token)
    print(json.dumps(answer))  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
