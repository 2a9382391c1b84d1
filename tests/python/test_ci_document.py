"""The lines of `docs/ci.md`, each run as the CI would run it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.environment import child_environment
from tests.python.ci_jobs import Job, id_token, running
from tests.python.helpers import DEADLINE, ROOT, leaks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DOCUMENT = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
HUB = "https://huggingface.co"
# What the program of CircleCI does in a job, which issues id tokens for any audience.
CIRCLECI = """#!{python}
import json, os, sys
words = sys.argv[1:]
assert words[:4] == ["run", "oidc", "get", "--claims"], words
assert list(json.loads(words[4])) == ["aud"]
assert json.loads(words[4])["aud"] == os.environ["EXPECTED_AUDIENCE"]
print(os.environ["CIRCLECI_TEST_ID_TOKEN"])
"""


@pytest.fixture
def job() -> Iterator[Job]:
    """A Hub that exchanges what it is given."""
    with running() as job:
        yield job


def blocks(title: str, language: str) -> list[str]:
    """The code of a section of the document."""
    section = DOCUMENT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    found = re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert found, title
    return found


def run(job: Job, home: Path, lines: str, **variables: str) -> dict[str, object]:
    """Run shell lines, with the Hub of the test as the Hub, and then what they prepare.

    Returns:
        What `hubtoken oidc` and `hubtoken whoami` say after them.
    """
    variables["HF_ENDPOINT"] = job.endpoint
    lines = lines.replace(HUB, job.endpoint)
    programs = home / "bin"
    programs.mkdir(exist_ok=True)
    hubtoken = programs / "hubtoken"
    hubtoken.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m hubtoken "$@"\n')
    hubtoken.chmod(0o755)
    environment = child_environment(home, PYTHONPATH=str(ROOT), **variables)
    environment["PATH"] = f"{programs}:{environment['PATH']}"
    results = {}
    for verb in ("oidc", "whoami"):
        script = f"set -eu\n{lines}\nexec hubtoken {verb} --json\n"
        command = ["bash", "-c", script]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=DEADLINE
        )
        assert done.returncode == 0, done.stderr + done.stdout
        assert leaks(done.stdout + done.stderr, *job.secrets) == []
        results[verb] = json.loads(done.stdout.splitlines()[-1])
    assert results["oidc"]["warnings"] == []
    assert results["whoami"]["token"]["source"] == "oidc"
    assert job.exchanged[-1]["resource"] == "acme/model"
    return results


def test_github_actions(job: Job, home: Path) -> None:
    (workflow,) = blocks("GitHub Actions", "yaml")
    assert "      id-token: write\n" in workflow
    variables = job.github(re.findall(r"HF_OIDC_RESOURCE: (\S+)", workflow)[0])
    results = run(job, home, "", **variables)
    assert results["oidc"]["id_token"]["source"] == "github"
    # The steps that are hubtoken's.
    (step,) = re.findall(r"- run: (hubtoken require .*)", workflow)
    run(job, home, step, **variables)


def test_gitlab(job: Job, home: Path) -> None:
    (configuration,) = blocks("GitLab CI", "yaml")
    name, audience = re.search(r"id_tokens:\n +(\w+):\n +aud: (\S+)", configuration).groups()
    assert audience == HUB
    resource = re.search(r"HF_OIDC_RESOURCE: (\S+)", configuration)[1]
    job.id_tokens.append(
        id_token(job.endpoint, iss="https://gitlab.com", project_path="acme/training")
    )
    variables = {name: job.id_tokens[-1], "HF_OIDC_RESOURCE": resource, "GITLAB_CI": "true"}
    (step,) = re.findall(r"- (hubtoken require .*)", configuration)
    run(job, home, step, **variables)


def test_circleci(job: Job, home: Path) -> None:
    (lines,) = blocks("CircleCI", "sh")
    programs = home / "bin"
    programs.mkdir()
    program = programs / "circleci"
    program.write_text(CIRCLECI.format(python=sys.executable))
    program.chmod(0o755)
    job.id_tokens.append(
        id_token(job.endpoint, **{"oidc.circleci.com/project-id": "6f2c", "repository": None})
    )
    variables = {
        "CIRCLECI": "true",
        "CIRCLECI_TEST_ID_TOKEN": job.id_tokens[-1],
        "EXPECTED_AUDIENCE": job.endpoint,
    }
    results = run(job, home, lines, **variables)
    assert results["oidc"]["publisher"]["claims"]["oidc.circleci.com/project-id"] == "6f2c"


def test_bitbucket(job: Job, home: Path) -> None:
    (configuration,) = blocks("Bitbucket Pipelines", "yaml")
    assert re.search(rf"oidc:\n +audiences:\n +- {re.escape(HUB)}\n", configuration)
    (lines,) = blocks("Bitbucket Pipelines", "sh")
    job.id_tokens.append(id_token(job.endpoint, repositoryUuid="{7}", repository=None))
    variables = {"BITBUCKET_STEP_OIDC_TOKEN": job.id_tokens[-1], "BITBUCKET_BUILD_NUMBER": "7"}
    results = run(job, home, lines, **variables)
    assert results["oidc"]["publisher"]["claims"]["repositoryUuid"] == "{7}"


def test_the_document_shows_what_the_messages_name() -> None:
    for name in ("id-token: write", "id_tokens:", "circleci run oidc get", "HF_OIDC_ID_TOKEN"):
        assert name in DOCUMENT
