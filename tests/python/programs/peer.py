"""Prints which token huggingface_hub and hubtoken use in the same environment."""

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
    """The token that hubtoken uses."""
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
    """Resolve with both, twice: the second answer may come from a cache."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answers = {"theirs": told(get_token), "ours": told(ours), "again": told(ours)}
    print(json.dumps(answers))  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
