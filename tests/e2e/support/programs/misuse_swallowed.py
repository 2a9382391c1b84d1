"""Passes a HubToken where a library swallows the error; prints what came of each call."""

import json
import sys
from collections.abc import Callable

from datasets import load_dataset
from transformers import AutoConfig, AutoTokenizer

import hubtoken

request = json.load(sys.stdin)
value = request["token"]
token = hubtoken.resolve_token(value)


def said(call: Callable[[], object]) -> str:
    """The class and the text of the error, without its causes."""
    try:
        call()
    except Exception as error:  # noqa: BLE001 - which one is the answer
        return f"{type(error).__name__}: {error}"
    return "no error"


# From here on there is something in the caches that the libraries fall back on.
load_dataset(request["dataset"], token=value)
AutoConfig.from_pretrained(request["model"], token=value)

answer = {}
for name, call in {
    "data set, warm": lambda: load_dataset(request["dataset"], token=token),
    "configuration, warm": lambda: AutoConfig.from_pretrained(request["model"], token=token),
    "configuration": lambda: AutoConfig.from_pretrained(request["other"], token=token),
    "tokenizer": lambda: AutoTokenizer.from_pretrained(request["other"], token=token),
}.items():
    sys.stderr.write(f"--- {name}\n")
    answer[name] = said(call)
print(json.dumps(answer))
