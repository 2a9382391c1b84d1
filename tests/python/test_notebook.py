"""The vaults of Colab and Kaggle: used last, once, with a deadline, and only in their notebooks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from hubtoken import notebook
from tests.environment import fake_token
from tests.python.helpers import answer_of, leaks, run_program

if TYPE_CHECKING:
    from pathlib import Path

KAGGLE = {"KAGGLE_USER_SECRETS_TOKEN": "eyFake.eyFake.Fake"}
VARIABLES = {"colab": {}, "kaggle": KAGGLE}
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")


def outcome(
    home: Path,
    service: str,
    behavior: str,
    variables: dict[str, str] | None = None,
    **request: Any,
) -> tuple[list[dict[str, Any]], list[str]]:
    """The results of the resolutions, and the vault's requests. Nothing else contains the value."""
    value = fake_token()
    done = run_program(
        "notebook",
        home,
        {"service": service, "behavior": behavior, "value": value, **request},
        without=(),
        **(VARIABLES.get(service, {}) | (variables or {})),
    )
    answer = answer_of(done)
    for each in answer["answers"]:
        if "value" in each:
            assert each.pop("value") == value
        assert leaks(repr(each), value) == []
    assert leaks(done.stderr, value) == []
    return answer["answers"], answer["asked"]


@pytest.mark.parametrize("service", ["colab", "kaggle"])
def test_a_vault_has_the_token(home: Path, service: str) -> None:
    answers, asked = outcome(home, service, "has it", times=3)
    assert [answer["source"] for answer in answers] == [service] * 3
    assert answers[0]["repr"].endswith(f"source={service})")
    assert answers[0]["warnings"] == []
    # Once, and not in the thread that must stay free for Ctrl-C.
    assert asked == [f"HF_TOKEN in hubtoken-{service}-vault"]


@pytest.mark.parametrize(
    ("service", "behavior", "answer", "words"),
    [
        ("colab", "not found", "absent", None),
        ("colab", "nothing", "absent", None),
        ("colab", "number", "absent", None),
        ("colab", "blank", "absent", None),
        ("colab", "not granted", "refused", "not granted its secret HF_TOKEN"),
        ("colab", "broken", "broken", "cannot be read: BackendError"),
        ("kaggle", "no user secrets", "absent", None),
        ("kaggle", "not authorized", "refused", "not granted its secret HF_TOKEN"),
        ("kaggle", "broken", "broken", "cannot be read: BackendError"),
    ],
)
def test_refusal_absence_and_failure_are_told_apart(
    home: Path, service: str, behavior: str, answer: str, words: str | None
) -> None:
    answers, asked = outcome(home, service, behavior, optional=2)
    assert answers[0]["error"] == "TokenNotFoundError"
    assert answers[0]["steps"][service] == answer
    # The error contains everything; callers that need no token are warned, once.
    assert [len(each["warnings"]) for each in answers] == [0, words is not None, 0]
    if words is not None:
        assert words in answers[0]["message"]
        assert words in answers[1]["warnings"][0]
    assert len(asked) == 1


@pytest.mark.parametrize("service", ["colab", "kaggle"])
def test_many_threads_ask_once(home: Path, service: str) -> None:
    answers, asked = outcome(home, service, "has it", threads=16)
    assert [answer["source"] for answer in answers] == [service] * 17
    assert len(asked) == 1


def test_clear_cache_asks_again(home: Path) -> None:
    _, asked = outcome(home, "colab", "not granted", clear_cache=True)
    assert len(asked) == 2


def test_a_vault_that_hangs_is_given_up_and_heard_when_it_answers(home: Path) -> None:
    answers, asked = outcome(
        home, "colab", "hang", {"HUBTOKEN_SOURCE_TIMEOUT": "0.1"}, times=2, release=True
    )
    assert answers[0]["error"] == "TokenNotFoundError"
    assert "has not answered" in answers[0]["message"]
    assert answers[-1]["source"] == "colab"
    assert len(asked) == 1


def test_a_process_ends_while_its_vault_hangs(home: Path) -> None:
    answers, _ = outcome(home, "kaggle", "hang", {"HUBTOKEN_SOURCE_TIMEOUT": "0.1"})
    assert "has not answered" in answers[0]["message"]


@pytest.mark.parametrize("service", ["colab", "kaggle"])
@pytest.mark.parametrize(
    "variables",
    [
        {"HF_TOKEN": "hf_FakeFakeFakeFakeFakeFakeFakeFakeXX"},
        {"HUBTOKEN_DISABLE_VAULTS": "1"},
        {"HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"},
    ],
)
def test_a_vault_is_not_asked_for_nothing(
    home: Path, service: str, variables: dict[str, str]
) -> None:
    value = fake_token()
    done = run_program(
        "notebook",
        home,
        {"service": service, "behavior": "has it", "value": value},
        without=(),
        **VARIABLES[service],
        **variables,
    )
    answer = answer_of(done)
    assert answer["asked"] == []
    assert answer["answers"][0].get("source") in {None, "env:HF_TOKEN"}


@pytest.mark.parametrize(
    ("service", "variables"),
    [
        # Modules that are installed in another notebook or in none.
        ("colab elsewhere", {}),
        ("kaggle elsewhere", {}),
        ("colab", {"VERTEX_PRODUCT": "COLAB_ENTERPRISE"}),
        ("none", {}),
        ("none", KAGGLE),
    ],
)
def test_a_vault_is_asked_in_its_own_notebooks_only(
    home: Path, service: str, variables: dict[str, str]
) -> None:
    answers, asked = outcome(home, service, "has it", variables)
    assert answers[0]["error"] == "TokenNotFoundError"
    assert asked == []
    assert not {"colab", "kaggle"} & set(answers[0]["steps"])


@needs_fork
def test_a_forked_child_knows_the_answer_and_does_not_ask_colab(home: Path) -> None:
    answers, _ = outcome(home, "colab", "has it", fork=True)
    assert answers[-1]["source"] == "colab"
    assert answers[-1]["asked"] == []
    # Forked before the notebook's vault was read: the child has no connection to the page.
    answers, asked = outcome(home, "colab", "has it", fork_first=True)
    assert answers[0]["error"] == "TokenNotFoundError"
    assert answers[0]["asked"] == []
    assert answers[1]["source"] == "colab"
    assert len(asked) == 1


@pytest.mark.parametrize("service", ["colab", "kaggle"])
def test_a_logout_says_that_the_vault_still_counts(home: Path, service: str) -> None:
    # Without a dialog: the vault is not asked for this.
    answers, asked = outcome(home, service, "has it", logout=True, times=0)
    (warning,) = answers[0]["warnings"]
    assert f"this {service.title()} notebook, if it has one" in warning
    assert asked == []
    # Its token is known by now.
    answers, asked = outcome(home, service, "has it", logout=True)
    (warning,) = answers[0]["warnings"]
    assert "is still used" in warning
    assert "if it has one" not in warning
    nothing = {"colab": "nothing", "kaggle": "no user secrets"}[service]
    answers, _ = outcome(home, service, nothing, logout=True)
    assert answers[0]["warnings"] == []


def test_an_ordinary_process_has_no_vaults() -> None:
    assert notebook.vaults() == []
