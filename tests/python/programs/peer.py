"""Asks huggingface_hub and hubtoken, in the same environment, which token is used."""

from __future__ import annotations

import hashlib
import json
import warnings
from typing import TYPE_CHECKING

from huggingface_hub import get_token

import hubtoken

if TYPE_CHECKING:
    from collections.abc import Callable


def ours() -> str | None:
    """What hubtoken answers."""
    token = hubtoken.resolve_token(required=False)
    return None if token is None else token.reveal()


def told(ask: Callable[[], str | None]) -> str | None:
    """The answer's digest, or the error's class."""
    try:
        value = ask()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        return type(error).__name__
    return None if value is None else hashlib.sha256(value.encode()).hexdigest()


def main() -> None:
    """Ask both, twice: the second answer may come from memory."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answers = {"theirs": told(get_token), "ours": told(ours), "again": told(ours)}
    print(json.dumps(answers))  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
