"""The exports of `import hubtoken`, and its cost."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import hubtoken
from hubtoken import asgi, errors, hub
from tests.environment import child_environment

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

# Each of these costs more than all of hubtoken.
DEAR = {
    "asyncio",
    "dataclasses",
    "email",
    "http",
    "importlib.metadata",
    "inspect",
    "json",
    "logging",
    "pathlib",
    "re",
    "ssl",
    "subprocess",
    "tempfile",
    "typing",
    "urllib",
}

NEWLY_IMPORTED = """
import sys
before = set(sys.modules)
import hubtoken
names = sorted(set(sys.modules) - before)
import json
print(json.dumps(names))
"""


@pytest.mark.parametrize(
    "module", [hubtoken, asgi, errors, hub], ids=lambda module: module.__name__
)
def test_exported_names_exist_and_are_sorted_and_documented(module: ModuleType) -> None:
    names = list(module.__all__)
    assert names == sorted(set(names))
    assert module.__doc__
    for name in names:
        value = getattr(module, name)
        assert isinstance(value, str) or (value.__doc__ or "").strip(), name


def test_every_error_is_exported_at_the_top() -> None:
    for name in errors.__all__:
        assert getattr(hubtoken, name) is getattr(errors, name), name
    assert set(errors.__all__) <= set(hubtoken.__all__)


RENAMED = {
    "HfFolder": ["resolve_token", "login", "logout"],
    "auth_check": ["require_role"],
    "auth_list": ["stored_tokens"],
    "auth_switch": ["switch_token"],
    "recall": ["cached_identity"],
    "reload": ["clear_cache"],
    "rename": ["rename_token"],
    "switch": ["switch_token"],
}


@pytest.mark.parametrize("name", RENAMED)
def test_a_name_of_another_library_or_of_before_is_an_error_that_names_ours(name: str) -> None:
    with pytest.raises(AttributeError) as caught:
        getattr(hubtoken, name)
    message = str(caught.value)
    assert message.startswith(f"hubtoken has no `{name}`; use `hubtoken.")
    for ours in RENAMED[name]:
        assert f"`hubtoken.{ours}" in message
        assert callable(getattr(hubtoken, ours))


@pytest.mark.parametrize("name", RENAMED)
def test_such_a_name_is_not_there(name: str) -> None:
    assert not hasattr(hubtoken, name)
    assert getattr(hubtoken, name, None) is None
    assert name not in dir(hubtoken)
    # Python words this error itself, whatever the module says.
    with pytest.raises(ImportError, match=f"^cannot import name '{name}' from 'hubtoken'"):
        exec(f"from hubtoken import {name}")  # noqa: S102 - the statement is what is tested


@pytest.mark.parametrize("name", ["auth", "Switch", "_core_", "__path_hook__"])
def test_an_unknown_name_has_pythons_usual_message(name: str) -> None:
    with pytest.raises(AttributeError) as caught:
        getattr(hubtoken, name)
    assert str(caught.value) == f"module 'hubtoken' has no attribute '{name}'"


def test_notebook_login_is_login() -> None:
    assert hubtoken.notebook_login is hubtoken.login


def is_documented(owner: type, name: str, member: object) -> bool:
    if callable(member) or hasattr(member, "__get__"):
        return bool((member.__doc__ or "").strip())
    # An attribute has no docstring of its own: its class lists it.
    return f"{name}:" in (owner.__doc__ or "")


def test_every_public_member_is_documented() -> None:
    exported = [getattr(hubtoken, name) for name in hubtoken.__all__]
    exported += [getattr(hub, name) for name in hub.__all__]
    undocumented = [
        f"{owner.__name__}.{name}"
        for owner in exported
        if isinstance(owner, type) and owner.__module__.partition(".")[0] == "hubtoken"
        for name, member in vars(owner).items()
        if not name.startswith("_") and not is_documented(owner, name, member)
    ]
    assert undocumented == []


def test_import_is_cheap_and_pulls_in_no_third_party_module(home: Path) -> None:
    # -E -s: without the user's variables and packages. Not -S: the installed package is found by
    # a path file that `site` reads.
    answer = subprocess.run(
        [sys.executable, "-E", "-s", "-c", NEWLY_IMPORTED],
        env=child_environment(home),
        capture_output=True,
        text=True,
        check=True,
    )
    imported = set(json.loads(answer.stdout))
    assert "hubtoken._core" in imported
    assert imported & DEAR == set()
    roots = {name.partition(".")[0] for name in imported}
    # Python's own, although its list leaves it out: it says whether this is the main interpreter.
    own = {"hubtoken", "_xxsubinterpreters"}
    assert roots - own <= set(sys.stdlib_module_names)


def test_import_needs_no_home_and_no_writable_directory(tmp_path: Path) -> None:
    read_only = tmp_path / "read-only"
    read_only.mkdir(mode=0o555)
    environment = child_environment(tmp_path / "missing")
    del environment["HF_HOME"]
    answer = subprocess.run(
        [sys.executable, "-c", "import hubtoken; print(hubtoken.resolve_token(required=False))"],
        env=environment,
        cwd=read_only,
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout == "None\n"
    assert not (tmp_path / "missing").exists()


def test_the_command_runs_as_a_module(home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hubtoken", "--version"],
        env=child_environment(home),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"hubtoken {hubtoken.__version__}\n"
