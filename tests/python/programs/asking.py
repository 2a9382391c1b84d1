"""One of many processes: says that it is ready, waits for a line, asks, and tells what came of it.

The first line is a JSON object: the token's value, its endpoint, and further arguments of whoami.
With `full_disk`, no byte can be written to any file from then on.
"""

from __future__ import annotations

import json
import sys
import warnings

import hubtoken

request = json.loads(sys.stdin.readline())
if request.pop("full_disk", False):
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
print("ready", flush=True)
sys.stdin.readline()

answer: dict[str, object] = {}
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    try:
        answer["user"] = hubtoken.whoami(request.pop("value"), **request).user
    except hubtoken.HubTokenError as error:
        answer["error"] = type(error).__name__
        answer["retry_after"] = getattr(error, "retry_after", None)
answer["warnings"] = [warning.category.__name__ for warning in caught]
print(json.dumps(answer))
