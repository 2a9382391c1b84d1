"""Uploads files by `huggingface_hub`, each in a process of its own, which can be killed.

Each line of standard input is a request; the answer to it is the id of the process, and later how
that process has ended. The library is imported once, and no thread runs before the fork.
"""

import json
import os
import sys

from huggingface_hub import HfApi

for line in sys.stdin:
    request = json.loads(line)
    process = os.fork()
    if process == 0:
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        status = 1
        try:
            api = HfApi(endpoint=request["endpoint"], token=request["token"])
            api.upload_file(
                path_or_fileobj=request["file"],
                path_in_repo=request["path"],
                repo_id=request["repo"],
            )
            status = 0
        finally:
            os._exit(status)
    print(json.dumps(process), flush=True)
    _, status = os.waitpid(process, 0)
    print(json.dumps(os.waitstatus_to_exitcode(status)), flush=True)
