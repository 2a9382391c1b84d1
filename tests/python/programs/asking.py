"""One of many processes: prints `ready`, waits for a line, sends a request, prints the outcome.

The first line is JSON: the token's value and further arguments of `whoami`. With `full_disk`, all
writes to files fail from then on.
"""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any

import hubtoken


def fill_disk() -> None:
    """Make every write to a file fail, as on a disk that is full."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def ask(value: str, arguments: dict[str, Any]) -> dict[str, object]:
    """The user or the error, and the warnings."""
    answer: dict[str, object] = {}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            answer["user"] = hubtoken.whoami(value, **arguments).user
        except hubtoken.HubTokenError as error:
            answer["error"] = type(error).__name__
            answer["retry_after"] = getattr(error, "retry_after", None)
    answer["warnings"] = [warning.category.__name__ for warning in caught]
    return answer


def main() -> None:
    """Send the request when the parent says so."""
    arguments = json.loads(sys.stdin.readline())
    value = arguments.pop("value")
    if arguments.pop("full_disk", False):
        fill_disk()
    print("ready", flush=True)  # noqa: T201 - the parent waits for it
    sys.stdin.readline()
    print(json.dumps(ask(value, arguments)))  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
