"""Printing a token, an error or a trace never raises, whatever standard output can encode."""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import hubtoken
from tests.environment import HANG_LIMIT, child_environment, fake_token
from tests.python.helpers import PROGRAMS, ROOT, handed_over, leaks

if TYPE_CHECKING:
    from pathlib import Path

# The encoding, and whether it has U+2026.
ENCODINGS = {
    "ascii": False,
    "latin-1": False,
    "cp437": False,
    "cp1252": True,
    "utf-8": True,
    "ascii:replace": False,
    "utf-16": True,
}
# A name with what is in no code page, in one of them, and in Latin-1.
NAME = "\u6a21-\u0141-\u00fc"


def run(
    home: Path, *arguments: str, encoding: str, stdin: str = "", **variables: str
) -> tuple[int, str, str]:
    """Run Python with a standard output in an encoding."""
    done = subprocess.run(
        [sys.executable, *arguments],
        env=child_environment(home, PYTHONPATH=str(ROOT), PYTHONIOENCODING=encoding, **variables),
        cwd=home,
        input=stdin.encode("ascii"),
        capture_output=True,
        check=False,
        timeout=HANG_LIMIT,
    )
    codec = encoding.partition(":")[0]
    return done.returncode, done.stdout.decode(codec), done.stderr.decode(codec)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_everything_is_printed(home: Path, encoding: str) -> None:
    value = fake_token()
    if encoding.startswith("utf-16"):
        # Only a replaced standard output: standard input has the encoding as well.
        request, environment = json.dumps([value, NAME, encoding]), "utf-8"
    else:
        request, environment = json.dumps([value, NAME, ""]), encoding
    program = str(PROGRAMS / "encodings.py")
    code, out, err = run(home, program, encoding=environment, stdin=request)
    assert code == 0, err
    mark = "\\u2026" if ENCODINGS[encoding] else "..."
    assert json.loads(out.splitlines()[-1]) == [f"hf_{mark}{value[-4:]}"]
    assert leaks(out + err, value) == []


def test_a_replaced_standard_output_decides(token_of_a_test: hubtoken.HubToken) -> None:
    for encoding, has_it in ENCODINGS.items():
        if ":" in encoding:
            continue
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        with contextlib.redirect_stdout(stream):
            shown = str(token_of_a_test)
            print(token_of_a_test)  # noqa: T201
        assert ("\u2026" in shown) is has_it
        assert shown.isascii() is not has_it


class Odd:
    """A standard output without what others have."""

    encoding: object = None


@pytest.mark.parametrize("encoding", [None, 3, "no such encoding"])
def test_an_odd_standard_output_is_no_obstacle(
    token_of_a_test: hubtoken.HubToken, encoding: object
) -> None:
    odd = Odd()
    odd.encoding = encoding
    for stream in (odd, None, object(), io.StringIO()):
        with contextlib.redirect_stdout(stream):  # type: ignore[type-var]
            assert "HubToken(hf_" in repr(token_of_a_test)
            assert "hf_" in str(hubtoken.explain(token_of_a_test))


def test_a_mask_in_ascii_is_refused_as_a_mask(token_of_a_test: hubtoken.HubToken) -> None:
    with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO(), encoding="ascii")):
        shown = str(token_of_a_test)
        [step, *_] = hubtoken.explain(token_of_a_test).steps
    assert step.mask is not None
    for mask in (shown, step.mask, step.mask.replace("...", "\\u2026"), f"HF_TOKEN={step.mask}"):
        with pytest.raises(hubtoken.TokenFormatError, match="masked"):
            hubtoken.resolve_token(mask)


def test_an_error_crosses_processes_with_the_message_that_it_was_raised_with() -> None:
    error = hubtoken.StoreError(f"the token hf_\u2026 of {NAME}")
    with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO(), encoding="ascii")):
        assert str(error).isascii()
        assert str(error.args[0]).isascii()
        pickled = pickle.dumps(error)
    again = pickle.loads(pickled)  # noqa: S301 - our own pickle
    assert str(again) == str(error) == f"the token hf_\u2026 of {NAME}"
    assert again.args == error.args == (f"the token hf_\u2026 of {NAME}",)
    assert type(error.__reduce__()[1][0]) is str  # type: ignore[index]


def test_the_columns_of_a_table_line_up_in_ascii(home: Path) -> None:
    folder = home / "hub"
    folder.mkdir()
    stored = "".join(f"[{name}]\nhf_token = {fake_token()}\n" for name in (NAME, "ci"))
    (folder / "stored_tokens").write_text(stored, encoding="utf-8")
    variables = {"HF_TOKEN_PATH": str(folder / "token")}
    code, out, _ = run(home, "-m", "hubtoken", "list", encoding="ascii", **variables)
    assert code == 0
    columns = {line.find("hf_...") for line in out.splitlines() if "hf_..." in line}
    assert len(columns) == 1, out
    assert out.splitlines()[0].find("token") in columns


def test_elsewhere_the_mask_cannot_be_sent(token_of_a_test: hubtoken.HubToken) -> None:
    assert "\u2026" in str(token_of_a_test)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437", "cp1252", "ascii:strict"])
def test_the_command_line_writes_ascii(home: Path, encoding: str) -> None:
    value = fake_token()
    folder = home / NAME
    folder.mkdir()
    (folder / "token").write_text(value)
    variables = {"HF_TOKEN": "hf_****abcd", "HF_TOKEN_PATH": str(folder / "token")}
    code, out, err = run(home, "-m", "hubtoken", "explain", encoding=encoding, **variables)
    assert (code, err) == (0, "")
    assert out.isascii()
    assert f"hf_...{value[-4:]}" in out
    assert "\\u6a21-\\u0141-\\xfc" in out
    code, out, err = run(
        home, "-m", "hubtoken", "explain", "--json", encoding=encoding, **variables
    )
    assert out.isascii()
    answer = json.loads(out)
    assert answer["token"]["mask"] == f"hf_\u2026{value[-4:]}"
    assert NAME in answer["token"]["source"]
    code, out, err = run(
        home, "-m", "hubtoken", "status", "--profile", NAME, encoding=encoding, **variables
    )
    assert code != 0
    assert (out + err).isascii()
    assert "Traceback" not in err


def test_the_command_line_writes_utf_8_elsewhere(home: Path) -> None:
    value = fake_token()
    code, out, _ = run(home, "-m", "hubtoken", "explain", encoding="utf-8", HF_TOKEN=value)
    assert code == 0
    assert f"hf_\u2026{value[-4:]}" in out


@pytest.fixture
def token_of_a_test() -> hubtoken.HubToken:
    return handed_over()
