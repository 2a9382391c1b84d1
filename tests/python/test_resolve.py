"""`resolve_token` and `explain` as Python sees them: arguments, timing, warnings, traces."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

import hubtoken
from tests.environment import fake_token
from tests.python.helpers import ambient, handed_over, leaks

if TYPE_CHECKING:
    from pathlib import Path

    from hubtoken import HubToken


def store(home: Path, text: str, name: str = "stored_tokens") -> Path:
    folder = home / "huggingface"
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text)
    return path


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
        "oidc",
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
    with pytest.raises(hubtoken.TokenNotFoundError, match="stored tokens are: ci, blank, broken"):
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
    # Passing the text itself for that Hub is the caller's decision.
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
    # A unique position in the message: a process warns only once about the same problem.
    clean_environment.setenv("HF_TOKEN", value * 3 + " x" * 3)
    clean_environment.setenv("HUGGING_FACE_HUB_TOKEN", good)
    with pytest.warns(hubtoken.HubTokenWarning, match="HF_TOKEN was passed over") as caught:
        assert getattr(hubtoken.resolve_token(), "source", None) == "env:HUGGING_FACE_HUB_TOKEN"
    assert [warning.filename for warning in caught] == [__file__]
    assert leaks(str(caught[0].message), value, good) == []
    # Warnings are errors in these tests: a second one would fail.
    hubtoken.clear_cache()
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


def test_a_broken_source_is_warned_of_also_when_there_is_no_token(
    home: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    folder = home / "broken"
    (folder / "token").mkdir(parents=True)
    clean_environment.setenv("HF_HOME", str(folder))
    with pytest.warns(hubtoken.HubTokenWarning, match="is a directory"):
        assert hubtoken.resolve_token(required=False) is None


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("HF_TOKEN_FILE", "HF_TOKEN_PATH"),
        ("HUGGING_FACE_HUB_TOKEN_FILE", "HF_TOKEN_PATH"),
        ("HUGGINGFACE_TOKEN_PATH", "HF_TOKEN_PATH"),
        ("HUGGINGFACEHUB_API_TOKEN_FILE", "HF_TOKEN_PATH"),
        ("HUGGINGFACE_TOKEN", "HF_TOKEN"),
        ("HUGGINGFACEHUB_API_TOKEN", "HF_TOKEN"),
        ("HF_API_TOKEN", "HF_TOKEN"),
        ("HUGGINGFACE_HUB_TOKEN", "HF_TOKEN"),
        ("HF_ACCESS_TOKEN", "HF_TOKEN"),
    ],
)
def test_a_variable_that_is_not_read_is_named_with_one_that_is(
    name: str, read: str, home: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    secret = fake_token()
    mounted = home / secret
    mounted.write_text(secret)
    clean_environment.setenv(name, str(mounted) if read == "HF_TOKEN_PATH" else secret)
    with pytest.raises(hubtoken.TokenNotFoundError) as caught:
        hubtoken.resolve_token()
    trace = hubtoken.explain()
    [step] = [step for step in trace.steps if step.answer == "ignored"]
    assert step.source == f"env:{name}"
    assert read in step.detail
    for text in (str(caught.value), str(trace), repr(trace.steps)):
        assert f"env:{name}" in text
        assert leaks(text, secret) == []


def test_the_variable_that_names_the_token_file_is_read(
    home: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    value = fake_token()
    mounted = home / "mounted"
    mounted.write_text(value)
    clean_environment.setenv("HF_TOKEN_PATH", str(mounted))
    assert ambient().reveal() == value
    assert [step for step in hubtoken.explain().steps if step.answer == "ignored"] == []
