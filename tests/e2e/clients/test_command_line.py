"""The `hf` command with tokens of the embedded Hub, and ours using what `hf` has stored."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.e2e.support.matrix import Case, cases
from tests.e2e.support.world import LARGE, LARGE_CONTENT, PRIVATE, SCRATCH

if TYPE_CHECKING:
    import subprocess

    from tests.e2e.support.runner import Runner
    from tests.e2e.support.world import World


@pytest.mark.parametrize("case", cases("hf"), ids=str)
def test_matrix(world: World, runner: Runner, case: Case) -> None:
    value = world.value(case.kind)
    if case.operation == "auth whoami":
        variables = {} if value is None else {"HF_TOKEN": value}
        done = runner.run("hf", "auth", "whoami", variables=variables)
    elif case.operation == "auth login":
        assert value is not None
        done = runner.run("hf", "auth", "login", "--token", value)
    else:
        done = transfer(world, runner, case)
    assert ("works" if done.returncode == 0 else "refused") == case.expected, done.stderr
    assert value is None or value not in done.stdout + done.stderr
    if case.expected == "works" and case.operation == "auth whoami":
        assert "alice" in done.stdout
        assert "acme" in done.stdout


def transfer(world: World, runner: Runner, case: Case) -> subprocess.CompletedProcess[str]:
    """Send or fetch a large file with the command."""
    value = world.value(case.kind)
    variables = {} if value is None else {"HF_TOKEN": value}
    if case.operation == "download":
        done = runner.run("hf", "download", PRIVATE, LARGE, "--local-dir", ".", variables=variables)
        if done.returncode == 0:
            assert (runner.home / LARGE).read_bytes() == LARGE_CONTENT
        return done
    folder, name = runner.home / "folder", world.new_name("hf") + ".safetensors"
    content = os.urandom(200_000)
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_bytes(content)
    done = runner.run("hf", "upload", SCRATCH, ".", variables=variables, folder=folder)
    if done.returncode == 0:
        path = f"/{SCRATCH}/resolve/main/{name}"
        headers = {"Authorization": f"Bearer {world.value('write')}"}
        assert httpx.get(world.endpoint + path, headers=headers).content == content
    return done


def test_hubtoken_finds_what_hf_login_stored(world: World, runner: Runner) -> None:
    value = world.value("read")
    assert value is not None
    assert runner.run("hf", "auth", "login", "--token", value).returncode == 0
    done = runner.run("hubtoken", "status", "--json")
    assert done.returncode == 0, done.stderr
    assert value not in done.stdout + done.stderr
    status = json.loads(done.stdout)
    assert "alice" in json.dumps(status)
    allowed = runner.run("hubtoken", "require", "read", "--repo", PRIVATE)
    assert allowed.returncode == 0, allowed.stderr
    denied = runner.run("hubtoken", "require", "write", "--repo", PRIVATE)
    assert denied.returncode == 1
    assert value not in denied.stdout + denied.stderr


def test_exit_codes_tell_denied_from_unknown(world: World, runner: Runner) -> None:
    deleted = world.value("deleted")
    assert deleted is not None
    assert runner.run("hubtoken", "require", "read").returncode == 1
    refused = runner.run("hubtoken", "require", "read", variables={"HF_TOKEN": deleted})
    assert refused.returncode == 1
    assert deleted not in refused.stdout + refused.stderr
    assert runner.run("hubtoken", "require", "everything").returncode == 2
    # A token that this machine has no cached answer about.
    unasked = world.value("write")
    assert unasked is not None
    offline = {"HF_TOKEN": unasked, "HF_HUB_OFFLINE": "1"}
    assert runner.run("hubtoken", "require", "read", variables=offline).returncode == 3
