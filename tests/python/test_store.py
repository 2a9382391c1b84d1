"""Named tokens in Python: `login`, `logout`, `switch_token`, `rename_token`, `stored_tokens`."""

from __future__ import annotations

import datetime as dt
import json
import pickle
import socket
from typing import TYPE_CHECKING

import pytest

import hubtoken
from tests.environment import fake_token
from tests.python.helpers import handed_over, leaks
from tests.python.servers import Request, http, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.python.servers import Server

CREATED, EXPIRES = "2024-01-02T03:04:05.000Z", "2199-12-31T00:00:00.000Z"


class Site:
    """A Hub that knows some tokens, with the name and the account of each."""

    def __init__(self) -> None:
        """No token is known yet."""
        self.known: dict[str, dict[str, object]] = {}
        self.server: Server

    def token(self, name: str | None = "ci", user: str = "alice", **more: object) -> str:
        """A new token; one without a name is an OAuth token."""
        value = fake_token()
        access = {"displayName": name, "role": "write", "createdAt": CREATED, **more}
        auth = (
            {"type": "oauth"}
            if name is None
            else {"type": "access_token", "accessToken": access, "expiresAt": EXPIRES}
        )
        self.known[value] = {"type": "user", "name": user, "auth": auth}
        return value

    def answer(self, request: Request) -> bytes:
        """The whoami response."""
        value = (request.authorization or "").removeprefix("Bearer ")
        if value not in self.known:
            return http(401, '{"error":"Invalid user token."}')
        return http(200, json.dumps(self.known[value]), Content_Type="application/json")


@pytest.fixture
def site(clean_environment: pytest.MonkeyPatch) -> Iterator[Site]:
    """The Hub that `HF_ENDPOINT` names."""
    site = Site()
    with serving(site.answer) as server:
        site.server = server
        clean_environment.setenv("HF_ENDPOINT", server.endpoint)
        yield site


def files(home: Path) -> dict[str, str]:
    """The files in `HF_HOME`, except for the lock."""
    folder = home / "huggingface"
    if not folder.exists():
        return {}
    found = (path for path in folder.iterdir() if path.is_file() and path.suffix != ".lock")
    return {path.name: path.read_text(encoding="utf-8") for path in found}


def names() -> dict[str, bool]:
    """The stored tokens, and whether each is the active one."""
    return {stored.name: stored.active for stored in hubtoken.stored_tokens()}


def test_an_entry_says_what_the_hub_said(site: Site, home: Path) -> None:
    value = site.token("ci [prod]")
    stored = hubtoken.login(value)
    assert [type(stored)] == [type(entry) for entry in hubtoken.stored_tokens()]
    for entry in (stored, *hubtoken.stored_tokens()):
        assert (entry.name, entry.user, entry.role) == ("ci [prod]", "alice", "write")
        assert entry.token.reveal() == value
        assert entry.token.source == "store:ci [prod]"
        assert entry.endpoint == site.server.endpoint == entry.token.endpoint
        assert entry.active
        utc = dt.timezone.utc
        assert entry.created_at == dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=utc)
        assert leaks(repr(entry) + str(entry), value) == []
        assert "ci [prod]" in repr(entry)
    written = files(home)
    assert written["token"] == value
    assert leaks(written["hubtoken_endpoints.json"], value) == []


def test_the_token_of_an_entry_survives_a_pickle(site: Site) -> None:
    hubtoken.login(site.token())
    (entry,) = hubtoken.stored_tokens()
    token = entry.token
    assert pickle.loads(pickle.dumps(token)) == token  # noqa: S301


def test_a_name_of_ones_own_replaces_and_the_hubs_name_does_not(site: Site) -> None:
    first, second = site.token(), site.token(user="bob")
    hubtoken.login(first)
    other = hubtoken.login(second)
    assert other.name.startswith("ci-bob~")
    assert len(names()) == 2
    assert hubtoken.login(second, name="ci").token.reveal() == second
    assert len(names()) == 2
    assert names()["ci"]


def test_an_oauth_token_is_stored_as_huggingface_hub_names_it(site: Site) -> None:
    assert hubtoken.login(site.token(None)).name == "oauth-alice"


def test_an_organizations_token_is_one_like_others(site: Site) -> None:
    value = "api_org_" + fake_token()[3:]
    site.known[value] = {
        "type": "org",
        "name": "acme",
        "auth": {"type": "access_token", "accessToken": {"displayName": "ours", "role": "read"}},
    }
    stored = hubtoken.login(value)
    assert (stored.name, stored.user, stored.active) == ("ours", "acme", True)


