"""Plain http to another machine: only to hosts that the user named, and with a warning.

The other machine is `0.0.0.0`, which reaches this one without a name server, and which hubtoken
does not take for this machine.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings
from typing import TYPE_CHECKING, Any

import pytest
import requests

import hubtoken
from tests.environment import HANG_LIMIT, child_environment, fake_token
from tests.python.helpers import ROOT, handed_over
from tests.python.servers import Server, http, identity, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOSTS = "HUBTOKEN_INSECURE_HOSTS"
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(identity()) as server:
        yield server


def address(server: Server) -> str:
    return f"0.0.0.0:{server.server_address[1]}"


def endpoint_of(server: Server) -> str:
    return f"http://{address(server)}"


def unwarned(server: Server) -> hubtoken.HubToken:
    """A token of the server, without the warning that belongs to it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hubtoken.HubTokenWarning)
        return handed_over(endpoint=endpoint_of(server))


def test_no_host_is_insecure_by_default(server: Server) -> None:
    with pytest.raises(hubtoken.UntrustedEndpointError, match=HOSTS):
        handed_over(endpoint=endpoint_of(server))
    assert server.requests == []


def test_a_named_host_is_asked_and_warned_about_once(
    server: Server, clean_environment: pytest.MonkeyPatch
) -> None:
    clean_environment.setenv(HOSTS, f"registry, {address(server)}")
    # A proxy would show the token to one machine more.
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        clean_environment.setenv(name, NOWHERE)
    with pytest.warns(hubtoken.HubTokenWarning, match="unencrypted"):
        token = handed_over(endpoint=endpoint_of(server))
    # Another warning would be an error.
    assert handed_over(token.reveal(), endpoint=endpoint_of(server)) == token
    assert hubtoken.whoami(token).user == "alice"
    assert server.requests[0].authorization == token.bearer()
    assert token.environ({})["HF_ENDPOINT"] == endpoint_of(server)
    # Fails without a proxy's answer if the environment's proxy were used.
    clean_environment.delenv("HTTP_PROXY")
    clean_environment.delenv("ALL_PROXY")
    requests.get(f"{endpoint_of(server)}/x", auth=token, timeout=HANG_LIMIT)
    assert server.requests[-1].authorization == token.bearer()


@pytest.mark.parametrize("named", ["other", "0.0.0.0:1", "x.0.0.0.0.example", "0.0.0.00:1"])
def test_another_entry_is_no_permission(
    server: Server, clean_environment: pytest.MonkeyPatch, named: str
) -> None:
    clean_environment.setenv(HOSTS, named)
    with pytest.raises((hubtoken.UntrustedEndpointError, hubtoken.ConfigurationError)):
        handed_over(endpoint=endpoint_of(server))


@pytest.mark.parametrize("entry", ["*", "http://secret", "user:secret@hub", "hub/secret", "hf.co"])
def test_an_entry_that_is_no_host_is_an_error_that_quotes_nothing(
    clean_environment: pytest.MonkeyPatch, entry: str
) -> None:
    clean_environment.setenv(HOSTS, f"hub,{entry}")
    with pytest.raises(hubtoken.ConfigurationError, match=f"{HOSTS}: entry 2 ") as caught:
        handed_over(endpoint="http://hub:8080")
    assert "secret" not in str(caught.value)
    # It affects nobody else.
    assert handed_over(endpoint="https://hub:8080").endpoint == "https://hub:8080"


@pytest.mark.parametrize("host", ["huggingface.co", "hub-ci.huggingface.co", "hf.co", "x.hf.space"])
def test_no_host_of_hugging_face_can_be_named(
    clean_environment: pytest.MonkeyPatch, host: str
) -> None:
    for entry in (host, f"{host}:80", host.upper()):
        clean_environment.setenv(HOSTS, entry)
        clean_environment.setenv("HF_ENDPOINT", f"http://{host}")
        with pytest.raises(hubtoken.UntrustedEndpointError, match="plain http"):
            hubtoken.resolve_token(fake_token())


def configure(home: Path, text: str) -> None:
    folder = home / "config" / "hubtoken"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(text)


def test_the_users_own_configuration_may_name_a_host(server: Server, home: Path) -> None:
    configure(home, f'insecure_hosts = ["{address(server)}"]\n')
    assert hubtoken.identify(unwarned(server)).user == "alice"
    configure(home, 'insecure_hosts = ["hub"]\n')
    with pytest.raises(hubtoken.UntrustedEndpointError):
        handed_over(endpoint=endpoint_of(server))
    for broken in ('"hub"', "[1]", '["http://hub"]'):
        configure(home, f"insecure_hosts = {broken}\n")
        with pytest.raises(hubtoken.ConfigurationError, match="insecure_hosts"):
            handed_over(endpoint=endpoint_of(server))


