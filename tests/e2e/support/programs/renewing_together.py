"""Many processes that find the same token about to expire: half of them with `huggingface_hub`.

They are forked once everything is imported, and start together. Each one's token is a line of
standard output.
"""

from __future__ import annotations

import os
import sys

import huggingface_hub

import hubtoken

PROCESSES = int(sys.argv[1])


def found(number: int) -> str | None:
    """The token that a process finds."""
    if number % 2:
        return huggingface_hub.get_token()
    token = hubtoken.get_token()
    return None if token is None else str.__str__(token)


ready, start = os.pipe()
children = []
for number in range(PROCESSES):
    child = os.fork()
    if child == 0:
        os.close(start)
        os.read(ready, 1)
        os.write(1, f"{found(number)}\n".encode())
        os._exit(0)
    children.append(child)
os.close(ready)
os.close(start)
sys.exit(any(os.waitpid(child, 0)[1] for child in children))
