"""Keeps an organization's service accounts while the clock is set to each time that is given."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

CLOCK = Path(os.environ["HUBTOKEN_TEST_CLOCK"])
times = json.load(sys.stdin)
CLOCK.write_text(str(times[0]))

import hubtoken  # noqa: E402 - the clock is read from here on

accounts = hubtoken.service_accounts("acme")
for moment in times:
    CLOCK.write_text(str(moment))
    assert accounts.list() == []
