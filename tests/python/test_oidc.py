"""Tokens of an OIDC exchange: where they come from, when they are renewed, and how that fails."""

from __future__ import annotations

import json
import os
import pickle
import threading
from typing import TYPE_CHECKING, Literal

import pytest

import hubtoken
from tests.environment import fake_token
from tests.python import ci_jobs
from tests.python.helpers import ambient, handed_over, leaks, run_program
from tests.python.servers import Request, http

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.python.ci_jobs import Job

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"


@pytest.fixture
def job(alone: pytest.MonkeyPatch) -> Iterator[Job]:
    """A job of GitHub Actions that asks for an exchange, and has another token as well."""
    with ci_jobs.running() as job:
        for name, value in job.github().items():
            alone.setenv(name, value)
        alone.setenv("HF_TOKEN", fake_token())
        yield job


def test_the_exchange_is_that_of_huggingface_hub(job: Job) -> None:
    token = ambient()
    assert (token.source, token.kind, token.profile) == ("oidc", "jwt", None)
    assert token.endpoint == job.endpoint
    assert [token.reveal()] == job.tokens
    assert job.exchanged == [
        {
            "grant_type": GRANT,
            "subject_token_type": ID_TOKEN,
            "subject_token": job.id_tokens[0],
            "resource": "acme/model",
        }
    ]
    # Once for all calls, and in all forms.
    assert ambient() == token
    assert hubtoken.get_token() == token.reveal()
    assert token.headers(f"{job.endpoint}/api/x") == {"Authorization": f"Bearer {job.tokens[0]}"}
    assert len(job.exchanged) == 1
    assert leaks(repr(token) + str(hubtoken.explain()), *job.secrets) == []


def test_a_given_id_token_is_exchanged(job: Job, clean_environment: pytest.MonkeyPatch) -> None:
    for name, value in job.other("datasets/acme/data").items():
        clean_environment.setenv(name, value)
    ambient()
    assert job.exchanged[0]["subject_token"] == os.environ["HF_OIDC_ID_TOKEN"]
    assert job.exchanged[0]["resource"] == "datasets/acme/data"
    assert [request.path for request in job.server.requests] == ["/oauth/token"]
    # A new id token is another exchange.
    clean_environment.setenv("HF_OIDC_ID_TOKEN", job.other()["HF_OIDC_ID_TOKEN"])
    assert ambient().reveal() == job.tokens[1]


def test_an_argument_goes_first_and_a_changed_resource_is_exchanged_anew(
    job: Job, clean_environment: pytest.MonkeyPatch
) -> None:
    assert hubtoken.resolve_token(fake_token()) is not None
    assert hubtoken.resolve_token(False) is None
    assert job.exchanged == []
    first = ambient()
    clean_environment.setenv("HF_OIDC_RESOURCE", "buckets/acme/bucket")
    assert ambient() != first
    clean_environment.setenv("HF_OIDC_RESOURCE", "acme/model")
    assert ambient() == first
    assert [fields["resource"] for fields in job.exchanged] == ["acme/model", "buckets/acme/bucket"]
    clean_environment.setenv("HF_OIDC_RESOURCE", " ")
    assert ambient().source == "env:HF_TOKEN"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (http(400, '{"error": "invalid_grant", "error_description": "No."}'), "LoginError"),
        (http(400, '{"error": "invalid_request"}'), "LoginError"),
        (http(500, '{"error": "invalid_grant"}'), "HubUnreachableError"),
        (b"", "HubUnreachableError"),
        (http(200, '{"access_token": "x"', length=900), "HubUnreachableError"),
        (http(429, "{}", Retry_After="7"), "RateLimitedError"),
        (http(302, "", Location="https://evil.example/"), "VerdictUnknownError"),
        (http(404, "<html>"), "VerdictUnknownError"),
        (http(200, "\0junk"), "VerdictUnknownError"),
        (http(200, '{"access_token": "two words"}'), "VerdictUnknownError"),
        (http(200, "x" * 200_000), "VerdictUnknownError"),
    ],
)
def test_a_failure_falls_back_to_nothing(job: Job, answer: bytes, error: str) -> None:
    job.refusal = answer
    for call in (hubtoken.resolve_token, hubtoken.get_token, hubtoken.whoami):
        with pytest.raises(hubtoken.HubTokenError) as caught:
            call()
        assert type(caught.value).__name__ == error
        assert job.endpoint in str(caught.value)
        assert leaks(str(caught.value), os.environ["HF_TOKEN"], *job.secrets) == []
    with pytest.raises(hubtoken.HubTokenError) as caught:
        hubtoken.resolve_token(required=False)
    if error == "LoginError":
        assert isinstance(caught.value, hubtoken.LoginError)
        assert caught.value.error_code == json.loads(answer.split(b"\r\n\r\n")[1])["error"]
        assert "hubtoken oidc" in str(caught.value)
    job.refusal = None
    assert ambient().reveal() == job.tokens[0]


