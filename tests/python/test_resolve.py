"""`resolve_token` and `explain` as Python sees them: arguments, moments, warnings, traces."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any

import pytest

import hubtoken
from tests.environment import fake_token
from tests.python.helpers import ambient, handed_over, leaks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hubtoken import HubToken


class Text(str):
    """A text of one's own class."""

    __slots__ = ()


class Secretive:
    """Prints what it holds, as settings objects do."""

    def __init__(self, value: str) -> None:
        self.value = value

    def __repr__(self) -> str:
        return self.value

    __str__ = __repr__


def store(home: Path, text: str, name: str = "stored_tokens") -> Path:
    folder = home / "huggingface"
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text)
    return path


def test_a_text_of_any_class_is_a_token() -> None:
    value = fake_token()
    token = handed_over(Text(value))
    assert token.reveal() == value
    # What another call revealed is a text as well.
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
    "header": lambda v: f"Bearer {v}",
    "assignment": lambda v: f"export HF_TOKEN={v}",
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
    # Once for each problem: another test of this process may have had the same.
    assert all(issubclass(warning.category, hubtoken.HubTokenWarning) for warning in caught)
    assert leaks("".join(str(warning.message) for warning in caught), broken) == []
    step = next(step for step in hubtoken.explain().steps if step.source == "env:HF_TOKEN")
    assert step.answer == "broken"
    assert leaks(str(hubtoken.explain()), broken, good) == []


def test_none_true_and_false(clean_environment: pytest.MonkeyPatch) -> None:
    for token in (None, True):
        with pytest.raises(hubtoken.TokenNotFoundError):
            hubtoken.resolve_token(token)
        assert hubtoken.resolve_token(token, required=False) is None
    value = fake_token()
    clean_environment.setenv("HF_TOKEN", value)
    assert hubtoken.resolve_token(False) is None
    assert ambient().reveal() == ambient(token=True).reveal() == value
    clean_environment.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
    assert ambient(token=True).reveal() == value
    assert hubtoken.resolve_token(required=False) is None
    with pytest.raises(hubtoken.TokenNotFoundError, match="HF_HUB_DISABLE_IMPLICIT_TOKEN"):
        hubtoken.resolve_token()


def test_a_missing_token_lists_every_source(home: Path) -> None:
    with pytest.raises(hubtoken.TokenNotFoundError) as caught:
        hubtoken.resolve_token()
    trace = caught.value.trace
    assert trace is not None
    sources = [step.source for step in trace.steps]
    assert sources == [
        "argument",
        "HF_OIDC_RESOURCE",
        "env:HF_TOKEN",
        "env:HUGGING_FACE_HUB_TOKEN",
        "config",
        f"file:{home / 'huggingface' / 'token'}",
    ]
    assert all(source in str(caught.value) for source in sources)
    assert (trace.source, trace.endpoint) == (None, None)


