"""Loads a tokenizer with each token it is given; prints each outcome.

A separate process, because `transformers` reads HF_ENDPOINT only once, at import.
"""

import json
import sys
import tempfile

from transformers import AutoTokenizer


def load(repo: str, token: str | bool) -> str:
    """The words of the matrix, or the error itself for any other outcome."""
    with tempfile.TemporaryDirectory() as cache:
        try:
            tokenizer = AutoTokenizer.from_pretrained(repo, token=token, cache_dir=cache)
        except OSError:
            return "refused"
        return "works" if tokenizer("hello hub")["input_ids"] == [1, 2] else "wrong words"


request = json.load(sys.stdin)
print(json.dumps({kind: load(request["repo"], token) for kind, token in request["tokens"].items()}))
