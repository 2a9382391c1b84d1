"""`HubToken` cannot leak by accident, and is the real value where it must be used."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import io
import json
import logging
import pprint
import sys
import traceback
import types
import warnings
import weakref
from typing import TYPE_CHECKING, Any

import pytest

import hubtoken
from hubtoken import HubToken
from tests.environment import fake_token
from tests.python.helpers import handed_over, leaks

if TYPE_CHECKING:
    from collections.abc import Callable

ELSEWHERE = "https://evil.example/collect?code=hunter2#frag"


@pytest.fixture
def value() -> str:
    return fake_token()


@pytest.fixture
def token(value: str) -> HubToken:
    return handed_over(value)


def logged(token: HubToken) -> str:
    stream = io.StringIO()
    logger = logging.getLogger(f"tests.{token.fingerprint}")
    logger.propagate = False
    logger.addHandler(logging.StreamHandler(stream))
    logger.error("token %s", token)
    logger.error("token %r in %s", token, {"token": token})
    return stream.getvalue()


def fail_with(token: HubToken) -> None:
    headers = token.headers()
    revealed = [token.reveal(), token.bearer(), token.basic_auth()]
    raise LookupError(f"{token} {len(headers)} {len(revealed)}")


def traced(token: HubToken) -> str:
    try:
        fail_with(token)
    except LookupError as error:
        return "".join(
            traceback.TracebackException.from_exception(error, capture_locals=True).format()
        )
    raise AssertionError


def printed(token: HubToken) -> str:
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        print(token, [token], (token,))  # noqa: T201
        sys.displayhook(token)
    return stream.getvalue()


@dataclasses.dataclass
class Settings:
    """A class in which a program may store a token."""

    token: HubToken
    others: dict[str, HubToken]


SHOWN: dict[str, Callable[[HubToken], str]] = {
    "repr": repr,
    "str": str,
    "format": format,
    "format with a width": lambda token: format(token, ">80"),
    "f-string": lambda token: f"{token} {token!r} {token!s} {token!a} {token:.5}",
    "str.format": "{0} {0!r}".format,
    "%": lambda token: "%s %r" % (token, token),  # noqa: UP031
    "print": printed,
    "logging": logged,
    "traceback with locals": traced,
    "pprint": lambda token: pprint.pformat({"a": [token], "b": Settings(token, {"x": token})}),
    "asdict": lambda token: repr(dataclasses.asdict(Settings(token, {"x": token}))),
    "containers": lambda token: repr({"a": token, token: [token, {token}, (token,)]}),
    "namespace": lambda token: repr(types.SimpleNamespace(token=token)),
    "exception": lambda token: repr(ValueError(token)) + str(KeyError(token)),
}


@pytest.mark.parametrize("how", SHOWN)
def test_it_is_masked_wherever_it_is_shown(how: str, token: HubToken, value: str) -> None:
    text = SHOWN[how](token)
    assert leaks(text, value) == []
    assert f"hf_…{value[-4:]}" in text or f"hf_\\u2026{value[-4:]}" in text


def test_its_repr_names_mask_and_source(token: HubToken, value: str) -> None:
    assert repr(token) == str(token) == f"{token}" == f"HubToken(hf_…{value[-4:]}, source=argument)"


def test_json_refuses_it(token: HubToken, value: str) -> None:
    with pytest.raises(TypeError) as caught:
        json.dumps({"token": token})
    assert leaks(str(caught.value), value) == []


def test_it_has_no_dictionary(token: HubToken) -> None:
    with pytest.raises(TypeError):
        vars(token)
    assert not hasattr(token, "__dict__")


def test_no_public_attribute_but_the_methods_that_say_so_has_the_value(
    token: HubToken, value: str
) -> None:
    for name in dir(token):
        assert leaks(repr(getattr(token, name)), value) == [], name


def test_a_mask_cannot_travel_in_a_header(token: HubToken) -> None:
    assert "\u2026" in str(token)
    with pytest.raises(UnicodeEncodeError):
        str(token).encode("latin-1")


def test_reveal_gives_a_real_string_with_a_masked_repr(token: HubToken, value: str) -> None:
    revealed = token.reveal()
    assert isinstance(revealed, str)
    assert revealed == value
    assert f"{revealed}" == value
    for shown in (revealed, {"token": revealed}, [revealed], (revealed,), {revealed}):
        assert leaks(repr(shown), value) == []
    assert leaks(pprint.pformat({"token": revealed}), value) == []
    assert leaks(f"{revealed!r} {revealed!a}", value) == []


def test_headers_are_the_rfcs_and_masked_when_shown(token: HubToken, value: str) -> None:
    assert token.bearer() == f"Bearer {value}"
    assert token.headers() == {"Authorization": f"Bearer {value}"}
    assert token.headers("https://huggingface.co/api/whoami-v2?x=1") == token.headers()
    assert token.basic_auth() == ("hf_user", value)
    assert token.basic_auth("alice") == ("alice", value)
    assert leaks(repr([token.bearer(), token.headers(), token.basic_auth()]), value) == []


@pytest.mark.parametrize(
    "url",
    [
        ELSEWHERE,
        "http://huggingface.co/api?code=hunter2",
        "https://huggingface.co:8443/?code=hunter2",
        "https://huggingface.co.evil.example/?code=hunter2",
        "https://huggingface.co@evil.example/?code=hunter2",
        "https://user:hunter2@huggingface.co/",
        "//huggingface.co/hunter2",
        "hunter2",
        "",
    ],
)
def test_headers_for_another_server_are_refused(token: HubToken, value: str, url: str) -> None:
    with pytest.raises(hubtoken.UntrustedEndpointError) as caught:
        token.headers(url)
    message = str(caught.value)
    assert "hunter2" not in message
    assert "https://huggingface.co" in message
    assert leaks(message, value) == []


def test_environ_makes_a_child_send_this_token(
    token: HubToken, value: str, clean_environment: pytest.MonkeyPatch
) -> None:
    clean_environment.setenv("MARKER", "here")
    own = token.environ()
    assert (own["MARKER"], own["HF_TOKEN"], own["HF_ENDPOINT"]) == (
        "here",
        value,
        "https://huggingface.co",
    )
    assert leaks(repr(own), value) == []


def test_environ_drops_what_would_win_and_leaves_its_base_alone(
    token: HubToken, value: str
) -> None:
    base = {
        "PATH": "/bin",
        "HF_TOKEN": "other",
        "HF_OIDC_RESOURCE": "models/a/b",
        "HUGGINGFACE_CO_STAGING": "1",
    }
    before = dict(base)
    made = token.environ(base)
    assert token.fingerprint in made.pop("HUBTOKEN_TOKEN_ORIGIN")
    assert made == {
        "PATH": "/bin",
        "HF_TOKEN": value,
        "HF_ENDPOINT": "https://huggingface.co",
    }
    assert token.environ(base=base) == token.environ(base)
    assert base == before


def test_environ_names_the_staging_hub_instead_of_its_variable(
    clean_environment: pytest.MonkeyPatch,
) -> None:
    clean_environment.setenv("HUGGINGFACE_CO_STAGING", "1")
    clean_environment.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
    token = handed_over()
    assert token.endpoint == "https://hub-ci.huggingface.co"
    made = token.environ()
    assert made["HF_ENDPOINT"] == token.endpoint
    assert not {"HUGGINGFACE_CO_STAGING", "HF_HUB_DISABLE_IMPLICIT_TOKEN"} & made.keys()


def test_environ_takes_an_empty_base_at_its_word(token: HubToken) -> None:
    assert set(token.environ({})) == {"HF_TOKEN", "HF_ENDPOINT", "HUBTOKEN_TOKEN_ORIGIN"}


def test_equality_and_hash_are_the_values(token: HubToken, value: str) -> None:
    same, other = handed_over(f" {value}\n"), handed_over()
    assert token == same
    assert hash(token) == hash(same)
    assert token != other
    known = {token: 1}
    assert same in known
    assert other not in known
    assert len({token, same, other}) == 2


def test_it_is_no_string_and_equals_none(token: HubToken, value: str) -> None:
    assert str not in type(token).__mro__
    for foreign in (value, token.reveal(), str(token), value.encode(), None, 0):
        assert token != foreign
        assert foreign != token
    with pytest.raises(TypeError):
        "Bearer " + token  # type: ignore[operator]
    with pytest.raises(TypeError):
        sorted([token, token])  # type: ignore[type-var]


def test_copies_are_the_same_object(token: HubToken) -> None:
    assert copy.copy(token) is token
    assert copy.deepcopy(token) is token
    assert copy.deepcopy({"a": [token]})["a"][0] is token


def test_it_can_be_referenced_weakly() -> None:
    token = handed_over()
    reference = weakref.ref(token)
    assert reference() is token
    del token
    assert reference() is None


def test_it_is_closed(token: HubToken) -> None:
    with pytest.raises(TypeError):
        type("Loose", (HubToken,), {})
    with pytest.raises(TypeError):
        HubToken()  # type: ignore[call-arg]
    for name in ("source", "value", "__class__"):
        with pytest.raises((AttributeError, TypeError)):
            setattr(token, name, "x")
    with pytest.raises((AttributeError, TypeError)):
        del token.source


def class_as_seen_by(module: str | None, token: HubToken) -> dict[str, Any]:
    namespace: dict[str, Any] = {"token": token}
    if module is not None:
        namespace["__name__"] = module
    exec("found = token.__class__\nis_string = isinstance(token, str)", namespace)  # noqa: S102
    return namespace


@pytest.mark.parametrize("module", ["huggingface_hub", "huggingface_hub.utils._headers"])
def test_code_of_huggingface_hub_cannot_take_it_for_no_token(
    module: str, token: HubToken, value: str
) -> None:
    with pytest.raises(TypeError, match=r"token\.reveal\(\).*activate\(\)") as caught:
        class_as_seen_by(module, token)
    assert leaks(str(caught.value), value) == []


@pytest.mark.parametrize(
    "module",
    ["huggingface_hubs", "my.huggingface_hub", "huggingface_hub_x.y", "", "__main__", None],
)
def test_everybody_else_is_told_the_truth(module: str | None, token: HubToken) -> None:
    seen = class_as_seen_by(module, token)
    assert seen["found"] is HubToken
    assert seen["is_string"] is False
    assert isinstance(token, HubToken)


@pytest.mark.parametrize(
    ("prefix", "kind"),
    [
        ("hf_", "user-access"),
        ("api_", "user-access"),
        ("api_org_", "organization"),
        ("hf_oauth_", "oauth"),
        ("hf_jwt_", "jwt"),
        ("hf_app_", "app"),
        ("hf_s3_", "s3"),
        ("team-", "opaque"),
    ],
)
def test_its_prefix_tells_its_kind(prefix: str, kind: str) -> None:
    value = prefix + fake_token().removeprefix("hf_")
    token = handed_over(value)
    assert token.kind == kind
    assert leaks(repr(token), value) == []


def test_its_fingerprint_is_of_the_digest(token: HubToken, value: str) -> None:
    import hashlib

    assert token.fingerprint == hashlib.sha256(value.encode()).hexdigest()[:16]
    assert token.profile is None
    assert token.source == "argument"
    assert token.endpoint == "https://huggingface.co"


class Message:
    """What `requests` and `httpx` pass to `auth=`."""

    def __init__(self, url: object) -> None:
        self.url = url
        self.headers: dict[str, str] = {}


def test_as_auth_it_sets_the_header_for_its_own_hub_only(token: HubToken, value: str) -> None:
    own = Message("https://huggingface.co/api/models?x=1")
    assert token(own) is own
    assert own.headers == {"Authorization": f"Bearer {value}"}
    for url in (ELSEWHERE, "http://huggingface.co/", "", None, "https://cdn.huggingface.co/"):
        other = Message(url)
        with warnings.catch_warnings():
            # One is emitted for each server; see `test_auth_hosts.py`.
            warnings.simplefilter("ignore", hubtoken.HubTokenWarning)
            assert token(other) is other
        assert other.headers == {}


def test_a_child_sends_the_token_whatever_it_inherits() -> None:
    inherited = {"HF_HUB_DISABLE_IMPLICIT_TOKEN": "1", "HF_OIDC_RESOURCE": "acme/x", "PATH": "/bin"}
    environment = handed_over().environ(inherited)
    assert set(environment) == {"HF_TOKEN", "HF_ENDPOINT", "HUBTOKEN_TOKEN_ORIGIN", "PATH"}
