"""The Hub's request ID and its own message are in every error that an answer of it caused."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import hubtoken
from tests.environment import child_environment, fake_token
from tests.python.helpers import DEADLINE, handed_over, leaks
from tests.python.servers import Request, http, identity, serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WHOAMI = "/api/whoami-v2"
ID = "Root=1-65f0aa11-000000ab00000000000000ff"
SAID = "The words of the Hub."

# By answer: its status and headers, and the class of the error.
ABOUT_TOKEN: dict[str, tuple[int, dict[str, str], type[hubtoken.HubTokenError]]] = {
    "400": (400, {}, hubtoken.VerdictUnknownError),
    "401": (401, {}, hubtoken.InvalidTokenError),
    "403": (403, {}, hubtoken.VerdictUnknownError),
    "404": (404, {}, hubtoken.VerdictUnknownError),
    "429": (429, {}, hubtoken.RateLimitedError),
    "429 for a while": (429, {"Retry_After": "30"}, hubtoken.RateLimitedError),
    "500": (500, {}, hubtoken.HubUnreachableError),
    "503": (503, {}, hubtoken.HubUnreachableError),
}
ABOUT_REPOSITORY: dict[str, tuple[int, dict[str, str], type[hubtoken.HubTokenError]]] = {
    "401": (401, {}, hubtoken.VerdictUnknownError),
    "missing": (404, {"X_Error_Code": "RepoNotFound"}, hubtoken.RepositoryNotFoundError),
    "gated": (403, {"X_Error_Code": "GatedRepo"}, hubtoken.GatedRepoError),
    "forbidden": (403, {}, hubtoken.AccessDeniedError),
    "429": (429, {}, hubtoken.RateLimitedError),
    "502": (502, {}, hubtoken.HubUnreachableError),
}


def said(status: int, headers: dict[str, str], words: str = SAID) -> bytes:
    named: dict[str, Any] = {"X_Request_Id": ID, **headers}
    return http(status, json.dumps({"error": words}), **named)


def about(answer: bytes) -> Callable[[Request], bytes]:
    """A Hub that accepts the token, and has one answer about every repository."""
    return lambda request: identity() if request.path == WHOAMI else answer


def check(error: hubtoken.HubTokenError) -> None:
    assert error.request_id == ID
    assert error.server_message == SAID
    assert str(error).endswith(f"request ID: {ID})")
    assert str(error).count(SAID.rstrip(".")) == str(error).count(ID) == 1
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own pickle
    assert (again.request_id, again.server_message, str(again)) == (ID, SAID, str(error))


CALLS: dict[str, Callable[[hubtoken.HubToken], Any]] = {
    "whoami": hubtoken.whoami,
    "identify": hubtoken.identify,
    "require_role": lambda token: hubtoken.require_role("read", token),
    "require_permission": lambda token: hubtoken.require_permission("repo.write", token),
    "login": hubtoken.login,
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("answer", ABOUT_TOKEN)
def test_an_answer_about_the_token_is_named(answer: str, call: str) -> None:
    status, headers, kind = ABOUT_TOKEN[answer]
    with serving(said(status, headers)) as server:
        token = handed_over(endpoint=server.endpoint)
        # The second error is that of an answer which is remembered, where it is.
        for _ in range(2):
            with pytest.raises(kind) as caught:
                CALLS[call](token)
            check(caught.value)


@pytest.mark.parametrize("answer", ABOUT_REPOSITORY)
def test_an_answer_about_a_repository_is_named(answer: str) -> None:
    status, headers, kind = ABOUT_REPOSITORY[answer]
    with serving(about(said(status, headers))) as server:
        token = handed_over(endpoint=server.endpoint)
        for _ in range(2):
            with pytest.raises(kind) as caught:
                hubtoken.require_role("read", token, repo="bob/x")
            check(caught.value)


# Answers that cannot be used, with the ID of their request.
UNUSABLE: dict[str, bytes] = {
    "redirect to another host": http(302, Location="https://hub.example/", X_Request_Id=ID),
    "redirect that is ambiguous": http(307, Location="//a\\@b/", X_Request_Id=ID),
    "redirect to nowhere": http(301, X_Request_Id=ID),
    "redirect to itself": http(302, Location="", X_Request_Id=ID),
    "body that is cut off": http(200, "{", length=100, X_Request_Id=ID),
    "error that is cut off": http(503, "{", length=100, X_Request_Id=ID),
    "body without end": http(200, b"x" * (5 << 20), X_Request_Id=ID),
    "page": http(200, "<html>", X_Request_Id=ID),
    "nothing": http(200, X_Request_Id=ID),
    "no identity": http(200, "{}", X_Request_Id=ID),
    "a list": http(200, "[]", X_Request_Id=ID),
    "other status": http(418, X_Request_Id=ID),
    "success of another kind": http(206, "{}", X_Request_Id=ID),
}


@pytest.mark.parametrize("answer", UNUSABLE)
def test_an_answer_that_cannot_be_used_is_named(answer: str) -> None:
    with serving(UNUSABLE[answer]) as server:
        for call in CALLS.values():
            token = handed_over(endpoint=server.endpoint)
            with pytest.raises(hubtoken.VerdictUnknownError) as caught:
                call(token)
            assert caught.value.request_id == ID
            assert str(caught.value).endswith(f"request ID: {ID})")
            assert not leaks(str(caught.value), token.reveal())
    # An auth-check needs no body.
    if answer == "nothing":
        return
    with serving(about(UNUSABLE[answer])) as server:
        token = handed_over(endpoint=server.endpoint)
        with pytest.raises(hubtoken.VerdictUnknownError) as caught:
            hubtoken.require_role("read", token, repo="bob/x")
        assert caught.value.request_id == ID


@pytest.mark.parametrize(
    "answer",
    [said(200, {}), http(200, "<html>", X_Request_Id=ID, X_Error_Message=SAID), said(206, {})],
    ids=["error in JSON", "header", "other status"],
)
def test_the_words_of_a_success_that_cannot_be_used_are_named(answer: bytes) -> None:
    with serving(answer) as server:
        for call in CALLS.values():
            with pytest.raises(hubtoken.VerdictUnknownError) as caught:
                call(handed_over(endpoint=server.endpoint))
            check(caught.value)
    with serving(about(answer)) as server:
        with pytest.raises(hubtoken.VerdictUnknownError) as caught:
            hubtoken.require_role("read", handed_over(endpoint=server.endpoint), repo="bob/x")
        check(caught.value)


def test_an_id_that_repeats_the_token_is_masked_in_an_answer_that_cannot_be_used() -> None:
    value = fake_token()
    for answer in (
        http(302, Location="https://hub.example/", X_Request_Id=f"at {value}"),
        http(200, "{", length=100, X_Request_Id=value),
    ):
        with serving(answer) as server:
            with pytest.raises(hubtoken.VerdictUnknownError) as caught:
                hubtoken.whoami(value, endpoint=server.endpoint)
            assert not leaks(f"{caught.value} {caught.value.request_id}", value)


@pytest.mark.parametrize("status", [401, 429])
def test_another_process_names_the_answer_as_well(home: Path, status: int) -> None:
    program = (
        "import sys, hubtoken\n"
        "token = hubtoken.resolve_token(sys.stdin.read(), endpoint=sys.argv[1])\n"
        "try:\n    hubtoken.whoami(token)\n"
        "except hubtoken.HubTokenError as error:\n    print(error.request_id)\n"
    )
    value = fake_token()
    # The first answer accepts the token: a rejection of one that is unknown is not shared.
    answers = [identity(), said(status, {"Retry_After": "60"})]
    with serving(lambda _: answers.pop(0) if len(answers) > 1 else answers[0]) as server:
        token = handed_over(value, endpoint=server.endpoint)
        hubtoken.whoami(token)
        with pytest.raises(hubtoken.HubTokenError):
            hubtoken.whoami(token, max_age=0, max_stale=0)
        sent = len(server.requests)
        done = subprocess.run(
            [sys.executable, "-c", program, server.endpoint],
            env=child_environment(home),
            input=value,
            capture_output=True,
            text=True,
            check=True,
            timeout=DEADLINE,
        )
        if status == 401:
            assert done.stdout.strip() == ID
            assert len(server.requests) == sent


def test_a_warning_names_the_answer() -> None:
    with serving(said(503, {})) as server:
        token = handed_over(endpoint=server.endpoint)
        with pytest.warns(hubtoken.HubTokenWarning, match=ID):
            hubtoken.require_role("read", token, on_unknown="warn")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"X_Amzn_Trace_Id": "Root=1-a"}, "Root=1-a"),
        ({"X_Amz_Cf_Id": "b=="}, "b=="),
        ({"X_Request_Id": "c", "X_Amz_Cf_Id": "b=="}, "c"),
        ({}, None),
    ],
)
def test_the_id_is_where_huggingface_hub_finds_it(
    headers: dict[str, Any], expected: str | None
) -> None:
    with serving(http(500, "", **headers)) as server:
        token = handed_over(endpoint=server.endpoint)
        with pytest.raises(hubtoken.HubUnreachableError) as caught:
            hubtoken.whoami(token)
    assert caught.value.request_id == expected
    assert caught.value.server_message is None
    assert ("request ID" in str(caught.value)) == (expected is not None)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"error":"No."}', "No."),
        ('{"errors":[{"message":"One."},{"message":"Two."}]}', "One.; Two."),
        ("upstream connect error", "upstream connect error"),
        ("<html><body>502</body></html>", None),
        ("", None),
        ("\x1b[31mred\r\nnext line", "\ufffd[31mred\ufffd\ufffdnext line"),
    ],
)
def test_the_message_is_where_servers_put_it(body: str, expected: str | None) -> None:
    with serving(http(502, body)) as server:
        token = handed_over(endpoint=server.endpoint)
        with pytest.raises(hubtoken.HubUnreachableError) as caught:
            hubtoken.whoami(token)
    assert caught.value.server_message == expected
    assert expected is None or expected in str(caught.value)


OPAQUE = "q7Zp2Lm9Xv4Rt8WyKd3N"


@pytest.mark.parametrize("where", ["X_Error_Message", "X_Request_Id", "json", "text"])
@pytest.mark.parametrize("opaque", [False, True])
@pytest.mark.parametrize("status", [401, 403, 404, 429, 500])
def test_a_token_that_the_hub_repeats_is_masked(status: int, opaque: bool, where: str) -> None:
    value = OPAQUE if opaque else fake_token()
    late = f"{'word ' * 99}Bearer {value}"
    for text in (value, f"bad token {value}", value[: len(value) // 2], late):
        headers: dict[str, Any] = {where: text} if where.startswith("X_") else {}
        body = {"json": json.dumps({"error": text}), "text": text}.get(where, "")
        for behavior in (
            http(status, body, **headers),
            about(http(status, body, **headers)),
        ):
            with serving(behavior) as server:
                token = handed_over(value, endpoint=server.endpoint)
                with pytest.raises(hubtoken.HubTokenError) as caught:
                    hubtoken.require_role("read", token, repo="bob/x")
            error = caught.value
            shown = f"{error} {error.request_id} {error.server_message} {error.__dict__}"
            assert leaks(shown, value) == []
            assert value[: len(value) // 2] not in shown
            assert len(shown) < 4_000


def test_a_long_message_is_cut() -> None:
    with serving(http(500, json.dumps({"error": "long " * 100_000}))) as server:
        token = handed_over(endpoint=server.endpoint)
        with pytest.raises(hubtoken.HubUnreachableError) as caught:
            hubtoken.whoami(token)
    assert len(caught.value.server_message or "") <= 500
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize("error", [hubtoken.HubTokenError, hubtoken.AccessDeniedError])
def test_an_error_without_an_answer_has_neither(error: type[hubtoken.HubTokenError]) -> None:
    assert error("text").request_id is None
    assert error("text").server_message is None
    with pytest.raises(hubtoken.HubUnreachableError) as caught:
        hubtoken.whoami(handed_over(endpoint="http://127.0.0.1:9"))
    assert caught.value.request_id is None
    assert "request ID" not in str(caught.value)


def test_the_command_shows_them(home: Path) -> None:
    with serving(said(500, {})) as server:
        environment = child_environment(home, HF_TOKEN=fake_token(), HF_ENDPOINT=server.endpoint)
        for arguments in (["whoami"], ["whoami", "--json"]):
            done = subprocess.run(
                [sys.executable, "-m", "hubtoken", *arguments],
                env=environment,
                cwd=home,
                capture_output=True,
                text=True,
                check=False,
                timeout=DEADLINE,
            )
            assert done.returncode == 3
            assert ID in done.stdout + done.stderr
            assert SAID in done.stdout + done.stderr
            if "--json" in arguments:
                error = json.loads(done.stdout)["error"]
                assert (error["request_id"], error["server_message"]) == (ID, SAID)
