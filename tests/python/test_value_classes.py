"""Records are values: equal by their attributes, copied, pickled, and written to JSON."""

from __future__ import annotations

import base64
import copy
import dataclasses
import datetime as dt
import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import hubtoken
from hubtoken import _core
from hubtoken.hub import Hub
from tests.environment import fake_token
from tests.python.code_login import code_login
from tests.python.helpers import answer_of, handed_over, leaks, run_program
from tests.python.servers import http, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CLASSES = (
    "Identity",
    "Organization",
    "Scope",
    "Verdict",
    "StoredToken",
    "Trace",
    "TraceStep",
    "TokenInfo",
    "Approval",
    "AuditEntry",
    "Publisher",
    "ServiceAccount",
    "ServiceAccountToken",
    "RevokedToken",
    "Login",
)
WHOAMI = {
    "type": "user",
    "name": "alice",
    "fullname": "Alice Doe",
    "email": "alice@hub.example",
    "isPro": True,
    "orgs": [
        {"name": "acme", "roleInOrg": "read", "securityRestrictions": ["mfa"]},
        {"name": "labs", "roleInOrg": "a role of 2031", "resourceGroups": [{"name": "x"}]},
    ],
    "auth": {
        "type": "access_token",
        "expiresAt": "2199-12-31T00:00:00.000Z",
        "accessToken": {
            "displayName": "ci",
            "role": "fineGrained",
            "createdAt": "2024-01-02T03:04:05.250Z",
            "fineGrained": {
                "canReadGatedRepos": True,
                "global": ["discussion.write"],
                "scoped": [
                    {"entity": {"type": "model", "name": "alice/x"}, "permissions": ["repo.write"]},
                    {"permissions": ["inference.serverless.write"]},
                ],
            },
        },
    },
}


@dataclasses.dataclass
class Records:
    """One of each class; `make` creates an equal one, and `other` is different."""

    value: str
    make: dict[str, Callable[[], Any]]
    other: dict[str, Any]


def attributes(record: Any) -> list[str]:
    """The names of the public attributes, without methods."""
    return [
        name
        for name in dir(type(record))
        if not name.startswith("_") and not callable(getattr(type(record), name))
    ]


def write_stored(home: Path, text: str) -> None:
    folder = home / "huggingface"
    folder.mkdir(exist_ok=True)
    (folder / "stored_tokens").write_text(text)


def stored(name: str) -> hubtoken.StoredToken:
    [found] = [token for token in hubtoken.stored_tokens() if token.name == name]
    return found


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    """A Hub with an approval and an audit log."""
    with Hub() as hub:
        hub.create_user("alice")
        hub.create_organization("acme")
        hub.set_member("acme", "alice", "write")
        hub.set_token_policy("acme", "require-approval")
        for name in ("laptop", "ci"):
            hub.create_token("alice", name=name, role="write", expires_in=3600)
        for info in hub.list_tokens("alice"):
            hub.revoke_token("acme", info.id)
        for issuer in ("https://a.example", "https://b.example"):
            hub.create_publisher("alice", issuer=issuer, claims={"sub": "a"})
        hub.create_organization("labs")
        hub.set_member("labs", "alice", "admin")
        token = hub.create_token("alice", name="accounts", role="write")
        accounts = hubtoken.service_accounts("labs", token)
        for name in ("first", "second"):
            account = accounts.create(name, f"the {name}")
            accounts.create_token(account, name, permissions=["repo.write"])
        for _ in range(2):
            code_login(hub, "alice")
        yield hub


@pytest.fixture
def records(home: Path, hub: Hub) -> Iterator[Records]:
    value, dead = fake_token(), fake_token()
    write_stored(home, f"[ci]\nhf_token = {value}\n[old]\nhf_token = {fake_token()}\n")
    answer = http(200, json.dumps(WHOAMI), Content_Type="application/json")
    with serving(answer) as server:
        token = handed_over(value, server.endpoint)

        def identity() -> hubtoken.Identity:
            return hubtoken.whoami(token, max_age=0)

        def verdict(role: str = "write") -> hubtoken.Verdict:
            return hubtoken.authorize(identity(), role, repo="acme/x")

        def trace() -> hubtoken.Trace:
            return hubtoken.explain(value)

        administrator = hub.create_token("alice", name="administrator", role="read")
        accounts = hubtoken.service_accounts("labs", administrator)

        def held(name: str) -> hubtoken.ServiceAccountToken:
            return (accounts.get(name).tokens or [])[0]

        yield Records(
            value,
            {
                "Identity": identity,
                "Organization": lambda: identity().organizations[0],
                "Scope": lambda: identity().scopes[0],
                "Verdict": verdict,
                "StoredToken": lambda: stored("ci"),
                "Trace": trace,
                "TraceStep": lambda: trace().steps[0],
                "TokenInfo": lambda: hub.list_tokens("alice")[0],
                "Approval": lambda: hub.list_approvals("acme")[0],
                "AuditEntry": lambda: hub.audit()[0],
                "Publisher": lambda: hub.list_publishers()[0],
                "ServiceAccount": lambda: accounts.get("first"),
                "ServiceAccountToken": lambda: held("first"),
                "RevokedToken": lambda: hubtoken.revoke(dead, endpoint=hub.endpoint)[0],
                "Login": lambda: hub.list_logins("alice")[0],
            },
            {
                "Identity": hubtoken.whoami(hub.create_token("alice", name="x", role="read")),
                "Organization": identity().organizations[1],
                "Scope": identity().scopes[1],
                "Verdict": verdict("read"),
                "StoredToken": stored("old"),
                "Trace": hubtoken.explain(fake_token()),
                "TraceStep": trace().steps[1],
                "TokenInfo": hub.list_tokens("alice")[1],
                "Approval": hub.list_approvals("acme")[1],
                "AuditEntry": hub.audit()[1],
                "Publisher": hub.list_publishers()[1],
                "ServiceAccount": accounts.get("second"),
                "ServiceAccountToken": held("second"),
                "RevokedToken": hubtoken.revoke(fake_token(), endpoint=hub.endpoint)[0],
                "Login": hub.list_logins("alice")[1],
            },
        )


