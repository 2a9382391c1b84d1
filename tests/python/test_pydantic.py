"""`HubToken` and the records as fields of pydantic models: no text of theirs holds the value."""

from __future__ import annotations

import copy
import json
import pickle
import re
import subprocess
import sys
import typing
from typing import TYPE_CHECKING, Annotated, Any, Literal, Optional

import pydantic
import pydantic_core
import pytest
import yaml
from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    SecretBytes,
    SecretStr,
    TypeAdapter,
    ValidationError,
    field_serializer,
)

import hubtoken
from hubtoken import HubToken
from tests.environment import child_environment, fake_token
from tests.python.helpers import ROOT, handed_over, leaks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# None can be a token, and each contains a part that must not be shown.
BAD: tuple[Any, ...] = (
    "hf_****MySecret",
    "<MySecretPlaceholder>",
    "MySecret with space",
    "MySecret\udcff",
    "MySecret{reason}\n",
    "",
    b"hf_MySecret",
    ["hf_MySecret"],
    {"hf_MySecret": 1},
    {"hf_MySecret"},
    SecretStr("MySecret with space"),
    SecretBytes(b"hf_MySecret"),
    7,
    1.5,
    True,
    None,
    str,
    SecretStr,
)


class Settings(BaseModel):
    """One of each place where a token can be."""

    token: HubToken
    # In both spellings: models are older than `|`.
    maybe: Optional[HubToken] = None  # noqa: UP045 - see above
    other: HubToken | None = None
    many: list[HubToken] = []
    by_name: dict[str, HubToken] = {}


@pydantic.dataclasses.dataclass
class Converted:
    """A data class of pydantic."""

    token: HubToken


class Frozen(BaseModel):
    """A model that can be hashed."""

    model_config = ConfigDict(frozen=True, strict=True)
    token: HubToken


def full(value: str) -> Settings:
    return Settings.model_validate(
        {"token": value, "maybe": value, "other": value, "many": [value], "by_name": {"ci": value}}
    )


def shown(error: ValidationError) -> str:
    """Everything that an error shows of itself."""
    return "\n".join(
        [
            str(error),
            repr(error),
            str(error.errors()),
            repr(error.args),
            str(error.__cause__) + str(error.__context__),
            error.json(),
            error.json(include_input=True, include_context=True),
        ]
    )


def test_text_tokens_and_secrets_become_tokens() -> None:
    value = fake_token()
    token = handed_over(value)
    for given in (value, f" {value}\n", token, SecretStr(value), token.reveal()):
        model = Settings(token=given)  # type: ignore[arg-type]
        assert isinstance(model.token, HubToken)
        assert model.token == token
        assert model.token.source == "argument"
    assert Settings(token=token).token is token
    stored = HubToken(value, endpoint="https://hub.example")
    assert Settings(token=stored).token.endpoint == "https://hub.example"


@pytest.mark.parametrize(
    "read",
    [
        lambda value: Settings.model_validate({"token": value}),
        lambda value: Settings.model_validate({"token": value}, strict=True),
        lambda value: Settings.model_validate_json(json.dumps({"token": value})),
        lambda value: Settings.model_validate_json(json.dumps({"token": value}), strict=True),
        lambda value: Settings.model_validate_strings({"token": value}),
        lambda value: Frozen(token=value),
        Converted,
        lambda value: TypeAdapter(Converted).validate_json(json.dumps({"token": value})),
    ],
    ids=["python", "strict", "json", "strict json", "strings", "frozen", "dataclass", "adapter"],
)
def test_every_way_in(read: Callable[[Any], Any]) -> None:
    value = fake_token()
    model = read(value)
    assert model.token.reveal() == value
    assert leaks(f"{model} {model!r}", value) == []


def test_a_type_adapter_and_a_checked_call_take_it_too() -> None:
    value = fake_token()

    @pydantic.validate_call
    def reveal(token: HubToken, *more: HubToken) -> list[str]:
        return [one.reveal() for one in (token, *more)]

    assert reveal(value, value) == [value, value]  # type: ignore[arg-type]
    assert TypeAdapter(HubToken).validate_python(value).reveal() == value
    assert TypeAdapter(tuple[HubToken, int]).validate_json(json.dumps([value, 1]))[0] == HubToken(
        value
    )
    assert RootModel[HubToken](value).root.reveal() == value  # type: ignore[arg-type]


