"""A warning shows file and line number of the caller, but never the line, which may hold a token.

Filters, `-W error`, `logging` and once per location work as for any other warning.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings
from typing import TYPE_CHECKING

import pytest

import hubtoken
from tests.environment import child_environment, fake_token
from tests.python.servers import identity, serving

if TYPE_CHECKING:
    from pathlib import Path

DEADLINE = 60.0


def run(
    home: Path, *arguments: str, stdin: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env=child_environment(home, **variables),
        cwd=home,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )


def script(home: Path, text: str) -> Path:
    path = home / "train.py"
    path.write_text(text, encoding="utf-8")
    return path


# Each makes `login` warn that HF_TOKEN takes precedence over what it stores.
LOGIN = 'hubtoken.login("{value}")'
SETUPS = {
    "a plain script": "import hubtoken\n",
    "with the module imported": "import warnings\nimport hubtoken\n",
    "after a traceback was shown": ("import hubtoken, linecache\nlinecache.getlines(__file__)\n"),
    "with logging": "import hubtoken, logging\nlogging.basicConfig()\n"
    "logging.captureWarnings(True)\n",
    "with another formatter": "import hubtoken, warnings\nold = warnings.formatwarning\n"
    "warnings.formatwarning = lambda *a, **k: old(*a, **k)\n",
    "with another way of showing": "import hubtoken, sys, warnings\n"
    "def show(message, category, filename, lineno, file=None, line=None):\n"
    "    sys.stderr.write(warnings.formatwarning(message, category, filename, lineno, line))\n"
    "warnings.showwarning = show\n",
    "with a formatter that takes the text first": "import hubtoken, warnings\n"
    "old = warnings.formatwarning\n"
    "warnings.formatwarning = lambda m, c, f, n, line=None: old(str(m), c, f, n, line)\n",
    "with a way of showing that takes the text first": "import hubtoken, sys, warnings\n"
    "def show(message, category, filename, lineno, file=None, line=None):\n"
    "    text = str(message)\n"
    "    sys.stderr.write(warnings.formatwarning(text, category, filename, lineno, line))\n"
    "warnings.showwarning = show\n",
    "with a way of showing that takes the argument": "import hubtoken, sys, warnings\n"
    "def show(message, category, filename, lineno, file=None, line=None):\n"
    "    text = message.args[0]\n"
    "    sys.stderr.write(warnings.formatwarning(text, category, filename, lineno, line))\n"
    "warnings.showwarning = show\n",
}


@pytest.mark.parametrize("setup", SETUPS)
def test_no_line_of_the_caller_is_shown(setup: str, home: Path) -> None:
    value, other = fake_token(), fake_token()
    with serving(identity()) as server:
        variables = {"HF_TOKEN": other, "HF_ENDPOINT": server.endpoint}
        lines = SETUPS[setup].count("\n")
        path = script(home, SETUPS[setup] + LOGIN.format(value=value) + "\n")
        done = run(home, str(path), **variables)
        assert done.returncode == 0, done.stderr
        assert f"train.py:{lines + 1}: HubTokenWarning: HF_TOKEN is set" in done.stderr
        assert "hubtoken.login" not in done.stderr
        assert value not in done.stderr


def test_no_line_is_shown_of_a_command_or_of_standard_input(home: Path) -> None:
    value = fake_token()
    with serving(identity()) as server:
        variables = {"HF_TOKEN": fake_token(), "HF_ENDPOINT": server.endpoint}
        text = f"import hubtoken; {LOGIN.format(value=value)}"
        for done in (
            run(home, "-c", text, **variables),
            run(home, "-", stdin=text, **variables),
            run(home, "-i", "-q", stdin=text + "\n", **variables),
        ):
            assert "HubTokenWarning: HF_TOKEN is set" in done.stderr
            assert value not in done.stderr


def test_once_per_location_and_again_elsewhere(home: Path) -> None:
    value = fake_token()
    with serving(identity()) as server:
        call = LOGIN.format(value=value)
        text = f"import hubtoken\nfor _ in range(3):\n    {call}\n{call}\n"
        variables = {"HF_TOKEN": fake_token(), "HF_ENDPOINT": server.endpoint}
        done = run(home, str(script(home, text)), **variables)
        shown = [line for line in done.stderr.splitlines() if "HubTokenWarning" in line]
        assert [line.split(":")[1] for line in shown] == ["3", "4"]
        assert value not in done.stderr


def test_filters_decide_as_for_any_warning(home: Path) -> None:
    value = fake_token()
    with serving(identity()) as server:
        variables = {"HF_TOKEN": fake_token(), "HF_ENDPOINT": server.endpoint}
        script(home, f"import hubtoken\ndef work():\n    {LOGIN.format(value=value)}\n")
        module = "import train; train.work()"

        def shown(*options: str) -> subprocess.CompletedProcess[str]:
            return run(home, *options, "-c", module, **variables)

        assert "HubTokenWarning" in shown().stderr
        assert "HubTokenWarning" not in shown("-W", "ignore").stderr
        assert "HubTokenWarning" not in shown("-W", "ignore::UserWarning:train").stderr
        assert "HubTokenWarning" in shown("-W", "ignore::UserWarning:other").stderr
        failed = shown("-W", "error")
        assert failed.returncode == 1
        assert "hubtoken.errors.HubTokenWarning: HF_TOKEN is set" in failed.stderr


def test_a_recorded_warning_has_its_message_file_and_number(
    clean_environment: pytest.MonkeyPatch,
) -> None:
    with serving(identity()) as server:
        clean_environment.setenv("HF_TOKEN", fake_token())
        clean_environment.setenv("HF_ENDPOINT", server.endpoint)
        with pytest.warns(hubtoken.HubTokenWarning, match="HF_TOKEN is set") as record:
            hubtoken.login(fake_token())
        [warning] = record
        assert warning.filename == __file__
        shown = warnings.formatwarning(
            warning.message, warning.category, warning.filename, warning.lineno
        )
        assert shown.count("\n") == 1
        assert "hubtoken.login" not in shown
        # A caller that passes a line gets it.
        shown = warnings.formatwarning(
            warning.message, warning.category, warning.filename, warning.lineno, "a line"
        )
        assert shown.endswith("  a line\n")
        assert str(warning.message).startswith("HF_TOKEN is set")
        # Including what is formatted later, from its text.
        for text in (str(warning.message), warning.message.args[0]):  # type: ignore[union-attr]
            shown = warnings.formatwarning(text, warning.category, warning.filename, warning.lineno)
            assert shown.count("\n") == 1
            assert "HF_TOKEN is set" in shown
        again = pickle.loads(pickle.dumps(warning.message))  # noqa: S301 - its own
        assert str(again) == str(warning.message)
        assert type(warning.message.args[0].__reduce__()[1][0]) is str  # type: ignore[union-attr]


def test_pytest_shows_no_line_either(home: Path) -> None:
    value = fake_token()
    with serving(identity()) as server:
        text = f"import hubtoken\ndef test_it():\n    {LOGIN.format(value=value)}\n"
        (home / "test_it.py").write_text(text, encoding="utf-8")
        variables = {"HF_TOKEN": fake_token(), "HF_ENDPOINT": server.endpoint}
        options = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py")
        done = run(home, *options, **variables)
        assert done.returncode == 0, done.stdout
        assert "HubTokenWarning: HF_TOKEN is set" in done.stdout
        assert value not in done.stdout + done.stderr


def test_other_warnings_keep_their_lines(home: Path) -> None:
    path = script(home, "import hubtoken.errors, warnings\nwarnings.warn('something else')\n")
    assert "warnings.warn('something else')" in run(home, str(path)).stderr
