"""Reads a table with pandas and each token it is given; prints each outcome."""

import json
import sys

import pandas as pd  # type: ignore[import-untyped]
from huggingface_hub.errors import HfHubHTTPError

request = json.load(sys.stdin)


def read(token: str | bool) -> str:
    """The words of the matrix, or the error itself for any other outcome."""
    path = f"hf://datasets/{request['repo']}/train.csv"
    options = {"token": token, "skip_instance_cache": True}
    try:
        frame = pd.read_csv(path, storage_options=options)
    except HfHubHTTPError as error:
        return "refused" if error.response.status_code in {401, 403} else repr(error)
    except FileNotFoundError:
        # The library says so of what it may not see.
        return "refused"
    return "works" if list(frame["word"]) == ["one", "two", "three"] else "wrong rows"


print(json.dumps({kind: read(token) for kind, token in request["tokens"].items()}))