def test_a_login_elsewhere_is_stored_for_there(site: Site, home: Path) -> None:
    mine = site.token()
    hubtoken.login(mine)
    other = Site()
    with serving(other.answer) as server:
        theirs = other.token("team")
        stored = hubtoken.login(theirs, endpoint=server.endpoint)
        assert (stored.active, stored.endpoint) == (False, server.endpoint)
        assert files(home)["token"] == mine
        with pytest.raises(hubtoken.UntrustedEndpointError, match="HF_ENDPOINT"):
            hubtoken.switch_token("team")
        assert hubtoken.whoami(profile="team").user == "alice"
    assert {request.authorization for request in site.server.requests} == {f"Bearer {mine}"}


def test_a_hubtoken_goes_to_its_own_hub(site: Site) -> None:
    token = handed_over(site.token())
    assert hubtoken.login(token).token.reveal() == token.reveal()
    with pytest.raises(hubtoken.UntrustedEndpointError):
        hubtoken.login(token, endpoint="http://127.0.0.1:9")


def closed_endpoint() -> str:
    """An endpoint where nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


REFUSALS: dict[str, tuple[bytes | None, type[Exception], str]] = {
    "rejected": (http(401), hubtoken.InvalidTokenError, "does not"),
    "rate limited": (http(429, Retry_After="7"), hubtoken.RateLimitedError, "rate"),
    "broken": (http(500), hubtoken.HubUnreachableError, "500"),
    "a page": (http(200, "<html>"), hubtoken.VerdictUnknownError, "JSON"),
    "away": (None, hubtoken.HubUnreachableError, "127.0.0.1"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_token_that_the_hub_does_not_confirm_is_not_stored(
    name: str, home: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    answer, error, says = REFUSALS[name]
    value = fake_token()
    with serving(answer or b"") as server:
        endpoint = server.endpoint if answer else closed_endpoint()
        clean_environment.setenv("HF_ENDPOINT", endpoint)
        with pytest.raises(error, match=says) as caught:
            hubtoken.login(value)
    assert leaks(str(caught.value), value) == []
    assert not {"token", "stored_tokens", "hubtoken_endpoints.json"} & files(home).keys()
    assert names() == {}
    if isinstance(caught.value, hubtoken.RateLimitedError):
        assert caught.value.retry_after == 7


def test_offline_nothing_is_stored_and_nobody_is_asked(
    site: Site, home: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    clean_environment.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(hubtoken.OfflineError):
        hubtoken.login(site.token())
    assert site.server.requests == []
    assert files(home) == {}


@pytest.mark.parametrize("value", ["", " \n", "hf_xxx", "hf_****abcd", "hf_FakeOne\nhf_FakeTwo"])
def test_what_is_no_token_is_refused_unsent(site: Site, value: str) -> None:
    with pytest.raises(hubtoken.TokenFormatError) as caught:
        hubtoken.login(value)
    assert len(value) < 3 or value not in str(caught.value)
    assert site.server.requests == []


@pytest.mark.parametrize("value", ["\ufeff{}\r\n", " '{}'\n", "{}\n\n"])
def test_what_files_put_around_a_token_is_removed(site: Site, home: Path, value: str) -> None:
    token = site.token()
    hubtoken.login(value.format(token))
    assert files(home)["token"] == token


def test_token_false_and_other_types_are_no_login(site: Site) -> None:
    with pytest.raises(hubtoken.TokenNotFoundError):
        hubtoken.login(False)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        hubtoken.login(7)  # type: ignore[arg-type]
    assert site.server.requests == []


def test_switching_renaming_and_logging_out(site: Site, home: Path) -> None:
    first, second = site.token("one"), site.token("two")
    hubtoken.login(first)
    hubtoken.login(second)
    assert names() == {"one": False, "two": True}
    hubtoken.switch_token("one")
    assert names() == {"one": True, "two": False}
    found = hubtoken.resolve_token()
    assert found is not None
    assert found.reveal() == first
    assert hubtoken.rename_token("two", "DEFAULT") == "DEFAULT~89dbf710"
    assert hubtoken.rename_token("DEFAULT", "DEFAULT") == "DEFAULT~89dbf710"
    with pytest.raises(hubtoken.StoreError, match="already"):
        hubtoken.rename_token("one", "DEFAULT")
    hubtoken.logout("one")
    assert "token" not in files(home)
    assert hubtoken.resolve_token(required=False) is None
    hubtoken.logout()
    assert files(home) == {}


def test_a_value_with_another_name_stays_the_active_token(site: Site, home: Path) -> None:
    value = site.token("ci")
    hubtoken.login(value)
    hubtoken.login(value, name="laptop")
    hubtoken.logout("ci")
    assert names() == {"laptop": True}
    assert files(home)["token"] == value
    assert hubtoken.stored_tokens()[0].user == "alice"
    hubtoken.logout("laptop")
    assert files(home) == {}


def test_a_trace_says_that_huggingface_hub_would_send_a_token_elsewhere(
    site: Site, clean_environment: pytest.MonkeyPatch
) -> None:
    hubtoken.login(site.token())
    assert "huggingface_hub" not in str(hubtoken.explain())
    clean_environment.delenv("HF_ENDPOINT")
    trace = hubtoken.explain()
    assert trace.endpoint == site.server.endpoint
    told = (
        "huggingface_hub would send it to https://huggingface.co, which is not its Hub: "
        f"set HF_ENDPOINT={site.server.endpoint}"
    )
    assert str(trace).count(told) == 1
    found = [step.detail for step in trace.steps if step.answer == "found"]
    assert found == [told]
    assert str(pickle.loads(pickle.dumps(trace))) == str(trace)  # noqa: S301


@pytest.mark.parametrize(
    "verb",
    [hubtoken.switch_token, hubtoken.logout, lambda name: hubtoken.rename_token(name, "new")],
    ids=["switch_token", "logout", "rename_token"],
)
def test_a_name_that_is_not_there_is_told_with_those_that_are(
    site: Site, verb: Callable[[str], object]
) -> None:
    hubtoken.login(site.token("here"))
    says = "no stored token `gone`: the stored tokens are: here"
    with pytest.raises(hubtoken.TokenNotFoundError, match=says):
        verb("gone")
    assert names() == {"here": True}


@pytest.mark.parametrize("variable", ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"])
def test_a_variable_that_goes_before_the_active_token_is_told(
    site: Site, clean_environment: pytest.MonkeyPatch, variable: str
) -> None:
    value = site.token()
    clean_environment.setenv(variable, fake_token())
    with pytest.warns(hubtoken.HubTokenWarning, match=f"{variable} is set and takes precedence"):
        hubtoken.login(value)
    with pytest.warns(hubtoken.HubTokenWarning, match=f"{variable} is set and takes precedence"):
        hubtoken.switch_token("ci")
    with pytest.warns(hubtoken.HubTokenWarning, match=f"{variable} is set and is still used"):
        hubtoken.logout()
    assert names() == {}


ODD = {
    "DEFAULT": "DEFAULT~89dbf710",
    "": "token~e3b0c442",
    "a\nb": "a_b~7e18f737",
    "[x]": "[x]",
    "a]": "a]",
    "] = [": "] = [",
    "#;%(x)s": "#;%(x)s",
    " b ": " b ",
    "ü\u3042\U0001f917": "ü\u3042\U0001f917",
}


@pytest.mark.parametrize("name", ODD)
def test_any_name_is_stored_and_found(site: Site, name: str) -> None:
    hubtoken.login(site.token("other"))
    value = site.token()
    stored = hubtoken.login(value, name=name)
    assert stored.name == ODD[name]
    assert names() == {"other": False, ODD[name]: True}
    found = hubtoken.resolve_token(profile=stored.name)
    assert found is not None
    assert found.reveal() == value
    hubtoken.switch_token(name)
    hubtoken.logout(name)
    assert names() == {"other": False}


def test_a_long_name_and_a_nul_are_cut_and_replaced(site: Site) -> None:
    long = hubtoken.login(site.token(), name="n" * 300).name
    assert len(long) < 220
    assert "\0" not in hubtoken.login(site.token(), name="a\0b\x1b[31m").name
    assert len(names()) == 2


def test_a_value_that_is_no_token_is_left_out_with_a_warning(site: Site, home: Path) -> None:
    hubtoken.login(site.token())
    path = home / "huggingface" / "stored_tokens"
    text = path.read_text(encoding="utf-8")
    path.write_text(text + "[mask]\nhf_token = hf_****abcd\n\n[none]\nnote = mine\n\n", "utf-8")
    with pytest.warns(hubtoken.HubTokenWarning, match="`mask`"):
        assert names() == {"ci": True}
    hubtoken.logout("mask")
    assert names() == {"ci": True}
    assert "note = mine" in path.read_text(encoding="utf-8")


def test_an_expiry_in_the_past_is_one(site: Site, home: Path) -> None:
    path = home / "huggingface" / "stored_tokens"
    path.parent.mkdir()
    text = f"[old]\nhf_token = {fake_token()}\nexpires_at = 1\n\n"
    odd = f"[odd]\nhf_token = {fake_token()}\nexpires_at = {'9' * 30}\n\n"
    path.write_text(text + odd, encoding="utf-8")
    old, unknown = hubtoken.stored_tokens()
    assert old.expires_at == dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=dt.timezone.utc)
    assert unknown.expires_at is None
    assert (old.user, old.role, old.created_at) == (None, None, None)
    assert old.endpoint == site.server.endpoint


BROKEN = {
    "no section": "hf_FakeSecretInTheFile",
    "JSON": '{"ci": "hf_FakeSecretInTheFile"}',
    "a byte order mark": "\ufeff[ci]\nhf_token = hf_FakeSecretInTheFile\n",
    "twice": "[a]\nhf_token = hf_FakeSecretInTheFile\n[a]\n",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_told_and_set_aside_and_never_quoted(
    site: Site, home: Path, kind: str
) -> None:
    folder = home / "huggingface"
    folder.mkdir()
    path = folder / "stored_tokens"
    path.write_text(BROKEN[kind], encoding="utf-8")
    told = []
    for verb in (
        hubtoken.stored_tokens,
        lambda: hubtoken.switch_token("a"),
        lambda: hubtoken.logout("a"),
    ):
        with pytest.raises(hubtoken.StoreError, match="cannot be understood") as caught:
            verb()
        told.append(str(caught.value))
    assert path.read_text(encoding="utf-8") == BROKEN[kind]
    with pytest.warns(hubtoken.HubTokenWarning, match="set aside") as warned:
        hubtoken.login(site.token())
    told += [str(warning.message) for warning in warned]
    assert leaks("".join(told), "hf_FakeSecretInTheFile") == []
    assert (folder / "stored_tokens.broken-1").read_text(encoding="utf-8") == BROKEN[kind]
    assert names() == {"ci": True}


def test_everything_goes_with_a_broken_file_but_the_file(home: Path) -> None:
    folder = home / "huggingface"
    folder.mkdir()
    (folder / "token").write_text(fake_token(), encoding="utf-8")
    (folder / "stored_tokens").write_text("hf_FakeSecretInTheFile", encoding="utf-8")
    with pytest.warns(hubtoken.HubTokenWarning, match="set aside"):
        hubtoken.logout()
    assert files(home) == {"stored_tokens.broken-1": "hf_FakeSecretInTheFile"}


def test_a_notebook_asks_in_its_own_way(site: Site, clean_environment: pytest.MonkeyPatch) -> None:
    value = site.token()
    asked: list[str] = []

    def getpass(prompt: str = "", stream: object = None) -> str:
        assert stream is None
        asked.append(prompt)
        return value + "\n"

    clean_environment.setattr("getpass.getpass", getpass)
    assert hubtoken.login().token.reveal() == value
    assert asked == ["Token (it is not shown): "]


@pytest.mark.usefixtures("site")
def test_a_notebook_without_anybody_says_so(clean_environment: pytest.MonkeyPatch) -> None:
    def getpass(prompt: str = "", stream: object = None) -> str:
        raise NotImplementedError(prompt, stream)

    clean_environment.setattr("getpass.getpass", getpass)
    with pytest.raises(hubtoken.TokenNotFoundError, match="HF_TOKEN") as caught:
        hubtoken.login()
    # Writing the value into the program is not suggested.
    assert "hubtoken.login(" not in str(caught.value)
    assert caught.value.trace is not None
    assert caught.value.trace.source is None


def test_ctrl_c_at_the_prompt_is_ctrl_c(clean_environment: pytest.MonkeyPatch) -> None:
    def getpass(prompt: str = "", stream: object = None) -> str:
        raise KeyboardInterrupt(prompt, stream)

    clean_environment.setattr("getpass.getpass", getpass)
    with pytest.raises(KeyboardInterrupt):
        hubtoken.login()


def test_no_home_is_no_place_to_store(clean_environment: pytest.MonkeyPatch, site: Site) -> None:
    value = site.token()
    for name in ("HOME", "HF_HOME", "XDG_CACHE_HOME", "USERPROFILE"):
        clean_environment.delenv(name, raising=False)
    clean_environment.setenv("HF_HOME", "/dev/null/below")
    with pytest.raises(hubtoken.StoreError) as caught:
        hubtoken.login(value)
    assert leaks(str(caught.value), value) == []
    assert "HF_HOME" in str(caught.value)


def test_many_entries_are_listed_in_the_files_order(home: Path) -> None:
    folder = home / "huggingface"
    folder.mkdir()
    values = {f"name {number:04}": fake_token() for number in range(1_500)}
    text = "".join(f"[{name}]\nhf_token = {value}\n\n" for name, value in values.items())
    (folder / "stored_tokens").write_text(text, encoding="utf-8")
    listed = hubtoken.stored_tokens()
    assert {stored.name: stored.token.reveal() for stored in listed} == values
    assert list(values) == [stored.name for stored in listed]
