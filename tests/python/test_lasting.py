"""`lasting=`: a token that ends before the job does is denied before the job begins."""

from __future__ import annotations

import time
import warnings
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

import hubtoken
from hubtoken.hub import Hub
from tests.environment import fake_token
from tests.python.issuer import HOUR, Issuer, log_in
from tests.python.servers import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hubtoken import HubToken


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with Hub() as hub:
        hub.create_user("alice")
        hub.create_repository("alice/model", private=True)
        yield hub


@pytest.fixture
def short(hub: Hub) -> HubToken:
    """A token that ends in two hours."""
    return hub.create_token("alice", name=fake_token()[-8:], role="write", expires_in=2 * HOUR)


CALLS = {
    "require_role": lambda token, **options: hubtoken.require_role("write", token, **options),
    "require_role(repo=)": lambda token, **options: hubtoken.require_role(
        "write", token, repo="alice/model", **options
    ),
    "require_permission": lambda token, **options: hubtoken.require_permission(
        "repo.write", token, repo="alice/model", **options
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_token_that_ends_before_the_job_is_denied(name: str, short: HubToken) -> None:
    call: Any = CALLS[name]
    # With and without a remembered grant.
    for _ in range(2):
        for enough in (timedelta(hours=1), HOUR, 90.5, 0, None, "job"):
            assert call(short, lasting=enough) is short
        for long in (timedelta(hours=8), timedelta(days=400), 8 * HOUR, 3 * HOUR + 0.5):
            with pytest.raises(hubtoken.AccessDeniedError, match="does not last") as caught:
                call(short, lasting=long)
            assert type(caught.value) is hubtoken.AccessDeniedError
            assert caught.value.remedy_url is not None
            assert "/settings/tokens/new?tokenType=" in caught.value.remedy_url
            assert short.reveal() not in str(caught.value)


def test_a_token_without_an_end_lasts(hub: Hub) -> None:
    token = hub.create_token("alice", name="endless", role="write")
    assert hubtoken.require_role("write", token, lasting=timedelta(days=36_500)) is token


def test_a_slurm_job_has_an_end_of_its_own(
    short: HubToken, clean_environment: pytest.MonkeyPatch
) -> None:
    hubtoken.require_role("write", short)
    clean_environment.setenv("SLURM_JOB_END_TIME", str(int(time.time()) + 8 * HOUR))
    with pytest.raises(hubtoken.AccessDeniedError, match="SLURM_JOB_END_TIME"):
        hubtoken.require_role("write", short)
    assert hubtoken.require_role("write", short, lasting=None) is short
    assert hubtoken.require_role("write", short, lasting=timedelta(hours=1)) is short
    clean_environment.setenv("SLURM_JOB_END_TIME", str(int(time.time()) + HOUR))
    assert hubtoken.require_role("write", short) is short


def test_a_variable_that_is_no_time_is_warned_about_once(
    short: HubToken, clean_environment: pytest.MonkeyPatch
) -> None:
    clean_environment.setenv("SLURM_JOB_END_TIME", "tomorrow")
    with pytest.warns(hubtoken.HubTokenWarning, match="SLURM_JOB_END_TIME") as told:
        hubtoken.require_role("write", short)
    assert "tomorrow" not in str(told[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hubtoken.require_role("write", short)


def test_a_login_that_is_renewed_lasts(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Issuer()) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        log_in(home, time.time() + 5 * HOUR)
        options: Any = {"lasting": timedelta(days=7), "on_unknown": "allow"}
        assert hubtoken.require_role("read", **options).source.startswith("file:")


@pytest.mark.parametrize("wrong", [True, b"8h", [1], object(), {"hours": 8}])
def test_another_type_is_a_type_error(wrong: Any, short: HubToken) -> None:
    with pytest.raises(TypeError, match="lasting takes a timedelta, a number of seconds"):
        hubtoken.require_role("write", short, lasting=wrong)


@pytest.mark.parametrize(
    "wrong", [-1, float("nan"), float("inf"), "8h", "\ud800", timedelta(days=-1), 1e300, 10**40]
)
def test_a_time_out_of_range_is_a_value_error(wrong: Any, short: HubToken) -> None:
    with pytest.raises(ValueError, match=r"lasting|lone surrogate"):
        hubtoken.require_role("write", short, lasting=wrong)