@pytest.mark.parametrize("name", CLASSES)
def test_records_are_equal_by_value(name: str, records: Records) -> None:
    record, again, other = records.make[name](), records.make[name](), records.other[name]
    assert type(record).__name__ == name
    assert record is not again
    assert record == again
    assert hash(record) == hash(again)
    assert record != other
    assert len({record, again, other}) == 2
    assert {record: 1}[again] == 1


@pytest.mark.parametrize("name", CLASSES)
def test_another_type_decides_itself_whether_it_is_equal(name: str, records: Records) -> None:
    class Anything:
        """Equal to all."""

        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]

    record = records.make[name]()
    assert record.__eq__(1) is NotImplemented
    assert record.__ne__(record.to_dict()) is NotImplemented
    assert record == Anything()
    assert record != record.to_dict()
    assert record is not None
    for ordered in ("__lt__", "__ge__"):
        assert getattr(record, ordered)(record) is NotImplemented


@pytest.mark.parametrize("name", CLASSES)
def test_the_dictionary_has_the_attributes_ready_for_json(name: str, records: Records) -> None:
    record = records.make[name]()
    content = record.to_dict()
    assert sorted(content) == sorted(attributes(record))
    assert json.loads(json.dumps(content)) == content
    assert yaml.safe_load(yaml.safe_dump(content)) == content
    assert vars(record) == content
    assert json.loads(json.dumps(record, default=vars)) == content
    for key, value in content.items():
        attribute = getattr(record, key)
        if isinstance(attribute, dt.datetime):
            assert value == attribute.isoformat()
            assert dt.datetime.fromisoformat(value) == attribute
        elif isinstance(attribute, list):
            assert value == [
                getattr(item, "to_dict", lambda item=item: item)() for item in attribute
            ]
        elif isinstance(attribute, hubtoken.HubToken):
            assert value == _core.token_mask(attribute)
        else:
            assert value == getattr(attribute, "to_dict", lambda attribute=attribute: attribute)()
    content.clear()
    assert record.to_dict()


@pytest.mark.parametrize("name", CLASSES)
def test_a_record_cannot_be_changed_so_a_copy_is_itself(name: str, records: Records) -> None:
    record = records.make[name]()
    assert copy.copy(record) is record
    assert copy.deepcopy(record) is record
    assert copy.deepcopy([record, {"again": record}]) == [record, {"again": record}]
    for attribute in [*attributes(record), "__dict__", "made_up"]:
        with pytest.raises(AttributeError):
            setattr(record, attribute, None)


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_has_everything_but_the_token(name: str, protocol: int, records: Records) -> None:
    record = records.make[name]()
    data = pickle.dumps({"record": record}, protocol=protocol)
    assert leaks(data, records.value) == []
    again = pickle.loads(data)["record"]  # noqa: S301 - our own
    assert type(again) is type(record)
    assert again == record
    assert hash(again) == hash(record)
    assert again.to_dict() == record.to_dict()
    assert repr(again) == repr(record)


@pytest.mark.parametrize("name", CLASSES)
def test_yaml_with_python_objects_has_no_token_either(name: str, records: Records) -> None:
    record = records.make[name]()
    text = yaml.dump(record)
    assert leaks(text, records.value) == []
    assert yaml.unsafe_load(text) == record
    with pytest.raises(yaml.representer.RepresenterError):
        yaml.safe_dump(record)


