"""Pushes a data set with each token it is given, and loads it again; prints each outcome."""

import json
import sys
import tempfile
import uuid

from datasets import Dataset, load_dataset
from huggingface_hub.errors import HfHubHTTPError

request = json.load(sys.stdin)


def push(token: str | bool) -> str:
    """The words of the matrix, or the error itself for any other outcome."""
    name, words = f"x{uuid.uuid4().hex}", [uuid.uuid4().hex for _ in range(1000)]
    try:
        Dataset.from_dict({"word": words}).push_to_hub(request["repo"], name, token=token)
    except HfHubHTTPError as error:
        return "refused" if error.response.status_code in {401, 403} else repr(error)
    with tempfile.TemporaryDirectory() as cache:
        read_with = request["read_with"]
        rows = load_dataset(request["repo"], name, token=read_with, cache_dir=cache, split="train")
        return "works" if rows["word"][:] == words else "wrong rows"


print(json.dumps({kind: push(token) for kind, token in request["tokens"].items()}))
