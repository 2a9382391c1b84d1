"""A minimal training script: check the token, activate it, then never mention it again."""

import json
import sys

from huggingface_hub import get_token
from transformers import AutoTokenizer

import hubtoken

request = json.load(sys.stdin)
private = request["repo"]


def words() -> str:
    """Load without `token=`, without a cache."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(private, force_download=True)
    except OSError:
        return "refused"
    return "works" if tokenizer("hello hub")["input_ids"] == [1, 2] else "wrong words"


before = words()
activation = hubtoken.require_role("read", request["token"], repo=private).activate()
during = words()
active = get_token() == request["token"]
activation.deactivate()
print(
    json.dumps(
        {
            "before": before,
            "during": during,
            "active": active,
            "after": get_token(),
        }
    )
)
