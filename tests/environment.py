"""The environment that tests run in: without the user's home, tokens, or proxies.

The clients under test read dozens of variables, many of them once, at import. The process is
therefore cleaned before the first import (see `tests/conftest.py`), and a child process starts from
`child_environment`, which copies only what a program needs to start.
"""

from __future__ import annotations

import os
import secrets
import string
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# A test that takes longer than this has hung. Nothing else depends on it.
HANG_LIMIT = 300.0

# By prefix: whatever is set on a developer's machine for the Hub, its libraries or hubtoken.
STEERING_PREFIXES = (
    *("HF_", "HUGGING", "HUBTOKEN", "TRANSFORMERS_", "DATASETS_"),
    *("OAUTH_", "SLURM_", "XDG_"),
)
STEERING_NAMES = frozenset(
    {
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        "ACTIONS_ID_TOKEN_REQUEST_URL",
        "ALL_PROXY",
        "CLICOLOR_FORCE",
        "COLAB_RELEASE_TAG",
        "CURL_CA_BUNDLE",
        "FORCE_COLOR",
        "GITHUB_ACTIONS",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "KAGGLE_KERNEL_RUN_TYPE",
        "NETRC",
        "NO_COLOR",
        "NO_PROXY",
        "PYTHONPATH",
        "REQUESTS_CA_BUNDLE",
        "SPACE_HOST",
        "SPACE_ID",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
    }
)

# Only the embedded Hub is contacted, only what a test inspects is printed, and no client gives up
# before a test does.
QUIET = {
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    # Its ten seconds are over before a machine that is kept busy has answered.
    "HF_HUB_DOWNLOAD_TIMEOUT": str(int(HANG_LIMIT)),
    "HF_HUB_ETAG_TIMEOUT": str(int(HANG_LIMIT)),
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
}


def steers(name: str) -> bool:
    """Whether a variable of this name could change a test's result."""
    upper = name.upper()
    return upper in STEERING_NAMES or upper.startswith(STEERING_PREFIXES)


def home_variables(home: Path) -> dict[str, str]:
    """Variables that keep every program inside `home`."""
    return {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "HF_HOME": str(home / "huggingface"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_DATA_HOME": str(home / "data"),
        "XDG_STATE_HOME": str(home / "state"),
    }


def clean_process(home: Path) -> None:
    """Replace this process's environment with a clean one that uses `home`."""
    for name in [name for name in os.environ if steers(name)]:
        del os.environ[name]
    os.environ.update(home_variables(home) | QUIET)


def child_environment(home: Path, **variables: str) -> dict[str, str]:
    """The complete environment of a child process that uses `home`."""
    inherited = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    fixed = {"LANG": "C.UTF-8", "PYTHONUTF8": "1"}
    return inherited | fixed | home_variables(home) | QUIET | variables


def fake_token() -> str:
    """A token in the right format that no Hub has issued: 37 characters, new on each call."""
    return "hf_" + "".join(secrets.choice(string.ascii_letters) for _ in range(34))
