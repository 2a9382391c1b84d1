"""Makes a tokenizer and pushes it with each token it is given; prints each outcome."""

import json
import sys
import tempfile
import uuid

from huggingface_hub.errors import HfHubHTTPError
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

request = json.load(sys.stdin)


def make(word: str) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0, word: 1}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>")


def push(token: str | bool) -> str:
    """The words of the matrix, or the error itself for any other outcome."""
    word = uuid.uuid4().hex
    try:
        make(word).push_to_hub(request["repo"], token=token)
    except HfHubHTTPError as error:
        return "refused" if error.response.status_code in {401, 403} else repr(error)
    except OSError as error:
        return "refused" if "401" in str(error) or "403" in str(error) else repr(error)
    with tempfile.TemporaryDirectory() as cache:
        again = AutoTokenizer.from_pretrained(
            request["repo"], token=request["read_with"], cache_dir=cache
        )
    return "works" if again(word)["input_ids"] == [1] else "wrong words"


print(json.dumps({kind: push(token) for kind, token in request["tokens"].items()}))
