"""A pickle carries a token's source, never the token, and never makes a process hang."""

from __future__ import annotations

import base64
import hashlib
import pickle
from typing import TYPE_CHECKING, Any

import pytest

import hubtoken
from hubtoken import errors
from tests.environment import fake_token
from tests.python.helpers import ambient, answer_of, handed_over, leaks, run_program

if TYPE_CHECKING:
    from pathlib import Path

    from hubtoken import HubToken

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def write_token(home: Path, value: str) -> None:
    folder = home / "huggingface"
    folder.mkdir(exist_ok=True)
    (folder / "token").write_text(value)


def write_stored(home: Path, value: str) -> None:
    folder = home / "huggingface"
    folder.mkdir(exist_ok=True)
    (folder / "stored_tokens").write_text(f"[ci]\nhf_token = {value}\n")


def unpickled_elsewhere(
    token: HubToken, home: Path, later: dict[str, str] | None = None, **variables: str
) -> dict[str, Any]:
    """The result of unpickling in a process that never had the token."""
    request = {"pickle": base64.b64encode(pickle.dumps(token)).decode(), "set": later or {}}
    done = run_program("unpickle", home, request, without=(), **variables)
    answer: dict[str, Any] = answer_of(done)
    assert answer["shown"] == answer["shown after"] == repr(token)
    assert (answer["source"], answer["kind"]) == (token.source, token.kind)
    return answer


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_pickle_holds_the_value(
    protocol: int, home: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    argument, file, stored, variable = values = [fake_token() for _ in range(4)]
    write_token(home, file)
    write_stored(home, stored)
    tokens = [handed_over(argument), ambient(), ambient(profile="ci")]
    clean_environment.setenv("HF_TOKEN", variable)
    tokens.append(ambient())
    assert [token.source.partition(":")[0] for token in tokens] == [
        "argument",
        "file",
        "store",
        "env",
    ]
    for token in tokens:
        data = pickle.dumps({"token": token}, protocol=protocol)
        assert leaks(data, *values) == []
        again = pickle.loads(data)["token"]  # noqa: S301 - our own
        assert again == token
        assert again.reveal() == token.reveal()
        assert (again.source, again.endpoint, again.profile) == (
            token.source,
            token.endpoint,
            token.profile,
        )


def test_a_child_with_the_same_environment_has_the_token_again(
    home: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    value = fake_token()
    clean_environment.setenv("HF_TOKEN", value)
    answer = unpickled_elsewhere(ambient(), home, HF_TOKEN=value)
    assert answer["digest"] == digest(value)


def test_unpickling_looks_nowhere_and_the_first_use_does(
    home: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    value = fake_token()
    clean_environment.setenv("HF_TOKEN", value)
    answer = unpickled_elsewhere(ambient(), home, later={"HF_TOKEN": value})
    assert answer["digest"] == digest(value)


@pytest.mark.parametrize("other", [False, True], ids=["none", "another"])
def test_a_child_without_the_token_is_told_why_at_first_use(
    other: bool, home: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    value, foreign = fake_token(), fake_token()
    clean_environment.setenv("HF_TOKEN", value)
    variables = {"HF_TOKEN": foreign} if other else {}
    answer = unpickled_elsewhere(ambient(), home, None, **variables)
    assert answer["error"] == "TokenNotFoundError"
    assert "HF_TOKEN" in answer["message"]
    assert f"hf_…{value[-4:]}" in answer["message"]
    assert leaks(answer["message"], value, foreign) == []


def test_an_argument_is_detached_elsewhere(home: Path) -> None:
    value = fake_token()
    # Even if the environment has it: the caller did not select it.
    answer = unpickled_elsewhere(handed_over(value), home, HF_TOKEN=fake_token())
    assert answer["error"] == "TokenNotFoundError"
    assert "argument" in answer["message"]
    assert "pickle" in answer["message"]
    assert leaks(str(answer), value) == []


def test_a_file_is_read_again_and_must_hold_the_same(home: Path) -> None:
    value = fake_token()
    write_token(home, value)
    token = ambient()
    assert unpickled_elsewhere(token, home)["digest"] == digest(value)
    write_token(home, fake_token())
    assert unpickled_elsewhere(token, home)["error"] == "TokenNotFoundError"


def test_a_profile_is_followed_when_it_is_rotated(home: Path) -> None:
    value, rotated = fake_token(), fake_token()
    write_stored(home, value)
    token = ambient(profile="ci")
    assert unpickled_elsewhere(token, home)["digest"] == digest(value)
    write_stored(home, rotated)
    assert unpickled_elsewhere(token, home)["digest"] == digest(rotated)
    (home / "huggingface" / "stored_tokens").unlink()
    answer = unpickled_elsewhere(token, home)
    assert answer["error"] == "TokenNotFoundError"
    assert "ci" in answer["message"]


def test_a_variable_of_another_hub_is_not_taken(
    home: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    value = fake_token()
    clean_environment.setenv("HF_TOKEN", value)
    elsewhere = {"HF_TOKEN": value, "HF_ENDPOINT": "http://127.0.0.1:9"}
    answer = unpickled_elsewhere(ambient(), home, None, **elsewhere)
    assert answer["error"] == "TokenNotFoundError"


def test_a_dropped_token_is_looked_for_in_the_same_process(
    clean_environment: pytest.MonkeyPatch,
) -> None:
    value = fake_token()
    clean_environment.setenv("HF_TOKEN", value)
    token = ambient()
    data = pickle.dumps(token)
    del token
    hubtoken.clear_cache()
    assert pickle.loads(data).reveal() == value  # noqa: S301 - our own


@pytest.mark.usefixtures("alone")
def test_a_detached_token_fails_wherever_it_is_used_and_shows_itself_all_the_same() -> None:
    value = fake_token()
    token = handed_over(value)
    shown, fingerprint, data = repr(token), token.fingerprint, pickle.dumps(token)
    del token
    lost = pickle.loads(data)  # noqa: S301 - our own
    assert repr(lost) == shown
    for use in (
        lost.reveal,
        lost.bearer,
        lost.headers,
        lost.basic_auth,
        lost.environ,
        lost.activate,
        lambda: hubtoken.resolve_token(lost),
        lambda: hubtoken.whoami(lost),
        lambda: hubtoken.require_role("read", lost),
    ):
        with pytest.raises(hubtoken.TokenNotFoundError) as caught:
            use()
        assert leaks(str(caught.value), value) == []
    # It is pickled again unchanged, compared and hashed.
    again = pickle.loads(pickle.dumps(lost))  # noqa: S301 - our own
    assert again == lost
    assert hash(again) == hash(lost)
    assert again.fingerprint == fingerprint
    # And is found once the token is alive again.
    alive = handed_over(value)
    assert lost.reveal() == alive.reveal()


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("source", ["environment", "argument"])
def test_a_pool_never_hangs(method: str, source: str, home: Path) -> None:
    value = fake_token()
    done = run_program("workers", home, {"method": method, "source": source, "value": value})
    label = "env:HF_TOKEN" if source == "environment" else "argument"
    shown = f"HubToken(hf_…{value[-4:]}, source={label})"
    # A forked worker has its parent's token; another resolves, which an argument does not allow.
    lost = source == "argument" and method != "fork"
    assert answer_of(done) == [[shown, "TokenNotFoundError" if lost else digest(value)]] * 4
    assert leaks(done.stdout + done.stderr, value) == []


ATTRIBUTES: dict[str, dict[str, object]] = {
    "InvalidTokenError": {"source": "env:HF_TOKEN"},
    "AccessDeniedError": {
        "required": "write",
        "actual": "read",
        "target": "acme/tiny",
        "remedy_url": "https://huggingface.co/settings/tokens",
    },
    "RateLimitedError": {"retry_after": 7},
    "LoginError": {"error_code": "expired_token"},
}


@pytest.mark.parametrize("name", [name for name in errors.__all__ if name.endswith("Error")])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_errors_cross_process_boundaries_with_their_attributes(name: str, protocol: int) -> None:
    kind = getattr(errors, name)
    error = kind("what happened")
    attributes = next(
        (ATTRIBUTES[base.__name__] for base in kind.__mro__ if base.__name__ in ATTRIBUTES), {}
    )
    vars(error).update(attributes)
    again = pickle.loads(pickle.dumps(error, protocol=protocol))  # noqa: S301 - our own
    assert type(again) is kind
    assert str(again) == "what happened"
    assert {key: getattr(again, key) for key in attributes} == attributes


def test_a_failed_search_is_pickled_with_its_trace() -> None:
    with pytest.raises(hubtoken.TokenNotFoundError) as caught:
        hubtoken.resolve_token()
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own
    trace = caught.value.trace
    assert trace is not None
    assert again.trace is not None
    assert str(again.trace) == str(trace)
    assert [step.answer for step in again.trace.steps] == [step.answer for step in trace.steps]


def test_the_same_value_from_two_places_keeps_its_place(clean_environment: Any) -> None:
    value = fake_token()
    given = handed_over(value)
    clean_environment.setenv("HF_TOKEN", value)
    found = ambient()
    assert pickle.loads(pickle.dumps(given)).source == "argument"  # noqa: S301 - our own
    assert pickle.loads(pickle.dumps(found)).source == "env:HF_TOKEN"  # noqa: S301 - our own


def test_the_same_value_at_two_hubs_is_found_for_each() -> None:
    value = fake_token()
    tokens = [handed_over(value), handed_over(value, "http://127.0.0.1:9")]
    for token in tokens:
        again = pickle.loads(pickle.dumps(token))  # noqa: S301 - our own
        assert (again.reveal(), again.endpoint) == (value, token.endpoint)


def test_a_profile_of_another_hub_is_not_taken(home: Path, clean_environment: Any) -> None:
    stored = home / "huggingface" / "stored_tokens"
    stored.parent.mkdir(parents=True, exist_ok=True)
    stored.write_text(f"[ci]\nhf_token = {fake_token()}\n", encoding="utf-8")
    clean_environment.setenv("HF_HOME", str(stored.parent))
    pickled = pickle.dumps(hubtoken.resolve_token(profile="ci"))
    clean_environment.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    detached = pickle.loads(pickled)  # noqa: S301 - our own
    with pytest.raises(hubtoken.TokenNotFoundError):
        detached.reveal()