@pytest.mark.parametrize("name", CLASSES)
def test_the_repr_names_the_class_and_shows_no_value(name: str, records: Records) -> None:
    shown = repr(records.make[name]())
    assert leaks(shown, records.value) == []
    assert shown != repr(records.other[name])
    if name != "Trace":
        assert shown.startswith(f"<{name} ")


def test_pickles_load_in_another_process(records: Records, home: Path) -> None:
    originals = [records.make[name]() for name in CLASSES]
    data = [base64.b64encode(pickle.dumps(record)).decode() for record in originals]
    done = run_program("unpickle_records", home, data)
    answers = answer_of(done)
    assert [answer["class"] for answer in answers] == list(CLASSES)
    assert [answer["content"] for answer in answers] == [one.to_dict() for one in originals]
    assert all(answer["same"] for answer in answers)
    assert leaks(done.stdout + done.stderr, records.value) == []
    # The store still has it.
    assert answers[CLASSES.index("StoredToken")]["fingerprint"] == originals[4].fingerprint


def test_a_stored_token_that_is_gone_says_so_at_first_use(records: Records, home: Path) -> None:
    record = records.make["StoredToken"]()
    data = base64.b64encode(pickle.dumps(record)).decode()
    (home / "huggingface" / "stored_tokens").unlink()
    [answer] = answer_of(run_program("unpickle_records", home, [data]))
    assert answer["content"] == record.to_dict()
    assert answer["token"] == repr(record.token)
    assert "stored" in answer["error"]
    assert leaks(str(answer), records.value) == []


@pytest.mark.parametrize("name", CLASSES)
def test_a_pickle_of_a_later_version_loads(name: str, records: Records) -> None:
    record = records.make[name]()
    state = {**record.to_dict(), "made_up_in_2031": {"more": [1]}}
    assert _core.restore_record(type(record), json.dumps(state)) == record


def test_a_word_of_a_later_version_is_the_one_that_claims_nothing() -> None:
    verdict = {"outcome": "probably", "reason": "later", "required": "read"}
    assert _core.restore_record(hubtoken.Verdict, json.dumps(verdict)).outcome == "unknown"
    step = {"source": "telepathy", "answer": "dreamed", "mask": None, "detail": ""}
    assert _core.restore_record(hubtoken.TraceStep, json.dumps(step)).answer == "ignored"


@pytest.mark.parametrize("state", ["", "{}", "[]", "null", '{"name": 7}', '{"hf_MySecret"'])
@pytest.mark.parametrize("name", ["Identity", "StoredToken", "Trace"])
def test_a_damaged_pickle_is_an_error_that_does_not_quote_it(name: str, state: str) -> None:
    with pytest.raises(ValueError, match="damaged") as caught:
        _core.restore_record(getattr(hubtoken, name), state)
    assert "MySecret" not in str(caught.value)


def test_an_unpickled_identity_is_judged_like_the_original(records: Records) -> None:
    identity = records.make["Identity"]()
    again = pickle.loads(pickle.dumps(identity))  # noqa: S301 - our own
    for need in ("read", "write", "inference.serverless.write"):
        for repo in ("alice/x", "acme/x", "labs/x", None):
            assert hubtoken.authorize(again, need, repo=repo) == hubtoken.authorize(
                identity, need, repo=repo
            )


def test_an_unpickled_verdict_is_the_same_condition(records: Records) -> None:
    denied = pickle.loads(pickle.dumps(records.make["Verdict"]()))  # noqa: S301 - our own
    assert not denied
    unknown = hubtoken.authorize(records.make["Identity"](), "read", repo="bob/x")
    with pytest.raises(hubtoken.VerdictUnknownError) as caught:
        bool(pickle.loads(pickle.dumps(unknown)))  # noqa: S301 - our own
    assert str(caught.value) == unknown.reason


def test_a_token_in_the_place_of_a_name_is_in_no_dictionary_or_pickle(home: Path) -> None:
    value, name = fake_token(), fake_token()
    write_stored(home, f"[{name}]\nhf_token = {value}\n")
    [record] = hubtoken.stored_tokens()
    assert leaks(json.dumps(record.to_dict()) + repr(record), value, name) == []
    assert leaks(pickle.dumps(record), value, name) == []
    again = pickle.loads(pickle.dumps(record))  # noqa: S301 - our own
    assert again.token.reveal() == value
    odd = {**WHOAMI, "fullname": f"I paste {name}"}
    with serving(http(200, json.dumps(odd), Content_Type="application/json")) as server:
        identity = hubtoken.whoami(handed_over(value, server.endpoint))
    assert leaks(json.dumps(identity.to_dict()), name, value) == []
    assert leaks(pickle.dumps(identity), name, value) == []


def test_the_error_that_carries_a_trace_still_pickles() -> None:
    with pytest.raises(hubtoken.TokenNotFoundError) as caught:
        hubtoken.resolve_token()
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own
    assert again.trace == caught.value.trace
    assert again.trace.to_dict()["source"] is None
