"""Holds a login, and answers each line of standard input with the token that it has by then.

The argument names the library. `huggingface_hub` reads the time from Python, which reads it from
the file that is hubtoken's clock as well.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

CLOCK = Path(os.environ["HUBTOKEN_TEST_CLOCK"])

if sys.argv[1] == "huggingface_hub":
    import huggingface_hub

    time.time = lambda: int(CLOCK.read_text()) / 1000
    current = huggingface_hub.get_token
else:
    import hubtoken

    held = hubtoken.resolve_token()
    assert held is not None
    current = held.reveal

for _ in sys.stdin:
    sys.stdout.write(f"{current()}\n")
    sys.stdout.flush()