def test_github_fails_in_its_own_words(job: Job) -> None:
    for answer, error in (
        (http(403, '{"message": "no"}'), hubtoken.LoginError),
        (http(502, "<html>"), hubtoken.HubUnreachableError),
        (http(200, '{"value": "\\u001b[31m"}'), hubtoken.VerdictUnknownError),
    ):
        job.github_refusal = answer
        with pytest.raises(error, match="GitHub Actions") as caught:
            hubtoken.resolve_token()
        assert leaks(str(caught.value), *job.secrets) == []
        assert "/issue" not in str(caught.value)
    assert job.exchanged == []


def test_offline_nothing_is_requested(job: Job, clean_environment: pytest.MonkeyPatch) -> None:
    clean_environment.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(hubtoken.OfflineError):
        hubtoken.resolve_token()
    assert job.server.requests == []


def test_what_is_wrong_with_the_job_is_said_before_any_request(
    job: Job, clean_environment: pytest.MonkeyPatch
) -> None:
    for name, value, error, message in (
        ("HF_OIDC_RESOURCE", "models/a/b", hubtoken.ConfigurationError, "HF_OIDC_RESOURCE"),
        ("HF_OIDC_ID_TOKEN", "$TOKEN", hubtoken.TokenFormatError, "not a JWT"),
        ("HF_OIDC_ID_TOKEN", "a.b.\udcff", hubtoken.TokenFormatError, "not text"),
        ("GITHUB_ACTIONS", "1", hubtoken.ConfigurationError, "no id token"),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "", hubtoken.ConfigurationError, "id-token: write"),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", "http://a.b/", hubtoken.UntrustedEndpointError, "http"),
    ):
        with clean_environment.context() as patch:
            patch.setenv(name, value)
            with pytest.raises(error, match=message):
                hubtoken.resolve_token()
    assert job.server.requests == []


