"""Another interpreter of the process does not load hubtoken, not even halfway."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.environment import child_environment
from tests.python.helpers import DEADLINE

if TYPE_CHECKING:
    from pathlib import Path

MODULES = ("hubtoken", "hubtoken.hub", "hubtoken.errors", "hubtoken._core", "hubtoken.asgi")

PROGRAM = """
import sys
try:
    import _interpreters as interpreters
except ImportError:
    try:
        import _xxsubinterpreters as interpreters
    except ImportError:
        print("none")
        sys.exit()
run = getattr(interpreters, "exec", None) or interpreters.run_string

first, prelude, module = {first!r}, {prelude!r}, {module!r}

def in_another():
    other = interpreters.create()
    code = prelude + '''
import sys
refused = []
for _ in range(2):
    try:
        import ''' + module + '''
    except ImportError as error:
        refused.append(str(error))
loaded = sorted(name for name in sys.modules if name.partition('.')[0] == 'hubtoken')
assert len(refused) == 2 and refused[0] == refused[1], refused
assert loaded == [], loaded
print(refused[0], flush=True)
'''
    try:
        failed = run(other, code)
        assert failed is None, failed
    finally:
        interpreters.destroy(other)

if not first:
    in_another()
import hubtoken.hub
in_another()
# The first one goes on working, also for what is imported late.
token = hubtoken.resolve_token("hf_" + "Ab1" * 12)
try:
    hubtoken.resolve_token(profile="nobody")
except hubtoken.TokenNotFoundError:
    with hubtoken.hub.Hub() as hub, token.activate():
        hub.create_user("alice")
        token = hub.create_token("alice", name="t", role="read")
        print(hubtoken.whoami(token).user)
"""


@pytest.mark.parametrize("prelude", ["", "__file__ = 'program.py'"])
@pytest.mark.parametrize("first", [True, False], ids=["after", "before"])
@pytest.mark.parametrize("module", MODULES)
def test_another_interpreter_is_refused_in_one_sentence(
    home: Path, module: str, first: bool, prelude: str
) -> None:
    if prelude and not first:
        pytest.skip("one that looks like a program is known only by the first")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(first=first, prelude=prelude, module=module)],
        env=child_environment(home),
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )
    assert done.returncode == 0, done.stderr
    *sentences, user = done.stdout.splitlines()
    if user == "none":
        pytest.skip("this Python has no other interpreters")
    assert user == "alice"
    assert len(sentences) == (1 if first else 2)
    for sentence in sentences:
        assert sentence.startswith("hubtoken ")
        assert "one only" in sentence or "WSGIApplicationGroup" in sentence
        assert ". " not in sentence