@pytest.mark.parametrize("name", ["hubtoken.toml", "pyproject.toml"])
def test_a_project_may_not(tmp_path: Path, name: str) -> None:
    table = "[tool.hubtoken]\n" if name == "pyproject.toml" else ""
    (tmp_path / "project" / name).write_text(f'{table}insecure_hosts = ["hub"]\n')
    with pytest.raises(hubtoken.ConfigurationError, match="cloned repository"):
        hubtoken.resolve_token()


def test_a_stored_token_needs_the_host_to_be_still_named(
    server: Server, clean_environment: pytest.MonkeyPatch
) -> None:
    clean_environment.setenv(HOSTS, address(server))
    with pytest.warns(hubtoken.HubTokenWarning, match="unencrypted"):
        stored = hubtoken.login(fake_token(), name="ci", endpoint=endpoint_of(server))
    assert stored.endpoint == endpoint_of(server)
    token = hubtoken.resolve_token(profile="ci")
    assert token is not None
    assert hubtoken.whoami(token).user == "alice"
    pickled = pickle.dumps(token)
    clean_environment.delenv(HOSTS)
    hubtoken.clear_cache()
    with pytest.raises(hubtoken.UntrustedEndpointError, match=HOSTS):
        hubtoken.resolve_token(profile="ci")
    assert [entry.endpoint for entry in hubtoken.stored_tokens()] == [endpoint_of(server)]
    # Unpickling never raises.
    assert pickle.loads(pickled).endpoint == endpoint_of(server)  # noqa: S301 - our own


def test_the_ambient_token_follows_the_variable(
    server: Server, clean_environment: pytest.MonkeyPatch
) -> None:
    clean_environment.setenv("HF_TOKEN", fake_token())
    clean_environment.setenv("HF_ENDPOINT", endpoint_of(server))
    clean_environment.setenv(HOSTS, address(server))
    with pytest.warns(hubtoken.HubTokenWarning, match="unencrypted"):
        assert hubtoken.whoami().user == "alice"
    clean_environment.delenv(HOSTS)
    with pytest.raises(hubtoken.UntrustedEndpointError, match="HF_ENDPOINT"):
        hubtoken.whoami()


def test_no_redirect_is_followed_from_it_or_to_it(
    server: Server, clean_environment: pytest.MonkeyPatch
) -> None:
    clean_environment.setenv(HOSTS, address(server))
    with serving(http(302, Location=f"{endpoint_of(server)}/api/whoami-v2")) as other:
        with pytest.raises(hubtoken.VerdictUnknownError, match="redirects"):
            hubtoken.whoami(handed_over(endpoint=other.endpoint))
        server.behavior = lambda _: http(302, Location=f"{other.endpoint}/api/whoami-v2")
        asked = len(other.requests)
        with pytest.raises(hubtoken.VerdictUnknownError, match="redirects"):
            hubtoken.whoami(unwarned(server))
        assert len(other.requests) == asked


def run(home: Path, *command: str, stdin: str = "", **variables: str) -> Any:
    return subprocess.run(
        [sys.executable, "-m", "hubtoken", *command],
        env=child_environment(home, PYTHONPATH=str(ROOT), **variables),
        cwd=home,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG_LIMIT,
    )


def test_the_command_line_and_git_agree(server: Server, home: Path) -> None:
    variables = {"HF_TOKEN": fake_token(), "HF_ENDPOINT": endpoint_of(server)}
    question = f"protocol=http\nhost={address(server)}\n\n"
    for command in (("whoami",), ("git-credential", "get"), ("run", "--", "true")):
        refused = run(home, *command, stdin=question, **variables)
        assert refused.stdout == ""
        if command[0] != "git-credential":  # git goes on to ask the user
            assert refused.returncode == 2, refused.stderr
            assert HOSTS in refused.stderr
        done = run(home, *command, stdin=question, **variables, **{HOSTS: address(server)})
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("unencrypted") == 1
    given = run(
        home, "git-credential", "get", stdin=question, **variables, **{HOSTS: address(server)}
    )
    assert f"password={variables['HF_TOKEN']}" in given.stdout
    other = "protocol=http\nhost=0.0.0.0:1\n\n"
    none = run(home, "git-credential", "get", stdin=other, **variables, **{HOSTS: address(server)})
    assert none.stdout == ""
