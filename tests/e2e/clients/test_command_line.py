"""The `hf` command with tokens of the embedded Hub, and ours using what `hf` has stored."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.e2e.support.matrix import Case, cases
from tests.e2e.support.world import PRIVATE

if TYPE_CHECKING:
    from tests.e2e.support.runner import Runner
    from tests.e2e.support.world import World


@pytest.mark.parametrize("case", cases("hf"), ids=str)
def test_matrix(world: World, runner: Runner, case: Case) -> None:
    value = world.value(case.kind)
    if case.operation == "auth whoami":
        variables = {} if value is None else {"HF_TOKEN": value}
        done = runner.run("hf", "auth", "whoami", variables=variables)
    else:
        assert value is not None
        done = runner.run("hf", "auth", "login", "--token", value)
    assert ("works" if done.returncode == 0 else "refused") == case.expected, done.stderr
    if case.expected == "works" and case.operation == "auth whoami":
        assert "alice" in done.stdout
        assert "acme" in done.stdout


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
