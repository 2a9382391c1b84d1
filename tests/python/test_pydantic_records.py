"""Records as fields of pydantic models, and as what routes of FastAPI return."""

from __future__ import annotations

import asyncio
import copy
import json
import warnings
from typing import TYPE_CHECKING, Annotated, Any

import httpx
import pydantic
import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

import hubtoken
from hubtoken import HubToken, Identity, Organization, Scope, Trace, Verdict
from hubtoken.hub import Approval, AuditEntry, Hub, Login, Publisher, TokenInfo
from tests.environment import fake_token
from tests.python.code_login import code_login
from tests.python.helpers import leaks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Settings(BaseModel):
    """The body of a request."""

    token: HubToken
    many: list[HubToken] = []


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with Hub() as hub:
        hub.create_user("alice")
        hub.create_organization("acme")
        hub.set_member("acme", "alice", "write")
        hub.create_organization("labs")
        hub.set_member("labs", "alice", "admin")
        yield hub


@pytest.fixture
def token(hub: Hub) -> HubToken:
    return hub.create_token(
        "alice", name="fine", role="fine-grained", scopes={"alice": ["repo.content.read"]}
    )


@pytest.fixture
def identity(token: HubToken) -> Identity:
    return hubtoken.whoami(token)


def test_records_are_fields_of_models(hub: Hub, token: HubToken, identity: Identity) -> None:
    [*_, info] = hub.list_tokens("alice")
    made: list[tuple[type[Any], Any]] = [
        (Identity, identity),
        (Organization, identity.organizations[0]),
        (Scope, identity.scopes[0]),
        (Verdict, hubtoken.authorize(identity, "read", repo="alice/x")),
        (Trace, hubtoken.explain(token)),
        (hubtoken.TraceStep, hubtoken.explain(token).steps[0]),
        (TokenInfo, info),
        (Approval, hub.revoke_token("acme", info.id)),
        (AuditEntry, hub.audit()[0]),
        (
            Publisher,
            hub.create_publisher("alice", issuer="https://ci.example", claims={"sub": "a"}),
        ),
    ]
    code_login(hub, "alice")
    administrator = hub.create_token("alice", name="accounts", role="write")
    accounts = hubtoken.service_accounts("labs", administrator)
    accounts.create_token(accounts.create("first"), "first", permissions=["repo.write"])
    account = accounts.get("first")
    [account_token] = account.tokens or []
    made += [
        (Login, hub.list_logins("alice")[0]),
        (hubtoken.ServiceAccount, account),
        (hubtoken.ServiceAccount, accounts.list()[0]),
        (hubtoken.ServiceAccountToken, account_token),
        (hubtoken.RevokedToken, hubtoken.revoke(administrator)[0]),
    ]
    public = [getattr(place, name) for place in (hubtoken, hubtoken.hub) for name in place.__all__]
    records = {each for each in public if isinstance(each, type) and hasattr(each, "to_dict")}
    # A stored token has a test of its own.
    assert records - {kind for kind, _ in made} == {hubtoken.StoredToken}
    hub.approve_token("acme", info.id)
    for kind, record in made:
        model: Any = pydantic.create_model("Model", record=(kind, ...), many=(list[kind], ...))  # type: ignore[valid-type]
        held = model(record=record, many=[record])
        assert held.record is record
        expected = {"record": record.to_dict(), "many": [record.to_dict()]}
        assert held.model_dump() == held.model_dump(mode="json") == expected
        assert json.loads(held.model_dump_json()) == expected
        assert held == model(record=copy.copy(record), many=[record])
        for mode in ("validation", "serialization"):
            schema = model.model_json_schema(mode=mode)["properties"]["record"]
            assert sorted(schema["properties"]) == sorted(record.to_dict())
            assert schema["required"] == list(record.to_dict())
            assert schema["title"] in {kind.__name__, "Record"}
        for foreign in (record.to_dict(), None, "text"):
            with pytest.raises(ValidationError, match=f"instance of {kind.__name__}"):
                model(record=foreign, many=[])
        # What the Hub said is not taken from a client.
        with pytest.raises(ValidationError, match=f"{kind.__name__} cannot be read from JSON"):
            model.model_validate_json(held.model_dump_json())


