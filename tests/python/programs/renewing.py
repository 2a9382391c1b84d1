"""Holds one token, and answers each line of standard input with the value that it has by then."""

from __future__ import annotations

import sys

import hubtoken

token = hubtoken.resolve_token()
assert token is not None
for _ in sys.stdin:
    sys.stdout.write(f"{str.__str__(token.reveal())}\n")
    sys.stdout.flush()