@pytest.mark.parametrize("value", BAD, ids=repr)
def test_an_error_of_the_field_never_shows_the_value(value: Any) -> None:
    for read in (
        lambda: Settings(token=value),
        lambda: Settings(token=handed_over(), many=[value], by_name={"ci": value}),
        lambda: TypeAdapter(HubToken).validate_python(value, strict=True),
        lambda: TypeAdapter(list[Annotated[HubToken, Field(title="x")]]).validate_python([value]),
        lambda: Converted(value),
        lambda: Frozen(token=value),
    ):
        with pytest.raises(ValidationError) as caught:
            read()
        assert "MySecret" not in shown(caught.value)
        for error in caught.value.errors():
            assert error["type"] == "hub_token"
            assert error["input"] == "<hidden>"
            assert error["msg"]


@pytest.mark.parametrize("value", [bad for bad in BAD if isinstance(bad, str) and bad.isascii()])
def test_an_error_of_json_input_does_not_either(value: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate_json(json.dumps({"token": value}))
    assert "MySecret" not in shown(caught.value)


def test_the_mask_is_no_token() -> None:
    dumped = Settings(token=handed_over()).model_dump_json()
    with pytest.raises(ValidationError, match="masked token"):
        Settings.model_validate_json(dumped)


def test_what_is_no_fault_of_the_value_is_an_error_of_its_own(
    clean_environment: pytest.MonkeyPatch,
) -> None:
    clean_environment.setenv("HF_ENDPOINT", "http://hub.example")
    value = fake_token()
    with pytest.raises(hubtoken.UntrustedEndpointError) as caught:
        Settings(token=value)  # type: ignore[arg-type]
    assert leaks(str(caught.value), value) == []


def test_python_keeps_the_token_and_json_has_the_mask() -> None:
    value = fake_token()
    model, mask = full(value), f"hf_…{value[-4:]}"
    dumped = model.model_dump()
    assert dumped["token"] is model.token
    assert Settings(**dumped) == model
    expected = {
        "token": mask,
        "maybe": mask,
        "other": mask,
        "many": [mask],
        "by_name": {"ci": mask},
    }
    assert model.model_dump(mode="json") == expected
    assert json.loads(model.model_dump_json()) == expected
    assert yaml.safe_load(yaml.safe_dump(model.model_dump(mode="json"))) == expected
    adapter = TypeAdapter(dict[HubToken, int])
    assert json.loads(adapter.dump_json({model.token: 1})) == {mask: 1}
    assert leaks(f"{model}{model!r}{dumped}{list(model)}", value) == []
    for refused in (json.dumps, yaml.safe_dump):
        with pytest.raises((TypeError, yaml.YAMLError)) as caught:
            refused(dumped)
        assert leaks(str(caught.value), value) == []


def test_where_no_schema_says_so_json_has_the_mask_as_well() -> None:
    value = fake_token()
    mask = f"hf_…{value[-4:]}"
    model = Settings(token=handed_over(value), by_name={"ci": handed_over(value)})
    others: dict[str, Any] = {"maybe": None, "other": None, "many": []}
    expected = {"token": mask, **others, "by_name": {"ci": mask}}
    assert json.loads(model.model_dump_json(serialize_as_any=True)) == expected
    assert model.model_dump(mode="json", serialize_as_any=True) == expected
    assert model.model_dump(serialize_as_any=True) == model.model_dump()
    assert model.model_dump()["token"] is model.token

    anything: Any = TypeAdapter(object)
    assert json.loads(anything.dump_json([model.token, {"a": model.token}])) == [mask, {"a": mask}]
    assert anything.dump_python(model.token) is model.token
    assert leaks(anything.dump_json({model.token: 1}), value) == []
    assert pydantic_core.to_jsonable_python(model.token) == mask


def test_what_was_not_validated_is_hidden_as_well() -> None:
    class Careless(BaseModel):
        token: HubToken = Field(default="hf_MySecret")  # type: ignore[assignment]

    for model in (Careless(), Careless.model_construct(token="hf_MySecret")):
        assert model.model_dump() == {"token": "<hidden>"}
        assert json.loads(model.model_dump_json()) == {"token": "<hidden>"}
    assert Careless.model_construct(token=None).model_dump() == {"token": None}


def test_a_default_is_validated_where_that_is_asked_for() -> None:
    value = fake_token()

    class Checked(BaseModel):
        model_config = ConfigDict(validate_default=True, validate_assignment=True)
        token: HubToken = Field(default=value)  # type: ignore[assignment]
        made: HubToken = Field(default_factory=lambda: HubToken(value))

    model = Checked()
    assert model.token.reveal() == model.made.reveal() == value
    with pytest.raises(ValidationError) as caught:
        model.token = "MySecret with space"  # type: ignore[assignment]
    assert "MySecret" not in shown(caught.value)
    assert model.token.reveal() == value


@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_the_json_schema_is_that_of_a_password(
    mode: Literal["validation", "serialization"],
) -> None:
    value = fake_token()

    class WithDefault(Settings):
        default: HubToken = HubToken(value)

    password = {"type": "string", "format": "password", "writeOnly": True}
    assert TypeAdapter(HubToken).json_schema(mode=mode) == password
    schema = WithDefault.model_json_schema(mode=mode)
    assert schema["properties"]["token"] == {"title": "Token", **password}
    assert schema["properties"]["maybe"]["anyOf"] == [password, {"type": "null"}]
    assert schema["properties"]["many"]["items"] == password
    assert schema["properties"]["default"]["default"] == f"hf_…{value[-4:]}"
    assert leaks(json.dumps(schema), value) == []


def test_models_are_compared_copied_and_pickled() -> None:
    value = fake_token()
    model = full(value)
    assert model == full(value)
    assert model != full(fake_token())
    for again in (
        model.model_copy(),
        model.model_copy(deep=True),
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),  # noqa: S301 - our own
    ):
        assert again == model
        assert again.token.reveal() == value
    assert leaks(pickle.dumps(model), value) == []
    frozen = Frozen(token=handed_over(value))
    assert {frozen: 1}[Frozen(token=handed_over(value))] == 1