def test_required_false_is_about_absence_only(
    home: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    with pytest.raises(hubtoken.TokenNotFoundError, match="`ci`"):
        hubtoken.resolve_token(profile="ci", required=False)
    with pytest.raises(hubtoken.TokenFormatError):
        hubtoken.resolve_token("hf_xxx", required=False)
    clean_environment.setenv("HF_OIDC_RESOURCE", "models/a/b")
    with pytest.raises(hubtoken.ConfigurationError, match="HF_OIDC_RESOURCE"):
        hubtoken.resolve_token(required=False)
    clean_environment.delenv("HF_OIDC_RESOURCE")
    store(home, "not a section\n")
    with pytest.raises(hubtoken.StoreError, match="line 1"):
        hubtoken.resolve_token(profile="ci", required=False)


def test_a_profile_is_the_only_source(home: Path, clean_environment: pytest.MonkeyPatch) -> None:
    value, other = fake_token(), fake_token()
    clean_environment.setenv("HF_TOKEN", other)
    store(home, f"[ci]\nhf_token = {value}\n[blank]\nhf_token =\n[broken]\nhf_token = hf_xxx\n")
    token = ambient(profile="ci")
    assert (token.reveal(), token.source, token.profile) == (value, "store:ci", "ci")
    with pytest.raises(hubtoken.TokenNotFoundError, match="stored are: ci, blank, broken"):
        hubtoken.resolve_token(profile="nobody")
    for name, error in (("blank", hubtoken.StoreError), ("broken", hubtoken.TokenFormatError)):
        with pytest.raises(error, match=name):
            hubtoken.resolve_token(profile=name)
    with pytest.raises(ValueError, match="not both"):
        hubtoken.resolve_token(value, profile="ci")


def test_a_token_does_not_change_hubs(clean_environment: pytest.MonkeyPatch) -> None:
    value = fake_token()
    clean_environment.setenv("HF_TOKEN", value)
    for token in (None, True, handed_over(value)):
        with pytest.raises(hubtoken.UntrustedEndpointError) as caught:
            hubtoken.resolve_token(token, endpoint="https://hub.example")
        assert "https://hub.example" in str(caught.value)
        assert f"hf_…{value[-4:]}" in str(caught.value)
    # The text itself, handed over for that Hub, is the caller's decision.
    assert handed_over(value, "https://hub.example/").endpoint == "https://hub.example"
    clean_environment.setenv("HF_ENDPOINT", "https://hub.example")
    assert ambient(endpoint="https://HUB.example:443").endpoint == "https://hub.example"


def test_changes_of_the_environment_are_seen_at_once(clean_environment: pytest.MonkeyPatch) -> None:
    first, second = fake_token(), fake_token()
    assert hubtoken.resolve_token(required=False) is None
    for value in (first, second, first):
        os.environ["HF_TOKEN"] = value
        assert ambient().reveal() == value
    clean_environment.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert ambient().endpoint == "http://127.0.0.1:9"
    clean_environment.delenv("HF_ENDPOINT")
    del os.environ["HF_TOKEN"]
    assert hubtoken.resolve_token(required=False) is None


def test_changes_of_the_token_file_are_seen_at_once(home: Path) -> None:
    path = home / "huggingface" / "token"
    for value in [fake_token() for _ in range(20)]:
        assert store(home, value, "token") == path
        for _ in range(2):
            assert (ambient().reveal(), ambient().source) == (value, f"file:{path}")
    path.unlink()
    assert hubtoken.resolve_token(required=False) is None


def test_another_folder_is_another_project_at_once(
    home: Path, tmp_path: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    values = {name: fake_token() for name in ("one", "two")}
    store(home, "".join(f"[{name}]\nhf_token = {value}\n" for name, value in values.items()))
    for name in values:
        (tmp_path / name / "deep").mkdir(parents=True)
        (tmp_path / name / "hubtoken.toml").write_text(f'profile = "{name}"\n')
    for name in ("one", "two", "one", "two"):
        clean_environment.chdir(tmp_path / name / "deep")
        token = ambient()
        assert (token.reveal(), token.profile) == (values[name], name)
        assert token.source == f"config:{tmp_path / name / 'hubtoken.toml'}"
    clean_environment.chdir(tmp_path)
    assert hubtoken.resolve_token(required=False) is None


def test_a_folder_that_is_gone_is_no_project(
    tmp_path: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    clean_environment.chdir(gone)
    gone.rmdir()
    value = fake_token()
    clean_environment.setenv("HF_TOKEN", value)
    assert ambient().reveal() == value
    clean_environment.delenv("HF_TOKEN")
    assert hubtoken.resolve_token(required=False) is None
    clean_environment.chdir(tmp_path)


def test_a_broken_source_is_warned_about_once_and_at_the_caller(
    clean_environment: pytest.MonkeyPatch,
) -> None:
    value, good = fake_token(), fake_token()
    # A position of its own in the message: a process warns once of the same problem.
    clean_environment.setenv("HF_TOKEN", value * 3 + " x" * 3)
    clean_environment.setenv("HUGGING_FACE_HUB_TOKEN", good)
    with pytest.warns(hubtoken.HubTokenWarning, match="HF_TOKEN was passed over") as caught:
        assert getattr(hubtoken.resolve_token(), "source", None) == "env:HUGGING_FACE_HUB_TOKEN"
    assert [warning.filename for warning in caught] == [__file__]
    assert leaks(str(caught[0].message), value, good) == []
    # Warnings are errors in these tests: a second one would fail.
    hubtoken.reload()
    assert ambient().reveal() == good


def test_a_broken_file_is_named_when_there_is_no_token(home: Path) -> None:
    path = home / "huggingface" / "token"
    path.mkdir(parents=True)
    with pytest.raises(hubtoken.TokenNotFoundError, match="is a directory") as caught:
        hubtoken.resolve_token()
    assert str(path) in str(caught.value)
    step = next(step for step in hubtoken.explain().steps if step.source == f"file:{path}")
    assert (step.answer, step.mask) == ("broken", None)


def shown(token: HubToken) -> str:
    return repr(token).partition("(")[2].partition(",")[0]


def test_explain_shows_what_is_used_shadowed_and_ignored(
    home: Path, clean_environment: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    used, legacy, file, foreign = values = [fake_token() for _ in range(4)]
    clean_environment.setenv("HF_TOKEN", used)
    clean_environment.setenv("HUGGING_FACE_HUB_TOKEN", legacy)
    clean_environment.setenv("HUGGINGFACEHUB_API_TOKEN", foreign)
    path = store(home, file, "token")
    trace = hubtoken.explain()
    assert (trace.source, trace.endpoint) == ("env:HF_TOKEN", "https://huggingface.co")
    answers = {step.source: (step.answer, step.mask) for step in trace.steps}
    assert answers["env:HF_TOKEN"] == ("found", shown(ambient()))
    assert answers["env:HUGGING_FACE_HUB_TOKEN"] == ("shadowed", f"hf_…{legacy[-4:]}")
    assert answers[f"file:{path}"] == ("shadowed", f"hf_…{file[-4:]}")
    assert answers["env:HUGGINGFACEHUB_API_TOKEN"] == ("ignored", None)
    assert str(trace) == repr(trace)
    assert all(step.source in str(trace) for step in trace.steps)
    assert leaks(str(trace) + repr(trace.steps), *values) == []
    assert capfd.readouterr() == ("", "")
