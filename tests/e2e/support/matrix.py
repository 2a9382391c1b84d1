"""The access matrix of every client and every kind of token: its single definition.

`works` means success. A number is the HTTP status that the client reports. `refused` is used where
a library hides the status behind an error of its own (`transformers`, `datasets`) or where a
program only has an exit code (`hf`, `git`).

The fine-grained token reads `alice/private` and the data set, writes `alice/scratch`, and that is
all: it has no inference permission; reading public content needs none. A deleted token is rejected
even where no token is needed: a bad credential never degrades to none. git only sends its token
when it is asked for one, so it clones public repositories with any token.
"""

from __future__ import annotations

from typing import NamedTuple

from tests.e2e.support.world import KINDS

TABLE = """
operation                        read     write    fine-grained  deleted  none

huggingface_hub: whoami          works    works    works         401      -
huggingface_hub: model_info      works    works    works         401      401
huggingface_hub: list files      works    works    works         401      401
huggingface_hub: download        works    works    works         401      401
huggingface_hub: snapshot        works    works    works         401      401
huggingface_hub: public file     works    works    works         401      works
huggingface_hub: public info     works    works    works         401      works
huggingface_hub: org file        works    works    404           401      401
huggingface_hub: check read      works    works    works         401      401
huggingface_hub: check write     403      works    403           401      401
huggingface_hub: check scratch   403      works    works         401      401
huggingface_hub: upload scratch  403      works    works         401      401
huggingface_hub: upload folder   403      works    works         401      401
huggingface_hub: upload private  403      works    403           401      401
huggingface_hub: upload public   403      works    403           401      401
huggingface_hub: download large  works    works    works         401      401
huggingface_hub: public large    works    works    works         401      works
huggingface_hub: upload large    403      works    works         401      401
huggingface_hub: large folder    403      works    works         401      401
huggingface_hub: files of fs     works    works    works         401      404
huggingface_hub: write by fs     403      works    works         401      404
huggingface_hub: create own      403      works    403           401      401
huggingface_hub: create in org   403      works    403           401      401
huggingface_hub: delete          403      works    404           401      401

transformers: tokenizer          works    works    works         refused  refused
transformers: push               refused  works    works         refused  refused
safetensors: push                refused  works    works         refused  refused
datasets: load                   works    works    works         refused  refused
datasets: stream                 works    works    works         refused  refused
datasets: push                   refused  works    works         refused  refused
pandas: read                     works    works    works         refused  refused
pandas: write                    refused  works    works         refused  refused

hf: auth whoami                  works    works    works         refused  refused
hf: auth login                   works    works    works         refused  -
hf: download                     works    works    works         refused  refused
hf: upload                       refused  works    works         refused  refused

huggingface.js: download         works    works    works         401      401
huggingface.js: public file      works    works    works         401      works
huggingface.js: upload           403      works    works         401      401

requests: bearer whoami          200      200      200           401      401
requests: basic whoami           200      200      200           401      401
requests: bearer file            200      200      200           401      401
requests: basic file             200      200      200           401      401
httpx: bearer whoami             200      200      200           401      401
httpx: basic file                200      200      200           401      401
curl: bearer whoami              200      200      200           401      401
curl: basic whoami               200      200      200           401      401
curl: bearer file                200      200      200           401      401
curl: basic file                 200      200      200           401      401

inference: chat completion       works    works    403           401      401
inference: chat stream           works    works    403           401      401
inference: embeddings            works    works    403           401      401
inference: text generation       works    works    403           401      401

asgi: read                       200      200      200           401      401
asgi: write                      403      200      200           401      401

git: clone private               works    works    works         refused  refused
git: clone data set              works    works    works         refused  refused
git: clone public                works    works    works         works    works
git: push scratch                refused  works    works         refused  refused
git: push private                refused  works    refused       refused  refused
git: push public                 refused  works    refused       refused  refused
git-lfs: fetch private           works    works    works         refused  refused
git-lfs: push scratch            refused  works    works         refused  refused
"""


class Case(NamedTuple):
    """One cell of the table."""

    client: str
    operation: str
    kind: str
    expected: str

    def __str__(self) -> str:
        return f"{self.operation}-{self.kind}"


def read_table(table: str) -> list[Case]:
    """Every cell except the impossible ones (`-`)."""
    header, *rows = [line for line in table.splitlines() if line]
    if tuple(header.split()[1:]) != KINDS:
        raise ValueError("the columns are not the kinds of token")
    cases = []
    for row in rows:
        client, _, rest = row.partition(": ")
        words = rest.split()
        operation = " ".join(words[: -len(KINDS)])
        for kind, expected in zip(KINDS, words[-len(KINDS) :], strict=True):
            if expected != "-":
                cases.append(Case(client, operation, kind, expected))
    return cases


CASES = read_table(TABLE)


def cases(client: str) -> list[Case]:
    """The cells of one client."""
    found = [case for case in CASES if case.client == client]
    if not found:
        raise ValueError(f"no such client in the table: {client}")
    return found