class Report(BaseModel):
    """Records in places of several kinds."""

    who: Identity
    many: list[Identity] = []
    either: Organization | Identity | None = None
    anything: Any = None


@pytest.fixture
def report(identity: Identity) -> Report:
    return Report(who=identity, many=[identity] * 2, either=identity, anything=[identity])


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ({"include": {"who": {"user"}}}, {"who": {"user": "alice"}}),
        ({"include": {"who": {"user": True, "role": ...}}}, {"who": {"user", "role"}}),
        ({"include": {"either": {"user"}}}, {"either": {"user": "alice"}}),
        ({"include": {"anything": {0: {"user"}}}}, {"anything": [{"user": "alice"}]}),
        ({"include": {"many": {-1: {"user": True}}}}, {"many": [{"user": "alice"}]}),
        (
            {"include": {"many": {"__all__": {"user", "email"}}}, "exclude_none": True},
            {"many": [{"user": "alice"}] * 2},
        ),
        (
            {"include": {"who": {"organizations": {0: {"name", "full_name"}}}}},
            {"who": {"organizations": [{"name": "acme", "full_name": "acme"}]}},
        ),
        (
            {"include": {"who": {"scopes"}}, "exclude": {"who": {"scopes": {0: {"entity_name"}}}}},
            {"who": {"scopes": [{"entity_type": "user", "permissions": ["repo.content.read"]}]}},
        ),
    ],
)
def test_include_and_exclude_select_parts_of_a_record(
    selection: dict[str, Any], expected: dict[str, Any], report: Report
) -> None:
    for as_any in (False, True):
        options = selection | {"serialize_as_any": as_any}
        dumped = report.model_dump(**options)
        assert dumped == report.model_dump(mode="json", **options)
        assert dumped == json.loads(report.model_dump_json(**options))
        if isinstance(expected.get("who"), set):
            assert set(dumped["who"]) == expected["who"]
        else:
            assert dumped == expected


def test_an_excluded_attribute_is_sent_nowhere(report: Report, identity: Identity) -> None:
    hidden = {"email", "endpoint"}
    within: dict[str, Any] = {"who": hidden, "many": {"__all__": hidden}, "either": hidden}
    dumped = report.model_dump(exclude=within | {"anything": {0: hidden}})
    rest = {name: value for name, value in identity.to_dict().items() if name not in hidden}
    assert dumped == {"who": rest, "many": [rest] * 2, "either": rest, "anything": [rest]}
    adapter = TypeAdapter(Identity)
    assert adapter.dump_python(identity, exclude=hidden) == rest
    assert json.loads(adapter.dump_json(identity, exclude=hidden)) == rest


def test_where_no_schema_says_so_a_record_is_written_as_well(report: Report) -> None:
    whole = report.who.to_dict()
    anything: Any = TypeAdapter(object)
    assert json.loads(anything.dump_json(report.who)) == whole
    assert anything.dump_python([report.who]) == [whole]
    expected = {"who": whole, "many": [whole] * 2, "either": whole, "anything": [whole]}
    assert report.model_dump() == report.model_dump(serialize_as_any=True) == expected
    assert json.loads(report.model_dump_json(serialize_as_any=True)) == expected


@pytest.mark.parametrize("missing", [None, "text"])
def test_what_was_not_validated_is_written_as_pydantic_does(missing: Any) -> None:
    class Lazy(BaseModel):
        who: Identity = missing

    # pydantic warns of whatever is not what the field says, in any model.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert Lazy().model_dump() == json.loads(Lazy().model_dump_json()) == {"who": missing}


