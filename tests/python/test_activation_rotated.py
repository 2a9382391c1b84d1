"""A source that the configuration names gets another token while its old one is active."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import hubtoken
from tests.environment import fake_token
from tests.python.helpers import ambient, leaks

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("alone", "inactive")


@pytest.fixture
def inactive() -> Iterator[None]:
    """Nothing stays active."""
    yield
    hubtoken.deactivate()


class Rotating:
    """A source of the configuration whose token can be changed."""

    def __init__(self, kind: str, home: Path) -> None:
        configuration = Path(os.environ["XDG_CONFIG_HOME"]) / "hubtoken" / "config.toml"
        configuration.parent.mkdir(parents=True)
        self.kind = kind
        self.file = home / "secret"
        if kind == "file":
            text = f'token_file = "{self.file}"'
        elif kind == "command":
            text = f'token_command = ["cat", "{self.file}"]'
        else:
            (home / "huggingface").mkdir()
            self.file = home / "huggingface" / "stored_tokens"
            text = 'profile = "ci"'
        configuration.write_text(text + "\n")

    def set(self, value: str) -> None:
        """Change the token, as an orchestrator does: by replacing the file."""
        new = self.file.with_suffix(".new")
        new.write_text(f"[ci]\nhf_token = {value}\n\n" if self.kind == "profile" else value)
        new.replace(self.file)


@pytest.mark.parametrize("kind", ["file", "profile", "command"])
def test_the_new_token_is_found_while_the_old_one_is_active(kind: str, home: Path) -> None:
    old, new, newest = values = [fake_token() for _ in range(3)]
    source = Rotating(kind, home)
    source.set(old)
    token = ambient()
    token.activate()
    assert os.environ["HF_TOKEN"] == old
    # As long as nothing has changed, it keeps its source and its value.
    for _ in range(2):
        assert (ambient().reveal(), ambient().source) == (old, token.source)
    source.set(new)
    if kind == "command":
        # Reused for five minutes, until that is said.
        assert ambient().reveal() == old
        hubtoken.clear_cache()
    for _ in range(2):
        found = ambient()
        assert (found.reveal(), found.source) == (new, token.source)
    trace = hubtoken.explain()
    [outdated] = [step for step in trace.steps if step.source == "env:HF_TOKEN"]
    assert outdated.answer == "shadowed"
    assert "another token by now" in outdated.detail
    assert leaks(str(trace), *values) == []
    # The libraries send it once it is active.
    assert os.environ["HF_TOKEN"] == old
    ambient().activate()
    assert os.environ["HF_TOKEN"] == new
    source.set(newest)
    hubtoken.clear_cache()
    assert ambient().reveal() == newest


@pytest.mark.parametrize("content", [None, "", "hf_xxx", "x" * 100_000])
def test_a_source_that_breaks_leaves_the_active_token(content: str | None, home: Path) -> None:
    old = fake_token()
    source = Rotating("file", home)
    source.set(old)
    ambient().activate()
    if content is None:
        source.file.unlink()
    else:
        source.set(content)
    hubtoken.clear_cache()
    assert ambient().reveal() == old


def test_an_argument_stays_active_whatever_the_file_has(home: Path) -> None:
    source = Rotating("file", home)
    source.set(fake_token())
    other = hubtoken.resolve_token(fake_token())
    assert other is not None
    with other.activate():
        source.set(fake_token())
        hubtoken.clear_cache()
        assert ambient() == other
