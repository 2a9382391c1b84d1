"""Runs a child with `hubtoken run`, which writes the source and the resource that it is left."""

import subprocess
import sys

CHILD = """
import os
import hubtoken

token = hubtoken.resolve_token()
assert token.reveal() == os.environ["HF_TOKEN"]
print(token.source, os.environ["HF_OIDC_RESOURCE"])
"""

command = [sys.executable, "-m", "hubtoken", "run", "--", sys.executable, "-c", CHILD]
sys.exit(subprocess.run(command, check=False).returncode)
