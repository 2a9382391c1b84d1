"""Makes weights and pushes them with each token it is given; prints each outcome."""

import json
import sys
import tempfile
import uuid
from pathlib import Path

import numpy as np
from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError
from safetensors.numpy import load_file, save_file

request = json.load(sys.stdin)


def push(token: str | bool) -> str:
    """The words of the matrix, or the error itself for any other outcome."""
    name = f"{uuid.uuid4().hex}.safetensors"
    weights = np.random.default_rng().random((64, 64))
    with tempfile.TemporaryDirectory() as folder:
        save_file({"weights": weights}, Path(folder) / name)
        try:
            HfApi(token=token).upload_folder(repo_id=request["repo"], folder_path=folder)
        except HfHubHTTPError as error:
            return "refused" if error.response.status_code in {401, 403} else repr(error)
        path = hf_hub_download(
            request["repo"], name, token=request["read_with"], cache_dir=f"{folder}/cache"
        )
        return "works" if (load_file(path)["weights"] == weights).all() else "wrong numbers"


print(json.dumps({kind: push(token) for kind, token in request["tokens"].items()}))