def test_concurrent_threads_share_one_exchange(job: Job) -> None:
    together = threading.Barrier(16)
    found = []

    def resolve() -> None:
        together.wait()
        found.append(ambient().reveal())

    threads = [threading.Thread(target=resolve) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == job.tokens * 16
    assert len(job.exchanged) == 1


def test_a_holder_gets_the_current_value(job: Job) -> None:
    job.life = 0
    token = ambient()
    before, first = repr(token), token.reveal()
    assert first == job.tokens[-1]
    assert token.reveal() == job.tokens[-1] != first
    assert token.bearer() == f"Bearer {job.tokens[-1]}"
    assert token.headers() == {"Authorization": f"Bearer {job.tokens[-1]}"}
    assert token.basic_auth()[1] == job.tokens[-1]
    assert token.environ({})["HF_TOKEN"] == job.tokens[-1]
    # It stays the same object, with the same hash.
    assert repr(token) == before
    job.life = 3600
    last = token.reveal()
    assert [token.reveal(), ambient().reveal()] == [last, last]
    # Without a renewal, its end is an error.
    hubtoken.clear_cache()
    job.life = 0
    ended = ambient()
    job.refusal = http(400, '{"error": "invalid_grant"}')
    with pytest.raises(hubtoken.LoginError):
        ended.reveal()


def test_the_current_value_is_that_of_its_own_resource(
    job: Job, clean_environment: pytest.MonkeyPatch
) -> None:
    job.life = 0
    token = ambient()
    clean_environment.setenv("HF_OIDC_RESOURCE", "acme/other")
    token.reveal()
    clean_environment.delenv("HF_OIDC_RESOURCE")
    token.reveal()
    assert {fields["resource"] for fields in job.exchanged} == {"acme/model"}


def test_explaining_requests_nothing(job: Job) -> None:
    trace = hubtoken.explain()
    assert (trace.source, trace.endpoint) == ("oidc", job.endpoint)
    steps = {step.source: step for step in trace.steps}
    assert (steps["oidc"].answer, steps["oidc"].mask) == ("found", None)
    assert "acme/model" in steps["oidc"].detail
    assert steps["env:HF_TOKEN"].answer == "shadowed"
    assert str(trace).startswith("a token from oidc")
    assert job.server.requests == []
    ambient()
    assert hubtoken.explain().steps[1].mask == f"hf_jwt_…{job.tokens[0][-4:]}"


def test_writing_to_another_repository_is_denied_with_both_names(job: Job) -> None:
    assert hubtoken.require_role("write", repo="acme/model").source == "oidc"
    asked = len(job.server.requests)
    others: list[tuple[str, Literal["model", "dataset"]]] = [
        ("acme/other", "model"),
        ("acme/model", "dataset"),
    ]
    for repo, repo_type in others:
        with pytest.raises(hubtoken.InsufficientRoleError) as caught:
            hubtoken.require_role("write", repo=repo, repo_type=repo_type)
        assert "HF_OIDC_RESOURCE=acme/model" in str(caught.value)
        assert repo in str(caught.value)
        assert caught.value.remedy_url is not None
        assert caught.value.remedy_url.endswith(f"{repo}/settings")
    assert len(job.server.requests) == asked
    hubtoken.require_role("read", repo="acme/other")


def test_without_a_repository_its_own_is_named(job: Job) -> None:
    with pytest.raises(hubtoken.VerdictUnknownError, match="writes to `acme/model` alone: name"):
        hubtoken.require_role("write")
    assert job.exchanged != []


def test_a_user_name_gives_no_right_to_write(
    job: Job, clean_environment: pytest.MonkeyPatch
) -> None:
    clean_environment.setenv("HF_OIDC_RESOURCE", "alice")
    for repo in (None, "alice/model"):
        with pytest.raises(hubtoken.InsufficientRoleError, match="gated repositories of `alice`"):
            hubtoken.require_role("write", repo=repo)
    hubtoken.require_role("read", repo="alice/model")
    assert job.exchanged[0]["resource"] == "alice"


def test_where_the_libraries_repeat_the_exchange_it_is_left_to_them(job: Job) -> None:
    before = dict(os.environ)
    with ambient().activate():
        assert dict(os.environ) == before
    made = ambient().environ()
    assert made["HF_TOKEN"] == job.tokens[-1]
    assert made["HF_OIDC_RESOURCE"] == "acme/model"
    # Any other token goes before it.
    with handed_over(endpoint=job.endpoint).activate() as token:
        assert "HF_OIDC_RESOURCE" not in os.environ
        assert ambient() == token
    assert dict(os.environ) == before


def test_a_given_id_token_is_not_exchanged_twice(
    job: Job, clean_environment: pytest.MonkeyPatch
) -> None:
    for name, value in job.other().items():
        clean_environment.setenv(name, value)
    token = ambient()
    with token.activate():
        assert os.environ["HF_TOKEN"] == token.reveal()
        assert "HF_OIDC_RESOURCE" not in os.environ
        assert ambient().source == "oidc"
    assert "HF_OIDC_RESOURCE" not in token.environ()
    hubtoken.clear_cache()
    assert ambient() == token
    assert len(job.exchanged) == 1


def test_a_pickle_has_no_value_and_another_process_exchanges_its_own(job: Job, home: Path) -> None:
    token = ambient()
    data = pickle.dumps(token)
    assert leaks(data, *job.secrets) == []
    assert pickle.loads(data) == token  # noqa: S301 - its own pickle
    without = job.github()
    without.pop("HF_OIDC_RESOURCE")
    for variables, expected in ((job.github(), "oidc"), (without, "TokenNotFoundError")):
        done = run_program("oidc_unpickle", home, list(data), without=(), **variables)
        assert done.stdout.strip() == expected, done.stderr
    assert len(job.exchanged) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_uses_the_token_and_exchanges_anew(job: Job, home: Path) -> None:
    job.life = 1_000_000
    done = run_program("oidc_fork", home, without=(), **job.github())
    assert done.stdout.splitlines() == ["same", "anew"], done.stderr
    assert len(job.exchanged) == 2


def test_a_child_uses_what_hubtoken_run_hands_over(job: Job, home: Path) -> None:
    done = run_program("oidc_run", home, without=(), **job.github())
    assert done.stdout.splitlines() == ["oidc acme/model"], done.stderr
    assert len(job.exchanged) == 1


def test_the_hub_is_asked_whose_it_is(job: Job) -> None:
    asked = []

    def answer(request: Request) -> bytes:
        asked.append(request)
        return job.answer(request)

    job.server.behavior = answer
    assert hubtoken.whoami().user == "alice"
    whoami = next(request for request in asked if request.path == "/api/whoami-v2")
    assert whoami.authorization == f"Bearer {job.tokens[0]}"