def test_a_stored_token_is_a_field_too(home: Path) -> None:
    value = fake_token()
    folder = home / "huggingface"
    folder.mkdir()
    (folder / "stored_tokens").write_text(f"[ci]\nhf_token = {value}\n")
    [stored] = hubtoken.stored_tokens()
    adapter = TypeAdapter(hubtoken.StoredToken)
    assert adapter.validate_python(stored) is stored
    dumped = adapter.dump_json(stored)
    assert json.loads(dumped) == stored.to_dict()
    assert stored.to_dict()["token"] == f"hf_…{value[-4:]}"
    assert leaks(dumped, value) == []


def test_times_are_described_as_such() -> None:
    schema = TypeAdapter(Identity).json_schema()["properties"]
    time = {"type": "string", "format": "date-time"}
    assert schema["created_at"]["anyOf"] == [time, {"type": "null"}]


async def _ask(app: Any, method: str, path: str, **options: Any) -> httpx.Response:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.request(method, path, **options)


def ask(app: Any, path: str, method: str = "GET", **options: Any) -> httpx.Response:
    return asyncio.run(_ask(app, method, path, **options))


def test_a_route_returns_an_identity(identity: Identity, token: HubToken) -> None:
    fastapi = pytest.importorskip("fastapi")
    app = fastapi.FastAPI()

    def annotated() -> Identity:
        return identity

    def listed() -> list[Identity] | None:
        return [identity]

    def bare() -> Any:
        return identity

    def nested() -> Any:
        return {"trace": hubtoken.explain(token), "identities": [identity]}

    # The annotations of functions inside functions cannot be found by their text.
    annotated.__annotations__["return"] = Identity
    listed.__annotations__["return"] = list[Identity] | None
    del bare.__annotations__["return"]
    del nested.__annotations__["return"]
    for route in (annotated, listed, bare, nested):
        app.get(f"/{route.__name__}")(route)
    app.get("/short", response_model=Identity, response_model_exclude_none=True)(bare)
    app.get("/user", response_model=Identity, response_model_include={"user"})(bare)
    app.get("/less", response_model=Identity, response_model_exclude={"email", "endpoint"})(bare)

    expected = identity.to_dict()
    assert ask(app, "/annotated").json() == expected
    assert ask(app, "/listed").json() == [expected]
    assert ask(app, "/bare").json() == expected
    assert ask(app, "/nested").json() == {
        "trace": hubtoken.explain(token).to_dict(),
        "identities": [expected],
    }
    assert "email" not in ask(app, "/short").json()
    assert ask(app, "/user").json() == {"user": "alice"}
    assert sorted(expected) == sorted([*ask(app, "/less").json(), "email", "endpoint"])
    document = ask(app, "/openapi.json").json()
    content = document["paths"]["/annotated"]["get"]["responses"]["200"]["content"]
    schema = content["application/json"]["schema"]
    assert schema["properties"]["user"]["type"] == "string"
    assert fastapi.encoders.jsonable_encoder({"a": [identity]}) == {"a": [expected]}


def test_a_route_takes_a_token_and_its_errors_do_not_echo_it() -> None:
    fastapi = pytest.importorskip("fastapi")
    app = fastapi.FastAPI()
    value = fake_token()

    def header(token: Any) -> str:
        return str(token.fingerprint)

    header.__annotations__["token"] = Annotated[HubToken, fastapi.Header(alias="X-Token")]

    def body(settings: Settings) -> Settings:
        return settings

    body.__annotations__.update({"settings": Settings, "return": Settings})
    app.get("/header")(header)
    app.post("/body")(body)

    assert ask(app, "/header", headers={"X-Token": value}).json() == HubToken(value).fingerprint
    answer = ask(app, "/body", "POST", json={"token": value, "many": [value]})
    assert answer.json()["many"] == [f"hf_…{value[-4:]}"]
    assert leaks(answer.content, value) == []
    for answer in (
        ask(app, "/header", headers={"X-Token": "MySecret with space"}),
        ask(app, "/body", "POST", json={"token": "<MySecretPlaceholder>"}),
        ask(app, "/body", "POST", json={"token": ["hf_MySecret"]}),
    ):
        assert answer.status_code == 422
        assert "MySecret" not in answer.text
        assert "hub_token" in answer.text
    text = ask(app, "/openapi.json").text
    assert '"format":"password"' in text
