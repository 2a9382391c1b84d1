"""The lines of `docs/ci.md`, each run as the CI would run it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.environment import child_environment
from tests.python.ci_jobs import Job, id_token, running
from tests.python.helpers import DEADLINE, ROOT, leaks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DOCUMENT = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
HUB = "https://huggingface.co"
# What the job runs: it has the token, and needs no exchange of its own.
TRAINING = """
import hubtoken
assert hubtoken.require_role("write", repo="acme/model").source == "oidc"
"""
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


def section(title: str) -> str:
    """A section of the document."""
    found = DOCUMENT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    assert found, title
    return found


def blocks(title: str, language: str) -> list[str]:
    """The code of a section."""
    return re.findall(rf"```{language}\n(.*?)```", section(title), re.DOTALL)


def step(text: str) -> str:
    """The command of hubtoken in a part of the document."""
    (command,) = re.findall(r"(?:- |- run: |`)(hubtoken (?:run|require) [^`\n]*)", text)
    return str(command)


def run(job: Job, home: Path, lines: str, command: str, **variables: str) -> dict[str, Any]:
    """Run shell lines and a command after them, with the Hub of the test as the Hub.

    Returns:
        What `hubtoken oidc` says after the same lines.
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
    python = programs / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (home / "train.py").write_text(TRAINING)
    shown = ""
    for last in (f"exec {command}", "exec hubtoken oidc --json"):
        done = subprocess.run(
            ["bash", "-c", f"set -eu\n{lines}\n{last}\n"],
            env=environment,
            cwd=home,
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        shown = done.stdout
        assert leaks(shown + done.stderr, *job.secrets) == []
    assert [fields["resource"] for fields in job.exchanged] == ["acme/model"]
    claims: dict[str, Any] = json.loads(shown)
    assert claims["warnings"] == []
    return claims


def test_github_actions(job: Job, home: Path) -> None:
    (workflow,) = blocks("GitHub Actions", "yaml")
    assert "      id-token: write\n" in workflow
    variables = job.github(re.findall(r"HF_OIDC_RESOURCE: (\S+)", workflow)[0])
    claims = run(job, home, "", step(workflow), **variables)
    assert claims["id_token"]["source"] == "github"


def test_gitlab(job: Job, home: Path) -> None:
    (configuration,) = blocks("GitLab CI", "yaml")
    ((name, audience),) = re.findall(r"id_tokens:\n +(\w+):\n +aud: (\S+)", configuration)
    assert audience == HUB
    (resource,) = re.findall(r"HF_OIDC_RESOURCE: (\S+)", configuration)
    job.id_tokens.append(
        id_token(job.endpoint, iss="https://gitlab.com", project_path="acme/training")
    )
    variables = {name: job.id_tokens[-1], "HF_OIDC_RESOURCE": resource, "GITLAB_CI": "true"}
    run(job, home, "", step(configuration), **variables)


def test_circleci(job: Job, home: Path) -> None:
    (lines,) = blocks("CircleCI", "sh")
    programs = home / "bin"
    programs.mkdir(exist_ok=True)
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
    claims = run(job, home, lines, step(section("CircleCI")), **variables)
    assert claims["publisher"]["claims"]["oidc.circleci.com/project-id"] == "6f2c"


def test_bitbucket(job: Job, home: Path) -> None:
    (configuration,) = blocks("Bitbucket Pipelines", "yaml")
    assert re.search(rf"oidc:\n +audiences:\n +- {re.escape(HUB)}\n", configuration)
    (lines,) = blocks("Bitbucket Pipelines", "sh")
    job.id_tokens.append(id_token(job.endpoint, repositoryUuid="{7}", repository=None))
    variables = {"BITBUCKET_STEP_OIDC_TOKEN": job.id_tokens[-1], "BITBUCKET_BUILD_NUMBER": "7"}
    claims = run(job, home, lines, step(section("Bitbucket Pipelines")), **variables)
    assert claims["publisher"]["claims"]["repositoryUuid"] == "{7}"


def test_the_document_shows_what_the_messages_name() -> None:
    for name in ("id-token: write", "id_tokens:", "circleci run oidc get", "HF_OIDC_ID_TOKEN"):
        assert name in DOCUMENT
