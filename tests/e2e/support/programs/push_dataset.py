"""Pushes a data set and loads it again; prints the outcome."""

import json
import sys
import tempfile

from datasets import Dataset, load_dataset

request = json.load(sys.stdin)
repo, token = request["repo"], request["token"]
words = ["one", "two", "three"]
with tempfile.TemporaryDirectory() as cache:
    try:
        Dataset.from_dict({"word": words}).push_to_hub(repo, token=token, private=True)
    except FileNotFoundError:
        outcome = "FileNotFoundError"
    else:
        rows = load_dataset(repo, token=token, cache_dir=cache, split="train")
        outcome = "works" if rows["word"][:] == words else "wrong rows"
print(json.dumps(outcome))
