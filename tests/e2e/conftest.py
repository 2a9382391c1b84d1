"""A running, filled Hub for each process, and ways to run real programs against it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

import chromium
from hubtoken.hub import Hub
from tests.e2e.support.browsing import Desk
from tests.e2e.support.models import serving_models
from tests.e2e.support.other_server import OtherServer
from tests.e2e.support.runner import Runner
from tests.e2e.support.world import World, make_world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The Hub that the tests of this process share."""
    with serving_models() as models, Hub(upstreams={"*": models.url}) as hub:
        yield make_world(hub, tmp_path_factory.mktemp("world"), models)


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    """A Hub and a Chromium, for the tests of the pages in one file."""
    with Hub(device_code_interval=1) as hub, chromium.chromium() as browser:
        yield Desk(hub, browser)


@pytest.fixture
def runner(world: World, home: Path) -> Runner:
    """A runner that uses this test's home."""
    return Runner(home=home, endpoint=world.endpoint)


@pytest.fixture
def make_server() -> Iterator[Any]:
    """Makes servers that are not the Hub: another origin, which must never see a token."""
    servers: list[OtherServer] = []

    def make(location: str = "") -> OtherServer:
        server = OtherServer()
        server.location = location
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return server

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()
