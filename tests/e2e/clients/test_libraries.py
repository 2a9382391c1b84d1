"""`transformers` and `datasets` against the embedded Hub, each in a separate process.

One process runs all kinds of token: the libraries take seconds to import.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.support.matrix import Case, cases
from tests.e2e.support.runner import PROGRAMS, Runner
from tests.e2e.support.world import (
    DATASET,
    KINDS,
    PRIVATE,
    PUBLIC,
    SCRATCH,
    SCRATCH_DATASET,
)

if TYPE_CHECKING:
    from tests.e2e.support.world import World


@pytest.fixture(scope="module")
def answers(world: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The result of each library, by kind of token; a library is only run on demand."""
    runner = Runner(tmp_path_factory.mktemp("libraries"), world.endpoint)
    tokens = {kind: world.value(kind) or False for kind in KINDS}

    class Answers(dict[str, Any]):
        def __missing__(self, library: str) -> Any:
            program, repo = PROGRAMS_OF[library]
            request = {"repo": repo, "tokens": tokens, "read_with": tokens["write"]}
            self[library] = runner.program(program, request)
            return self[library]

    return Answers()


# The program and the repository of each library's operation.
PROGRAMS_OF = {
    "transformers: tokenizer": ("tokenizer", PRIVATE),
    "transformers: push": ("push_tokenizer", SCRATCH),
    "safetensors: push": ("push_safetensors", SCRATCH),
    "datasets: load": ("dataset", DATASET),
    "datasets: stream": ("stream_dataset", DATASET),
    "datasets: push": ("push_dataset", SCRATCH_DATASET),
    "pandas: read": ("read_frame", DATASET),
    "pandas: write": ("write_frame", SCRATCH_DATASET),
}
LIBRARIES = sorted({name.partition(":")[0] for name in PROGRAMS_OF})


@pytest.mark.parametrize(
    "case", [case for library in LIBRARIES for case in cases(library)], ids=str
)
def test_matrix(answers: dict[str, Any], case: Case) -> None:
    pytest.importorskip(case.client)
    pytest.importorskip("transformers" if case.client == "safetensors" else "datasets")
    assert answers[f"{case.client}: {case.operation}"][case.kind] == case.expected


def test_activated_token_needs_no_argument(world: World, runner: Runner) -> None:
    pytest.importorskip("transformers")
    answer = runner.program("activate", {"repo": PRIVATE, "token": world.value("read")})
    assert answer == {"before": "refused", "during": "works", "active": True, "after": None}


def test_passing_the_object_itself_is_loud(world: World, runner: Runner) -> None:
    pytest.importorskip("transformers")
    request = {"model": PRIVATE, "dataset": DATASET, "token": world.value("read")}
    answer = runner.program("misuse", request)
    for library in ("transformers", "datasets"):
        assert "TypeError" in answer[library], library
        assert ".reveal()" in answer[library], library
        assert str(request["token"]) not in answer[library]


def test_what_the_libraries_swallow_is_on_standard_error(world: World, runner: Runner) -> None:
    pytest.importorskip("transformers")
    pytest.importorskip("datasets")
    value = world.value("read")
    assert value is not None
    request = {"model": PRIVATE, "other": PUBLIC, "dataset": DATASET, "token": value}
    program = str(PROGRAMS / "misuse_swallowed.py")
    done = runner.run("python", program, stdin=json.dumps(request))
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    # With a warm cache, this is old data.
    assert answer["data set, warm"] == "no error"
    told = dict(part.split("\n", 1) for part in done.stderr.split("--- ")[1:])
    assert told.keys() == answer.keys()
    for name, text in told.items():
        lines = [line for line in text.splitlines() if "HubTokenWarning" in line]
        assert len(lines) == 1, (name, answer[name], text)
        assert lines[0].startswith(f"{program}:")
        assert "token.reveal()" in lines[0]
    assert value not in done.stdout + done.stderr
