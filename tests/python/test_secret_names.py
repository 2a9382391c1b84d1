"""A token in place of a name or a path is rejected, and never shown."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import hubtoken
from hubtoken import TokenFormatError, TokenNotFoundError
from tests.environment import child_environment, fake_token
from tests.python.servers import identity, serving

if TYPE_CHECKING:
    from pathlib import Path

DEADLINE = 60.0
LETTERS = "FakeFakeFakeFakeFakeFakeFakeFakeFakeFakeFakeFake"
SECRETS = (
    f"hf_{LETTERS[:34]}",
    f"api_{LETTERS[:34]}",
    f"sk-proj-{LETTERS}",
    f"ghp_{LETTERS[:36]}",
)


def store(home: Path, name: str, value: str) -> None:
    folder = home / "huggingface"
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    (folder / "stored_tokens").write_text(f"[{name}]\nhf_token = {value}\n\n", encoding="utf-8")


def command(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hubtoken", *arguments],
        env=child_environment(home, **variables),
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_no_new_name(secret: str, clean_environment: pytest.MonkeyPatch) -> None:
    with serving(identity()) as server:
        clean_environment.setenv("HF_ENDPOINT", server.endpoint)
        hubtoken.login(fake_token(), name="ci")
        asked = len(server.requests)
        with pytest.raises(TokenFormatError) as renamed:
            hubtoken.rename_token("ci", f"my {secret}")
        with pytest.raises(TokenFormatError) as named:
            hubtoken.login(fake_token(), name=secret)
        assert len(server.requests) == asked
        for caught in (renamed, named):
            assert "Fake" not in str(caught.value)
        assert [stored.name for stored in hubtoken.stored_tokens()] == ["ci"]


def test_a_stored_value_of_any_shape_is_no_new_name(home: Path) -> None:
    value = "correct-horse-battery-staple"
    store(home, "ci", value)
    with pytest.raises(TokenFormatError) as caught:
        hubtoken.rename_token("ci", value)
    assert value not in str(caught.value)


@pytest.mark.parametrize("secret", SECRETS)
def test_a_name_that_another_program_stored_is_shown_in_a_safe_form(
    secret: str, home: Path
) -> None:
    store(home, secret, fake_token())
    [stored] = hubtoken.stored_tokens()
    assert secret not in stored.name
    assert "…" in stored.name
    token = hubtoken.resolve_token(profile=stored.name)
    assert token is not None
    for text in (repr(token), str(token.source), str(token.profile), repr(hubtoken.explain(token))):
        assert LETTERS[:20] not in text
    assert LETTERS[:20].encode() not in pickle.dumps(token)
    with token.activate():
        import os

        assert LETTERS[:20] not in os.environ["HUBTOKEN_TOKEN_ORIGIN"]
    hubtoken.switch_token(stored.name)
    hubtoken.logout(stored.name)
    assert hubtoken.stored_tokens() == []


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_as_a_name_is_not_repeated(secret: str) -> None:
    for call in (
        lambda: hubtoken.resolve_token(profile=secret),
        lambda: hubtoken.switch_token(secret),
        lambda: hubtoken.logout(secret),
        lambda: hubtoken.rename_token(secret, "ci"),
    ):
        with pytest.raises((TokenFormatError, TokenNotFoundError)) as caught:
            call()
        assert LETTERS[:20] not in str(caught.value)


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "arguments",
    [
        ("login", "{}"),
        ("login", "--name", "{}"),
        ("whoami", "--profile", "{}"),
        ("status", "--json", "{}"),
        ("--color", "{}", "status"),
        ("hub", "serve", "--port", "{}"),
        ("rename", "ci", "{}"),
    ],
)
def test_no_verb_repeats_a_secret(arguments: tuple[str, ...], secret: str, home: Path) -> None:
    done = command(home, *(argument.format(secret) for argument in arguments))
    assert done.returncode == 2
    assert LETTERS[:20] not in done.stdout + done.stderr
    assert "looks like a token" in done.stdout + done.stderr


@pytest.mark.parametrize("secret", SECRETS)
def test_a_project_that_names_a_secret_is_not_repeated(secret: str, home: Path) -> None:
    (home / "hubtoken.toml").write_text(f'profile = "{secret}"\n', encoding="utf-8")
    done = command(home, "explain")
    assert LETTERS[:20] not in done.stdout + done.stderr
    assert "`profile` holds a token" in done.stdout + done.stderr


@pytest.mark.parametrize("variable", ["HF_TOKEN_PATH", "HF_HOME"])
@pytest.mark.parametrize("secret", SECRETS)
def test_a_token_where_a_path_belongs_is_said_and_not_shown(
    variable: str, secret: str, home: Path
) -> None:
    for verb in ("explain", "whoami"):
        done = command(home, verb, **{variable: secret})
        shown = done.stdout + done.stderr
        assert LETTERS[:20] not in shown
        words = " ".join(shown.split())
        assert f"{variable} holds a token, not a path: set HF_TOKEN" in words


def test_a_key_of_another_service_is_chosen_with_a_warning(home: Path) -> None:
    key = f"sk-proj-{LETTERS}"
    store(home, "ci", key)
    with pytest.warns(hubtoken.HubTokenWarning, match="looks like an API key of OpenAI"):
        hubtoken.switch_token("ci")
    for verb in ("switch", "use"):
        done = command(home, verb, "ci")
        assert done.returncode == 0, done.stderr
        assert "an API key of OpenAI" in " ".join(done.stderr.split())
        assert LETTERS[:20] not in done.stdout + done.stderr


@pytest.mark.parametrize("broken", ["stored_tokens", "hubtoken_endpoints.json", "token"])
def test_a_folder_with_the_name_of_a_token_is_masked(broken: str, home: Path) -> None:
    folder = home / SECRETS[0] / "huggingface"
    folder.mkdir(parents=True)
    (folder / "stored_tokens").write_text(f"[ci]\nhf_token = hf_{LETTERS[:34]}\n\n")
    if broken == "token":
        (folder / broken).mkdir()
    else:
        (folder / broken).write_text("[broken\n")
    project = home / SECRETS[0] / "project"
    project.mkdir()
    (project / "hubtoken.toml").write_text("profile = \n")
    done = [
        command(home, *verb, HF_HOME=str(folder))
        for verb in (
            ("list",),
            ("switch", "ci"),
            ("rename", "ci", "new"),
            ("status",),
            ("explain",),
        )
    ]
    done += [command(project, verb, HF_HOME=str(folder)) for verb in ("explain", "use", "run")]
    assert any(one.returncode for one in done), "something is broken"
    for one in done:
        assert LETTERS[:20] not in one.stdout + one.stderr
