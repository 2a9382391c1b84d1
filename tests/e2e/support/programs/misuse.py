"""Passes a HubToken itself where a library expects the string; prints the outcome of each call."""

import json
import sys
from collections.abc import Callable

from datasets import load_dataset
from transformers import AutoTokenizer

import hubtoken

request = json.load(sys.stdin)
token = hubtoken.resolve_token(request["token"])


def said(call: Callable[[], object]) -> str:
    """The error's class and text, all causes included."""
    try:
        call()
    except Exception as error:  # noqa: BLE001 - which one is the answer
        chain: list[str] = []
        cause: BaseException | None = error
        while cause is not None:
            chain.append(f"{type(cause).__name__}: {cause}")
            cause = cause.__cause__ or cause.__context__
        return " <- ".join(chain)
    return "no error"


print(
    json.dumps(
        {
            "transformers": said(
                lambda: AutoTokenizer.from_pretrained(request["model"], token=token)
            ),
            "datasets": said(lambda: load_dataset(request["dataset"], token=token)),
        }
    )
)