def test_unions_prefer_the_token_and_leave_the_rest_to_the_others() -> None:
    value = fake_token()
    first: Any = TypeAdapter(typing.Union[HubToken, str])  # noqa: UP007 - both spellings
    assert first.validate_python(value) == HubToken(value)
    like_the_hub: Any = TypeAdapter(HubToken | bool | None)
    assert like_the_hub.validate_python(value) == HubToken(value)
    assert like_the_hub.validate_python(True) is True
    assert like_the_hub.validate_python(None) is None
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(HubToken | None).validate_python("MySecret with space")
    assert "MySecret" not in shown(caught.value)
    for adapter, token in ((first, HubToken(value)), (like_the_hub, HubToken(value))):
        assert leaks(adapter.dump_json(token), value) == []


def test_validators_and_serializers_of_the_model_get_the_token() -> None:
    value = fake_token()

    class Own(BaseModel):
        token: Annotated[HubToken, Field(validation_alias=AliasChoices("HF_TOKEN", "token"))]

        @pydantic.field_validator("token")
        @classmethod
        def is_token(cls, token: HubToken) -> HubToken:
            assert token.kind == "user-access"
            return token

        @field_serializer("token")
        def shorten(self, token: HubToken) -> str:
            return token.fingerprint

    # As pydantic-settings reads variables.
    model = Own.model_validate({"HF_TOKEN": value})
    assert model.model_dump() == {"token": HubToken(value).fingerprint}


def test_the_errors_of_siblings_are_hidden_as_documented() -> None:
    value = fake_token()

    class Hiding(BaseModel):
        model_config = ConfigDict(hide_input_in_errors=True)
        token: HubToken
        port: int

    with pytest.raises(ValidationError) as caught:
        Hiding.model_validate({"token": value})
    assert leaks(f"{caught.value} {caught.value!r}", value) == []
    assert leaks(str(caught.value.errors(include_input=False)), value) == []
    assert leaks(caught.value.json(include_input=False), value) == []


def test_hubtoken_does_not_import_pydantic(home: Path) -> None:
    program = (
        "import sys, hubtoken\n"
        "token = hubtoken.HubToken('hf_FakeFakeFakeFakeFakeFakeFakeFakeXX')\n"
        "asked = hasattr(token, '__pydantic_serializer__')\n"
        "print(asked or 'pydantic' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=child_environment(home),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == "False"


def test_the_key_of_a_dictionary_is_shown_as_documented() -> None:
    adapter: Any = TypeAdapter(dict[HubToken, int])
    with pytest.raises(ValidationError) as caught:
        adapter.validate_python({"MySecret with space": 1})
    (error,) = caught.value.errors(include_input=False)
    # pydantic's own: the key is where in the input the error is.
    assert error["loc"] == ("MySecret with space", "[key]")
    assert "the key of a dictionary" in (ROOT / "docs" / "models.md").read_text(encoding="utf-8")


def test_the_pages_code_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    codes = re.findall(r"```python\n(.+?)```", page, re.DOTALL)
    assert len(codes) == 2
    for code in codes:
        exec(code, {"__name__": "page"})  # noqa: S102 - the page's own code
        said = capsys.readouterr().out
        for comment in re.findall(r"  # (.+)", code):
            assert comment in said
