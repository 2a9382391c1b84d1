"""Prints tokens, errors, traces and records to a standard output of a limited encoding.

The last line has the forms of the mask that were printed.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
import warnings
from pathlib import Path

import hubtoken
from hubtoken._core import token_mask

VALUE, NAME, OTHER = json.loads(sys.stdin.read())
SHOWN: list[str] = []


def show(*things: object) -> None:
    """Prints each in every way, and keeps what was printed."""
    for thing in things:
        text = f"{thing} {thing!r} {[thing]} {'%s' % thing}"  # noqa: UP031 - one of the ways
        print(thing, [thing], text, repr(thing))  # noqa: T201
        SHOWN.append(text)


def failure(call: object, *arguments: object, **options: object) -> Exception:
    """The error of a call."""
    try:
        call(*arguments, **options)  # type: ignore[operator]
    except Exception as error:  # noqa: BLE001 - all of them are printed
        return error
    raise AssertionError(call)


def everything() -> None:
    """A token, its traces, errors with a mask and with people's names, and warnings."""
    token = hubtoken.HubToken(VALUE)
    show(token, hubtoken.explain(token), *hubtoken.explain(token).steps)
    show(hubtoken.explain(token).to_dict(), vars(hubtoken.explain(token)), token_mask(token))
    for step in hubtoken.explain(token).steps:
        show(step.mask, step.detail, step.to_dict())
    failures = (
        failure(token.headers, "https://evil.example"),
        failure(hubtoken.resolve_token, profile=NAME),
        failure(hubtoken.resolve_token),
        failure(hubtoken.require_role, NAME, token),
        failure(getattr, token, "strip"),
    )
    show(*failures)
    for error in failures:
        show(error.args[0], error.args)
    missing = failure(hubtoken.resolve_token)
    assert isinstance(missing, hubtoken.TokenNotFoundError)
    show(missing.trace, missing.args[0])
    os.environ["HF_TOKEN_PATH"] = str(Path(NAME) / "token")
    show(failure(hubtoken.resolve_token))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        token(type("Request", (), {"url": "https://evil.example/", "headers": {}})())
        Path(NAME).mkdir(exist_ok=True)
        (Path(NAME) / "token").write_text("hf_****abcd", encoding="ascii")
        hubtoken.resolve_token(required=False)
    assert len(caught) == 2
    for warning in caught:
        show(warning.message, warning.message.args[0])  # type: ignore[union-attr]
    masks = re.findall(r"hf_(?:\.\.\.|…)" + VALUE[-4:], " ".join(SHOWN))
    sys.stdout.write(
        json.dumps(sorted({mask.encode("ascii", "backslashreplace").decode() for mask in masks}))
        + "\n"
    )


if OTHER:
    # A replaced standard output decides, not the first one.
    first = sys.stdout
    sys.stdout = io.TextIOWrapper(io.BytesIO(), encoding=OTHER)
    everything()
    sys.stdout.flush()
    written = sys.stdout.buffer.getvalue().decode(OTHER)
    sys.stdout = first
    sys.stdout.write(written.splitlines()[-1] + "\n")
else:
    everything()
