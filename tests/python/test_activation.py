"""An active token is what the Hub's libraries send, and afterwards the previous state is back."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import sys
import threading
import types
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

import hubtoken
from tests.environment import fake_token
from tests.python.helpers import DEADLINE, ambient, answer_of, handed_over, leaks, run_program

if TYPE_CHECKING:
    from pathlib import Path

    from hubtoken import Activation, HubToken

pytestmark = pytest.mark.usefixtures("alone")

CHANGED = ("HF_TOKEN", "HF_OIDC_RESOURCE", "HUGGING_FACE_HUB_TOKEN", "HF_ENDPOINT")


def state() -> dict[str, str | None]:
    return {name: os.environ.get(name) for name in CHANGED}


def digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


@pytest.mark.parametrize(
    "before",
    [
        {},
        {"HF_TOKEN": "other"},
        {"HF_TOKEN": ""},
        {"HUGGING_FACE_HUB_TOKEN": "other"},
        {"HF_OIDC_RESOURCE": "models/a/b"},
        {"HF_TOKEN": "other", "HF_OIDC_RESOURCE": "models/a/b"},
    ],
    ids=lambda before: "+".join(before) or "nothing",
)
@pytest.mark.parametrize("how", ["with", "deactivate", "exception"])
def test_it_is_sent_and_what_was_before_comes_back(
    before: dict[str, str], how: str, alone: pytest.MonkeyPatch
) -> None:
    for name, value in before.items():
        alone.setenv(name, fake_token() if value == "other" else value)
    was, token = state(), handed_over()
    active = {**was, "HF_TOKEN": token.reveal(), "HF_OIDC_RESOURCE": None}
    if how == "deactivate":
        activation = token.activate()
        assert state() == active
        assert activation.token is token
        for _ in range(2):
            activation.deactivate()
            assert state() == was
        return
    with contextlib.suppress(LookupError), token.activate() as given:
        assert given is token
        assert state() == active
        assert ambient() == token
        if how == "exception":
            raise LookupError
    assert state() == was


def test_the_variable_holds_a_plain_string() -> None:
    # Many programs copy, print and pass on `os.environ`.
    with handed_over().activate():
        assert type(os.environ["HF_TOKEN"]) is str


def test_an_activation_shows_itself_without_the_value() -> None:
    token = handed_over()
    activation = token.activate()
    assert "active" in repr(activation)
    assert "no longer" not in repr(activation)
    activation.deactivate()
    assert "no longer active" in repr(activation)
    assert leaks(repr(activation), token.reveal()) == []


def test_activations_nest() -> None:
    outer, inner = handed_over(), handed_over()
    with outer.activate():
        with inner.activate():
            assert os.environ["HF_TOKEN"] == inner.reveal()
            with outer.activate():
                assert os.environ["HF_TOKEN"] == outer.reveal()
            assert os.environ["HF_TOKEN"] == inner.reveal()
        assert os.environ["HF_TOKEN"] == outer.reveal()
    assert "HF_TOKEN" not in os.environ


@pytest.mark.parametrize(
    "order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
)
@pytest.mark.parametrize("before", [None, "other"])
def test_blocks_end_in_any_order(
    order: tuple[int, ...], before: str | None, alone: pytest.MonkeyPatch
) -> None:
    if before is not None:
        alone.setenv("HF_TOKEN", fake_token())
    was = state()
    tokens = [handed_over() for _ in order]
    stack = contextlib.ExitStack()
    activations = []
    for token in tokens:
        activations.append(token.activate())
        stack.enter_context(activations[-1])
    left = list(range(len(order)))
    for ended in order:
        activations[ended].deactivate()
        left.remove(ended)
        if left:
            assert os.environ["HF_TOKEN"] == tokens[left[-1]].reveal()
    assert state() == was


def activated_from_file(home: Path, value: str) -> Activation:
    folder = home / "huggingface"
    folder.mkdir()
    (folder / "token").write_text(value + "\n")
    return ambient().activate()


def test_nothing_is_set_where_the_libraries_send_it_anyway(
    home: Path, alone: pytest.MonkeyPatch
) -> None:
    value = fake_token()
    with activated_from_file(home, value):
        assert "HF_TOKEN" not in os.environ
    with handed_over(value).activate():
        assert "HF_TOKEN" not in os.environ
    alone.setenv("HF_TOKEN", f" {value}\n")
    with handed_over(value).activate():
        assert os.environ["HF_TOKEN"] == f" {value}\n"
    # OIDC would take precedence over the variable, so the token would not be sent anyway.
    alone.setenv("HF_OIDC_RESOURCE", "models/a/b")
    with handed_over(value).activate():
        assert "HF_OIDC_RESOURCE" not in os.environ


def test_a_token_that_only_hubtoken_finds_is_set(home: Path, alone: pytest.MonkeyPatch) -> None:
    folder, value = home / "huggingface", fake_token()
    folder.mkdir()
    (folder / "stored_tokens").write_text(f"[ci]\nhf_token = {value}\n")
    project = home / "project"
    project.mkdir()
    (project / "hubtoken.toml").write_text('profile = "ci"\n')
    alone.chdir(project)
    token = ambient()
    assert token.profile == "ci"
    # huggingface_hub reads no configuration: without the variable it would send nothing.
    with token.activate():
        assert os.environ["HF_TOKEN"] == value


@pytest.mark.parametrize("value", ["1", "true", "YES", "on"])
def test_it_is_refused_where_implicit_tokens_are_disabled(
    value: str, alone: pytest.MonkeyPatch
) -> None:
    token, was = handed_over(), state()
    alone.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", value)
    with pytest.raises(hubtoken.ConfigurationError, match="HF_HUB_DISABLE_IMPLICIT_TOKEN"):
        token.activate()
    assert state() == was


def test_it_is_refused_where_they_were_disabled_when_the_library_was_imported(
    alone: pytest.MonkeyPatch,
) -> None:
    token, was = handed_over(), state()
    constants = types.ModuleType("huggingface_hub.constants")
    vars(constants).update(ENDPOINT=token.endpoint, HF_HUB_DISABLE_IMPLICIT_TOKEN=True)
    alone.setitem(sys.modules, "huggingface_hub.constants", constants)
    with pytest.raises(hubtoken.ConfigurationError, match="before huggingface_hub is imported"):
        token.activate()
    assert state() == was


def in_thread(token: HubToken) -> str:
    """The outcome of an activation in another thread, which ends it at once."""
    try:
        with token.activate():
            return os.environ["HF_TOKEN"]
    except hubtoken.ConfigurationError as error:
        return str(error)


def test_another_thread_cannot_activate_a_different_token() -> None:
    first, second = handed_over(), handed_over()
    with ThreadPoolExecutor(1) as pool:
        with first.activate():
            was = state()
            refused = pool.submit(in_thread, second).result(DEADLINE)
            assert "another thread" in refused
            assert f"hf_…{first.reveal()[-4:]}" in refused
            assert leaks(refused, first.reveal(), second.reveal()) == []
            assert state() == was
            # The same token does not conflict.
            same = handed_over(first.reveal())
            assert pool.submit(in_thread, same).result(DEADLINE) == first.reveal()
            assert state() == was
        # And once it has ended, it may.
        assert pool.submit(in_thread, second).result(DEADLINE) == second.reveal()
    assert "HF_TOKEN" not in os.environ


def test_one_thread_wins_where_many_try_at_once() -> None:
    tokens = [handed_over() for _ in range(8)]
    ready, tried = threading.Barrier(8), threading.Barrier(8)

    def attempt(token: HubToken) -> bool:
        ready.wait(DEADLINE)
        try:
            activation = token.activate()
        except hubtoken.ConfigurationError:
            tried.wait(DEADLINE)
            return False
        tried.wait(DEADLINE)
        activation.deactivate()
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, tokens)) == 1
    assert "HF_TOKEN" not in os.environ


def test_another_task_cannot_activate_a_different_token() -> None:
    first, second = handed_over(), handed_over()

    async def activate(token: HubToken) -> None:
        with token.activate():
            assert os.environ["HF_TOKEN"] == token.reveal()

    async def main() -> None:
        with first.activate():
            with pytest.raises(hubtoken.ConfigurationError, match="another thread or task"):
                await asyncio.create_task(activate(second))
            assert os.environ["HF_TOKEN"] == first.reveal()
            await asyncio.create_task(activate(first))
            # The task itself may.
            await activate(second)
        await asyncio.create_task(activate(second))

    asyncio.run(main())
    assert "HF_TOKEN" not in os.environ


def test_a_token_of_another_hub_is_refused(alone: pytest.MonkeyPatch) -> None:
    token, was = handed_over(endpoint="https://hub.example"), state()
    with pytest.raises(hubtoken.UntrustedEndpointError, match="HF_ENDPOINT") as caught:
        token.activate()
    assert "https://hub.example" in str(caught.value)
    assert state() == was
    alone.setenv("HF_ENDPOINT", "https://hub.example/")
    with token.activate():
        assert os.environ["HF_TOKEN"] == token.reveal()


@pytest.mark.parametrize("bound", [None, "http://127.0.0.1:9"])
def test_the_endpoint_that_the_library_was_imported_for_counts(
    bound: str | None, home: Path
) -> None:
    own, other = fake_token(), fake_token()
    request = {
        "bound": {} if bound is None else {"HF_ENDPOINT": bound},
        "endpoint": "https://huggingface.co",
        "value": own,
    }
    done = run_program("activated", home, request, HF_TOKEN=other)
    answer = answer_of(done)
    assert answer["before"] == answer["after"] == answer["variable"] == digest(other)
    if bound is None:
        assert answer["active"] == digest(own)
    else:
        assert answer["error"] == "UntrustedEndpointError"
        assert bound in answer["message"]
        assert "first import" in answer["message"]
    assert leaks(done.stdout + done.stderr, own, other) == []


def test_a_token_that_is_activated_twice_stays_until_both_end(alone: pytest.MonkeyPatch) -> None:
    alone.delenv("HF_TOKEN", raising=False)
    token = handed_over()
    first, second = token.activate(), token.activate()
    first.deactivate()
    assert os.environ.get("HF_TOKEN") == token.reveal()
    second.deactivate()
    assert "HF_TOKEN" not in os.environ
