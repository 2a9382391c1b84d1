"""A token from an argument or a variable: cleaned, or rejected without showing it."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import pytest

import hubtoken
from tests.environment import fake_token
from tests.python.helpers import ambient, handed_over, leaks

if TYPE_CHECKING:
    from collections.abc import Callable


class Text(str):
    """A subclass of `str`."""

    __slots__ = ()


class Secretive:
    """Prints its contents, as settings objects do."""

    def __init__(self, value: str) -> None:
        self.value = value

    def __repr__(self) -> str:
        return self.value

    __str__ = __repr__


def test_a_text_of_any_class_is_a_token() -> None:
    value = fake_token()
    token = handed_over(Text(value))
    assert token.reveal() == value
    # Text revealed by another call is accepted as well.
    assert handed_over(token.reveal()) == token


@pytest.mark.parametrize(
    "wrong",
    [
        str.encode,
        lambda value: bytearray(value, "ascii"),
        lambda v: [v],
        Secretive,
        lambda _: 7,
        lambda _: 1.5,
    ],
    ids=["bytes", "bytearray", "list", "object", "int", "float"],
)
def test_other_types_are_refused_without_their_value(wrong: Any) -> None:
    value = fake_token()
    for call in (hubtoken.resolve_token, hubtoken.explain, hubtoken.whoami):
        with pytest.raises(TypeError, match="token=") as caught:
            call(wrong(value))
        assert leaks(str(caught.value), value) == []


@pytest.mark.parametrize("blank", ["", " ", "\n\t", "\ufeff", '""', "' '", "\u200b", "\0"])
def test_a_blank_argument_never_falls_through(
    blank: str, clean_environment: pytest.MonkeyPatch
) -> None:
    clean_environment.setenv("HF_TOKEN", fake_token())
    for required in (True, False):
        with pytest.raises(hubtoken.TokenFormatError, match="blank"):
            hubtoken.resolve_token(blank, required=required)


@pytest.mark.parametrize(
    "around", ["{}", " {}\n", "{}\r\n", "\ufeff{}", '"{}"', "'{}' ", '\t"{}"\n', "\u00a0{}"]
)
def test_what_a_copy_brings_along_is_removed(around: str) -> None:
    value = fake_token()
    assert handed_over(around.format(value)).reveal() == value


MALFORMED: dict[str, Callable[[str], str]] = {
    "mask of stars": lambda v: f"hf_****{v[-4:]}",
    "stars": lambda _: "**********",
    "mask of dots": lambda v: f"hf_…{v[-4:]}",
    "bullets": lambda v: f"hf_••••{v[-4:]}",
    "placeholder": lambda _: "<HF_TOKEN>",
    "x": lambda _: "hf_xxx",
    "many x": lambda _: "hf_" + "X" * 34,
    "prefix": lambda _: "hf_",
    "variable": lambda _: "$HF_TOKEN",
    "template": lambda _: "{{ hf_token }}",
    "null": lambda _: "null",
    "space inside": lambda v: f"{v[:10]} {v[10:]}",
    "two tokens": lambda v: f"{v} {v}",
    "line inside": lambda v: f"{v}\n{v}",
    "carriage return inside": lambda v: f"{v}\r\nX-Evil: {v}",
    "zero inside": lambda v: f"{v[:10]}\0{v[10:]}",
    "escape inside": lambda v: f"{v[:10]}\x1b[31m{v[10:]}",
    "delete inside": lambda v: f"{v[:10]}\x7f{v[10:]}",
    "BOM inside": lambda v: f"{v[:10]}\ufeff{v[10:]}",
    "not ASCII": lambda v: f"{v}ü",
    "quote inside": lambda v: f'{v[:10]}"{v[10:]}',
    "assignment and command": lambda v: f"HF_TOKEN={v} python train.py",
    "assignment to another name": lambda v: f"alice={v}",
    "JSON": lambda v: f'{{"token": "{v}"}}',
    "surrogate": lambda v: f"{v}\udc80",
    "endless": lambda v: v * 1000,
    "refresh token": lambda v: f"hf_oauth__refresh_{v[3:]}",
}


@pytest.mark.parametrize("how", MALFORMED)
def test_what_cannot_be_a_token_is_refused_and_not_shown(
    how: str, clean_environment: pytest.MonkeyPatch
) -> None:
    value = fake_token()
    clean_environment.setenv("HF_TOKEN", fake_token())
    text = MALFORMED[how](value)
    for call in (hubtoken.resolve_token, hubtoken.whoami, hubtoken.explain):
        with pytest.raises(hubtoken.TokenFormatError) as caught:
            call(text)
        assert not isinstance(caught.value, ValueError)
        assert leaks(str(caught.value), value) == []
        assert value[3:13] not in str(caught.value)


@pytest.mark.parametrize("how", [how for how in MALFORMED if how != "zero inside"])
def test_the_same_in_a_variable_is_passed_over_with_a_warning(
    how: str, clean_environment: pytest.MonkeyPatch
) -> None:
    broken, good = fake_token(), fake_token()
    clean_environment.setenv("HF_TOKEN", MALFORMED[how](broken))
    clean_environment.setenv("HUGGING_FACE_HUB_TOKEN", good)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        token = ambient()
    assert (token.reveal(), token.source) == (good, "env:HUGGING_FACE_HUB_TOKEN")
    # Once for each problem: another test of this process may have caused the same one.
    assert all(issubclass(warning.category, hubtoken.HubTokenWarning) for warning in caught)
    assert leaks("".join(str(warning.message) for warning in caught), broken) == []
    step = next(step for step in hubtoken.explain().steps if step.source == "env:HF_TOKEN")
    assert step.answer == "broken"
    assert leaks(str(hubtoken.explain()), broken, good) == []
