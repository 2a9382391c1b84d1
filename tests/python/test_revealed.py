"""A revealed token is a plain string to every pickle, and stays masked in copies."""

from __future__ import annotations

import copy
import json
import pickle
import pickletools
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import cloudpickle
import joblib
import pytest

from hubtoken.revealed import RevealedToken
from tests.environment import fake_token
from tests.python.helpers import handed_over

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hubtoken import HubToken

MAKERS: dict[str, Callable[[HubToken], Any]] = {
    "reveal": lambda token: token.reveal(),
    "bearer": lambda token: token.bearer(),
    "headers": lambda token: token.headers(),
    "basic_auth": lambda token: token.basic_auth(),
    "environ": lambda token: token.environ({}),
}


def leaves(thing: Any) -> list[str]:
    """The strings in it."""
    if isinstance(thing, dict):
        return [*map(str.__str__, thing), *thing.values()]
    return list(thing) if isinstance(thing, tuple) else [thing]


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("dumps", [*range(pickle.HIGHEST_PROTOCOL + 1), "cloudpickle"])
def test_a_pickle_needs_no_hubtoken(maker: str, dumps: int | str) -> None:
    thing = MAKERS[maker](handed_over())
    data = cloudpickle.dumps(thing) if dumps == "cloudpickle" else pickle.dumps(thing, int(dumps))
    names = [
        argument for code, argument, _ in pickletools.genops(data) if isinstance(argument, str)
    ]
    # One of the strings of `environ()` is the name of a variable.
    names = [name for name in names if name != "HUBTOKEN_TOKEN_ORIGIN"]
    assert not [name for name in names if "hubtoken" in name.lower()]
    # An interpreter without site-packages: hubtoken cannot be imported there.
    program = (
        "import pickle, sys\n"
        "thing = pickle.load(sys.stdin.buffer)\n"
        "assert 'hubtoken' not in sys.modules\n"
        "parts = thing.values() if isinstance(thing, dict) else thing\n"
        "print(type(thing).__name__, {type(part).__name__ for part in parts})\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], input=data, capture_output=True, check=True
    )
    assert done.stdout.decode().split() == [
        type(thing).__name__.replace("RevealedToken", "str"),
        "{'str'}",
    ]
    again = pickle.loads(data)  # noqa: S301 - our own
    assert again == thing
    assert {type(leaf) for leaf in leaves(again)} == {str}


@pytest.mark.parametrize("maker", MAKERS)
def test_joblib_writes_plain_strings(maker: str, tmp_path: Path) -> None:
    thing = MAKERS[maker](handed_over())
    path = tmp_path / "thing"
    joblib.dump(thing, path)
    assert b"hubtoken" not in path.read_bytes()
    again = joblib.load(path)
    assert again == thing
    assert {type(leaf) for leaf in leaves(again)} == {str}


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_copies_stay_masked(maker: str, copied: Callable[[Any], Any]) -> None:
    token = handed_over()
    thing = MAKERS[maker](token)
    again = copied(thing)
    assert again == thing
    assert repr(again) == repr(thing)
    assert token.reveal()[4:-4] not in repr(again)


def test_json_has_the_text() -> None:
    value = fake_token()
    token = handed_over(value)
    assert json.loads(json.dumps(token.headers())) == {"Authorization": f"Bearer {value}"}
    assert json.loads(json.dumps(token.reveal())) == value


def test_it_is_still_a_string_that_hides_in_a_repr() -> None:
    text = handed_over().reveal()
    assert isinstance(text, RevealedToken)
    assert repr([text]) == "[<revealed token>]"
    assert type(str(text)) is str
