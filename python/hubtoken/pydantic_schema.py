"""The pydantic schemas of ``HubToken`` and of the records, such as ``Identity``.

pydantic asks a class for its schema when it builds a model that uses it, and only then is this
module imported: hubtoken itself does not need pydantic.

An error of pydantic shows the input of the validator that failed. A token is therefore read in two
steps. The first one never fails: for a bad value it returns a text that says only that it is
hidden. The second one fails with that text as its input. Validators around these two, such as those
of another member of a union or of the whole model, have inputs of their own, which only
``hide_input_in_errors`` and ``errors(include_input=False)`` hide.

Where a schema does not say what a value is (``Any``, ``serialize_as_any``), pydantic asks the value
for its serializer, as it does for a model in such a place.
"""

from typing import Annotated, Any

from pydantic import (
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    GetPydanticSchema,
    SerializationInfo,
    TypeAdapter,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import PydanticCustomError, SchemaSerializer, core_schema
from typing_extensions import Self

from hubtoken import HubToken
from hubtoken._core import token_mask
from hubtoken.errors import TokenFormatError

__all__ = ["record_schema", "serializer", "token_schema"]

_HIDDEN = "<hidden>"
_PASSWORD = {"type": "string", "format": "password", "writeOnly": True}
# What `_written` returns: the token in Python, as it is, and a text or nothing in JSON. `Any` would
# ask the token for its serializer again.
_WRITTEN: Any = Annotated[
    object,
    GetPydanticSchema(
        lambda _source, _handler: core_schema.any_schema(
            serialization=core_schema.to_string_ser_schema(when_used="json-unless-none")
        )
    ),
    WithJsonSchema(_PASSWORD),
]

_Time: Any = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
# The attributes of each record: their types, the name of a record, or a list of such records.
_FIELDS: dict[str, dict[str, Any]] = {
    "Identity": {
        "endpoint": str,
        "user": str,
        "type": str,
        "full_name": str | None,
        "email": str | None,
        "is_pro": bool | None,
        "organizations": ["Organization"],
        "authentication": str | None,
        "token_name": str | None,
        "role": str | None,
        "created_at": _Time | None,
        "expires_at": _Time | None,
        "scopes": ["Scope"],
        "global_permissions": list[str],
        "can_read_gated_repos": bool,
    },
    "Organization": {
        "name": str,
        "full_name": str | None,
        "role_in_org": str | None,
        "security_restrictions": list[str],
        "has_resource_groups": bool,
    },
    "Scope": {
        "entity_type": str | None,
        "entity_name": str | None,
        "permissions": list[str],
    },
    "Verdict": {
        "outcome": str,
        "reason": str,
        "required": str,
        "actual": str | None,
        "target": str | None,
        "remedy_url": str | None,
    },
    "StoredToken": {
        "name": str,
        "token": str,
        "fingerprint": str,
        "endpoint": str,
        "user": str | None,
        "role": str | None,
        "created_at": _Time | None,
        "expires_at": _Time | None,
        "active": bool,
        "selected": bool,
        "verified": bool | None,
        "keyring": bool,
    },
    "Trace": {
        "steps": ["TraceStep"],
        "source": str | None,
        "endpoint": str | None,
        "warnings": list[str],
    },
    "TraceStep": {
        "source": str,
        "answer": str,
        "mask": str | None,
        "detail": str,
    },
    "RevokedToken": {
        "token": str,
        "fingerprint": str,
        "state": str,
        "reason": str | None,
    },
    "ServiceAccount": {
        "id": str,
        "user": str,
        "name": str,
        "description": str | None,
        "created_at": _Time | None,
        "tokens": (["ServiceAccountToken"],),
    },
    "ServiceAccountToken": {
        "id": str,
        "name": str,
        "created_at": _Time | None,
        "last_used_at": _Time | None,
        "expires_at": _Time | None,
        "permissions": list[str],
        "repo_ids": list[str],
        "repo_permissions": list[str],
        "endpoint_patterns": list[str],
        "last4": str | None,
        "skip_network_security": bool,
    },
    "Login": {
        "id": str,
        "client_id": str,
        "client": str,
        "scopes": list[str],
        "created_at": _Time,
        "last_used_at": _Time | None,
        "expires_at": _Time | None,
    },
    "TokenInfo": {
        "id": str,
        "name": str,
        "role": str,
        "last4": str,
        "created_at": _Time,
        "last_used_at": _Time | None,
        "expires_at": _Time | None,
        "inference_requests": int,
    },
    "Approval": {
        "user": str,
        "token": "TokenInfo",
        "status": str,
        "asked_at": _Time,
        "decided_at": _Time | None,
        "decided_by": str | None,
    },
    "Publisher": {
        "id": str,
        "resource": str,
        "user": str,
        "issuer": str,
        "claims": dict[str, str],
        "has_keys": bool,
        "created_at": _Time,
        "last_used_at": _Time | None,
    },
    "AuditEntry": {
        "id": int,
        "at": _Time,
        "act": str,
        "actor": str,
        "actor_name": str | None,
        "actor_token": str | None,
        "address": str | None,
        "user": str | None,
        "organization": str | None,
        "token_id": str | None,
        "token_name": str | None,
        "last4": str | None,
        "repository": str | None,
        "detail": str | None,
    },
}


_serializers: dict[type, SchemaSerializer] = {}


class _Refused(str):
    """The input that an error shows in place of a bad value, with the reason."""

    __slots__ = ("reason",)
    reason: str

    def __new__(cls, reason: str) -> Self:
        """The text is the same for every value."""
        refused = super().__new__(cls, _HIDDEN)
        refused.reason = reason
        return refused


def _read(value: object) -> "HubToken | _Refused":
    try:
        return HubToken(value)  # type: ignore[arg-type]
    except (TokenFormatError, TypeError) as error:
        return _Refused(str(error))


def _accept(token: "HubToken | _Refused") -> HubToken:
    if isinstance(token, _Refused):
        raise PydanticCustomError("hub_token", "{reason}", {"reason": token.reason})
    return token


def _written(token: object, info: SerializationInfo) -> object:
    """The token itself for Python, and its mask for JSON.

    A model also holds what it did not validate: a default, or what ``model_construct`` was given.
    """
    if token is None:
        return None
    if not isinstance(token, HubToken):
        return _HIDDEN
    return token_mask(token) if info.mode_is_json() else token


def token_schema(handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
    """The schema of a ``HubToken``.

    Args:
        handler: pydantic's.

    Returns:
        A schema that takes a ``str``, a ``HubToken``, or an object such as ``SecretStr``, and that
        is written to JSON as the mask.
    """
    text = handler.generate_schema(Annotated[str, WithJsonSchema(_PASSWORD)])
    return core_schema.chain_schema(
        [
            core_schema.no_info_plain_validator_function(_read, json_schema_input_schema=text),
            core_schema.no_info_plain_validator_function(_accept),
        ],
        serialization=core_schema.plain_serializer_function_ser_schema(
            _written,
            info_arg=True,
            return_schema=handler.generate_schema(_WRITTEN),
        ),
    )


def record_schema(record: type, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
    """The schema of a record, such as ``Identity``.

    A record is what the Hub or this machine answered, so no text from elsewhere becomes one: only
    the object itself is valid.

    Args:
        record: The class.
        handler: pydantic's.

    Returns:
        A schema that takes an object of the class, and that is written as its ``to_dict()``, or as
        the part of it that ``include`` and ``exclude`` select.
    """
    name = record.__name__
    shape = _shape(name, handler)
    fields = SchemaSerializer(shape)

    def refuse(_: object) -> object:
        raise PydanticCustomError("hubtoken_record", f"{name} cannot be read from JSON")

    def written(value: object, info: SerializationInfo) -> object:
        if not isinstance(value, record):
            # A default that was not validated, such as `None`: pydantic writes it, and warns.
            return value
        # pydantic writes the result of a function as a whole, so its parts are selected here.
        selected: dict[str, Any] = {
            "include": info.include,
            "exclude": info.exclude,
            "exclude_none": info.exclude_none,
        }
        return fields.to_python(value.to_dict(), **selected)  # type: ignore[attr-defined]

    return core_schema.json_or_python_schema(
        json_schema=core_schema.no_info_plain_validator_function(
            refuse, json_schema_input_schema=shape
        ),
        python_schema=core_schema.is_instance_schema(record),
        serialization=core_schema.plain_serializer_function_ser_schema(
            written,
            info_arg=True,
            return_schema=handler.generate_schema(Annotated[dict[str, Any], _DescribedAs(shape)]),
        ),
    )


class _DescribedAs:
    """Describes a type in JSON schemas as another one, of which it may lack some fields."""

    def __init__(self, schema: core_schema.CoreSchema) -> None:
        self._schema = schema

    def __get_pydantic_json_schema__(
        self, _schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """As pydantic asks for it."""
        return handler(self._schema)


def serializer(kind: type) -> SchemaSerializer:
    """The serializer of a value whose type the schema around it does not say.

    Args:
        kind: ``HubToken``, or the class of a record.

    Returns:
        pydantic's.
    """
    made = _serializers.get(kind)
    if made is None:
        made = _serializers.setdefault(kind, TypeAdapter(kind).serializer)
    return made


def _shape(name: str, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
    """The schema of what ``to_dict()`` returns."""
    return core_schema.typed_dict_schema(
        {
            field: core_schema.typed_dict_field(_field(kind, handler))
            for field, kind in _FIELDS[name].items()
        },
        cls_name=name,
        config={"title": name},
    )


def _field(kind: object, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
    if isinstance(kind, str):
        return _shape(kind, handler)
    if isinstance(kind, tuple):
        return core_schema.nullable_schema(_field(kind[0], handler))
    if isinstance(kind, list):
        return core_schema.list_schema(_shape(kind[0], handler))
    return handler.generate_schema(kind)
