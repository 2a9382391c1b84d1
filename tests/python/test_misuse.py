"""A `HubToken` that is used as a `str` raises an error that names the fix.

Where a library could swallow that error, standard error says the same.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import io
import itertools
import json
import pickle
import pprint
import sys
import threading
import warnings
from typing import TYPE_CHECKING, Any

import pytest

import hubtoken
from hubtoken import HubToken
from tests.environment import fake_token
from tests.python.helpers import handed_over, leaks

if TYPE_CHECKING:
    from collections.abc import Callable

NUMBERS = itertools.count()
STR_NAMES = sorted(name for name in dir(str) if not name.startswith("_"))
OPERATIONS: dict[str, Callable[[Any], object]] = {
    "len": len,
    "iteration": list,
    "unpacking": lambda token: [*token],
    "in": lambda token: "hf_" in token,
    "index": lambda token: token[0],
    "slice": lambda token: token[:3],
    "+": lambda token: token + "x",
    "+ of a string": lambda token: "Bearer " + token,
    "+ of bytes": lambda token: b"Bearer " + token,
    "+=": lambda token: exec("token += 'x'", {"token": token}),  # noqa: S102
    "*": lambda token: token * 2,
    "* of a number": lambda token: 2 * token,
    "%": lambda token: token % (),
    "<": lambda token: token < "a",
    "<=": lambda token: token <= token,  # noqa: PLR0124
    ">": lambda token: token > "a",
    ">=": lambda token: "a" <= token,  # noqa: SIM300
    ">= of a string": lambda token: "a" >= token,  # noqa: SIM300
    "sorted": lambda token: sorted([token, "a"]),
    "max": lambda token: max("a", token),
    "reversed": reversed,
    "startswith": lambda token: token.startswith("hf_"),
    "encode": lambda token: token.encode(),
    "format": lambda token: token.format(),
    "called": lambda token: token(),
    "called with None": lambda token: token(None),
    "called with a scope": lambda token: token("https://example.org/.default"),
}


@pytest.fixture
def value() -> str:
    return fake_token()


@pytest.fixture
def token(value: str) -> HubToken:
    return handed_over(value)


def execute(code: str, file: str, module: str = "some_library", **names: object) -> dict[str, Any]:
    """Run code as if it were in a file."""
    namespace: dict[str, Any] = {"__name__": module, **names}
    exec(compile(code, file, "exec"), namespace)  # noqa: S102
    return namespace


def library(code: str) -> dict[str, Any]:
    """The functions of a library that is installed."""
    return execute(code, f"/usr/lib/python3/site-packages/library{next(NUMBERS)}.py")


def program() -> str:
    """The name of a program that has not been warned about."""
    return f"/home/alice/program{next(NUMBERS)}.py"


@pytest.mark.parametrize("name", STR_NAMES)
def test_whatever_a_str_has_raises_the_error(token: HubToken, value: str, name: str) -> None:
    with pytest.raises(TypeError, match=r"token\.reveal\(\)") as caught:
        getattr(token, name)
    assert f"`{name}`" in str(caught.value)
    assert leaks(str(caught.value), value) == []


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_what_a_str_can_do_raises_the_error(
    token: HubToken, value: str, operation: Callable[[Any], object]
) -> None:
    with pytest.raises(TypeError, match=r"token\.reveal") as caught:
        operation(token)
    assert leaks(str(caught.value), value) == []


@pytest.mark.parametrize(
    "name",
    [
        "_repr_html_",
        "_ipython_display_",
        "_ipython_canary_method_should_not_exist_",
        "__array__",
        "__dataclass_fields__",
        "__fspath__",
        "__getnewargs__",
        "__html__",
        "__index__",
        "__pydantic_validator__x",
        "__wrapped__",
        "decode",
        "get_secret",
        "keys",
        "pytestmark",
        "unicode",
    ],
)
def test_any_other_name_is_only_missing(token: HubToken, value: str, name: str) -> None:
    assert not hasattr(token, name)
    assert getattr(token, name, None) is None
    with pytest.raises(AttributeError) as caught:
        getattr(token, name)
    assert caught.value.name == name
    assert caught.value.obj is token
    assert leaks(str(caught.value), value) == []


def test_tools_still_work(token: HubToken) -> None:
    assert bool(token) is True
    assert not set(STR_NAMES) & set(dir(token))
    assert copy.copy(token) is copy.deepcopy(token) is token
    assert pickle.loads(pickle.dumps(token)) == token  # noqa: S301 - its own
    assert "reveal" in dict(inspect.getmembers(token))
    assert inspect.getdoc(token)
    assert inspect.unwrap(token) is token
    assert callable(token)
    assert pprint.pformat([token]) == f"[{token!r}]"
    # It compares what it sorts, and swallows the error.
    assert repr(token) in pprint.pformat({token: 1, "a": 2})
    assert "%s|%r" % (token, token) == f"{token}|{token!r}"  # noqa: UP031
    assert "%s" % token == f"{token}"  # noqa: UP031
    assert {token: 1}[token] == 1
    with pytest.raises(TypeError):
        json.dumps(token)
    with pytest.raises(AssertionError):
        assert token == [token], "the message is made of both sides"


def test_ipython_displays_it(token: HubToken, value: str) -> None:
    formatters = pytest.importorskip("IPython.core.formatters")
    data, _ = formatters.DisplayFormatter().format(token)
    assert leaks(repr(data), value) == []
    assert "HubToken(" in data["text/plain"]


def test_what_a_library_swallows_is_said_on_standard_error(
    token: HubToken, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    swallowing = library(
        "def load(token):\n    try:\n        return token.startswith('hf_')\n"
        "    except Exception:\n        raise OSError('cannot load') from None\n"
        "def send(token):\n    try:\n        return 'Bearer ' + token\n"
        "    except TypeError:\n        return None\n"
        "def provide(api_key):\n    try:\n        return api_key()\n"
        "    except Exception:\n        return None\n"
    )
    for name, words in (("load", "`startswith`"), ("send", "`+`"), ("provide", "token.reveal")):
        file = program()
        code = f"\ntry:\n    {name}(token)\nexcept OSError:\n    pass\n"
        with warnings.catch_warnings():
            # Filters of a library are not asked.
            warnings.simplefilter("ignore")
            execute(code, file, "__main__", token=token, **{name: swallowing[name]})
        error = capsys.readouterr().err
        assert error.startswith(f"{file}:3: HubTokenWarning: "), error
        assert error.count("\n") == 1
        assert words in error
        assert "token.reveal" in error
        assert leaks(error, value) == []


def test_a_tool_that_tries_is_not_reported(
    token: HubToken, capsys: pytest.CaptureFixture[str]
) -> None:
    code = (
        "def measure(token):\n"
        "    for probe in (len, iter, lambda each: each.__array__, lambda each: each.keys):\n"
        "        try:\n            probe(token)\n"
        "        except (TypeError, AttributeError):\n            pass\n"
    )
    execute("measure(token)", program(), token=token, measure=library(code)["measure"])
    assert capsys.readouterr().err == ""


def test_each_place_is_told_once(token: HubToken, capsys: pytest.CaptureFixture[str]) -> None:
    load = library(
        "def load(token):\n    try:\n        token.strip()\n    except TypeError:\n        pass\n"
    )["load"]
    file = program()
    execute("for _ in range(3):\n    load(token)\nload(token)\n", file, token=token, load=load)
    lines = capsys.readouterr().err.splitlines()
    assert [line.removeprefix(f"{file}:").partition(":")[0] for line in lines] == ["2", "3"]


def test_who_gets_the_error_is_not_told_twice(
    token: HubToken, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(TypeError):
        execute("token.startswith('hf_')", program(), "__main__", token=token)
    assert capsys.readouterr().err == ""


def test_a_thread_of_a_library_says_it_too(
    token: HubToken, capsys: pytest.CaptureFixture[str]
) -> None:
    run = library(
        "def run(token):\n    try:\n        token.strip()\n    except TypeError:\n        pass\n"
    )["run"]
    thread = threading.Thread(target=run, args=(token,))
    thread.start()
    thread.join()
    assert ":3: HubTokenWarning: a HubToken is not a str" in capsys.readouterr().err


def test_the_guard_of_huggingface_hub_says_it_too(
    token: HubToken, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = (
        "def send(token):\n    try:\n        return isinstance(token, str)\n"
        "    except TypeError:\n        return None\n"
    )
    send = execute(code, "<string>", "huggingface_hub.utils", token=token)["send"]
    file = program()
    execute("send(token)", file, "__main__", token=token, send=send)
    error = capsys.readouterr().err
    assert error.startswith(f"{file}:1: HubTokenWarning: huggingface_hub ignores a token=")
    assert leaks(error, value) == []


class Broken(io.StringIO):
    """A standard error that cannot be written to."""

    def write(self, text: str) -> int:
        """Fail."""
        raise OSError(text)


@pytest.mark.parametrize("how", ["none", "closed", "broken", "ascii"])
def test_a_broken_standard_error_does_not_replace_the_error(token: HubToken, how: str) -> None:
    closed = io.StringIO()
    closed.close()
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    streams = {"none": None, "closed": closed, "broken": Broken(), "ascii": ascii_only}
    strip = library("def strip(token):\n    return token.strip()\n")["strip"]
    with (
        contextlib.redirect_stderr(streams[how]),
        pytest.raises(TypeError, match=r"token\.reveal\(\)"),
    ):
        execute("strip(token)", program(), token=token, strip=strip)
    if how == "ascii":
        assert b"hf_..." in ascii_only.buffer.getvalue()


def test_warnings_that_are_errors_do_not_replace_it_either(token: HubToken) -> None:
    strip = library("def strip(token):\n    return token.strip()\n")["strip"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(TypeError, match=r"token\.reveal\(\)"):
            execute("strip(token)", program(), token=token, strip=strip)


def test_what_the_documents_show_instead_works(token: HubToken, value: str) -> None:
    provider: Callable[[], str] = token.reveal
    assert provider() == value
    assert str not in type(token).__mro__
    assert sys.modules["hubtoken"] is hubtoken
