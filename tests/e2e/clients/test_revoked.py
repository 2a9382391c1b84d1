"""A revoked token is dead at once in every client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

import hubtoken
from tests.e2e.support.working_copy import Git
from tests.e2e.support.world import PRIVATE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.support.runner import Runner
    from tests.e2e.support.world import World


def works(world: World, runner: Runner, value: str, folder: Path) -> dict[str, bool]:
    """Whether each client gets what needs the token."""
    try:
        HfApi(endpoint=world.endpoint, token=value).whoami()
    except HfHubHTTPError:
        library = False
    else:
        library = True
    git = Git(runner.home, world.endpoint, value)
    url = f"{world.endpoint}/api/whoami-v2"
    header = f"Authorization: Bearer {value}\n"
    curl = runner.run("curl", "--silent", "--fail", "--header", "@-", url, stdin=header)
    ours = runner.run("hubtoken", "require", "read", variables={"HF_TOKEN": value})
    return {
        "huggingface_hub": library,
        "git": git.clone(PRIVATE, folder).returncode == 0,
        "curl": curl.returncode == 0,
        # In a process of its own, beside which another has remembered a yes.
        "hubtoken": ours.returncode == 0,
    }


def test_dead_at_once(world: World, runner: Runner, tmp_path: Path) -> None:
    value = world.new_token("alice", "read").reveal()
    assert set(works(world, runner, value, tmp_path / "before").values()) == {True}
    done = runner.run("hubtoken", "revoke", "--stdin", "--yes", stdin=value)
    assert done.returncode == 0, done.stderr
    assert value not in done.stdout + done.stderr
    assert set(works(world, runner, value, tmp_path / "after").values()) == {False}


def test_a_server_lets_in_nobody_whom_its_own_process_has_revoked(world: World) -> None:
    pytest.importorskip("fastapi")
    import httpx

    from tests.e2e.clients.test_asgi import application, running

    token = world.new_token("alice", "read")
    with running(application(world.endpoint)) as url:

        def status() -> int:
            headers = {"Authorization": f"Bearer {token.reveal()}"}
            return httpx.get(f"{url}/dependency/read", headers=headers).status_code

        assert status() == 200
        (revoked,) = hubtoken.revoke(token)
        assert revoked.state == "dead"
        assert status() == 401


def test_many_from_a_file_with_the_command(world: World, runner: Runner, tmp_path: Path) -> None:
    count = 2_500
    world.hub.create_user("leaky")
    values = [
        world.hub.create_token("leaky", name=str(number), role="read").reveal()
        for number in range(count)
    ]
    log = tmp_path / "build.log"
    log.write_text("".join(f"[{number}] Bearer {value}\n" for number, value in enumerate(values)))
    done = runner.run("hubtoken", "revoke", "--leaked", str(log), "--yes", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"dead"') == count
    assert not any(value in done.stdout for value in values)
    assert world.hub.list_tokens("leaky") == []
