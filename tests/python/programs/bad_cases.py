"""The bad inputs: malformed tokens, broken files and configurations, endpoints that are not a Hub.

Every case gets its secret from the vault at the time of use: no local variable of these programs
contains one, so that a traceback with locals shows only what hubtoken's frames contain.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hubtoken
from hubtoken.hub import Hub
from tests.python.servers import hanging, http, identity, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.python.programs.bad_input import Vault

    Case = tuple[str, Callable[[], object]]

LARGE = 10 << 20

# `{}` is the secret, `{0:.12}` its beginning.
MALFORMED = {
    "mask": "hf_****{}",
    "mask with an ellipsis": "hf_…{}",
    "stars": "**********",
    "placeholder": "<HF_TOKEN>",
    "placeholder of x": "hf_xxx",
    "blank": " \r\n",
    "space inside": "{0:.12} {0}",
    "two lines": "{0}\n{0}",
    "header injection": "{0}\r\nX-Evil: {0}",
    "zero byte": "{0}\x00{0}",
    "escape code": "{0}\x1b[31m{0}",
    "not ASCII": "{}ü",
    "surrogate": "{}\udc80",
    "in two headers": "Bearer {0}, Bearer {0}",
    "in JSON": '{{"token": "{}"}}',
    "in a URL": "https://user:{}@huggingface.co",
    "refresh token": "hf_oauth__refresh_{}",
}

FILES: dict[str, Callable[[str], bytes]] = {
    "not UTF-8": lambda secret: b"\xff\xfe" + secret.encode(),
    "UTF-16": lambda secret: secret.encode("utf-16"),
    "10 MB": lambda secret: (secret + "\n").encode() * (LARGE // (len(secret) + 1) + 1),
    "two tokens": lambda secret: f"{secret}\n{secret}\n".encode(),
    "a placeholder": lambda _: b"<HF_TOKEN>",
}

CONFIGURATIONS = {
    "not TOML": 'profile = "ci\ntoken = {}',
    "an unknown profile": 'profile = "nobody"',
    "a secret": 'token = "{}"',
    "a secret as profile": 'profile = "{}"',
    "a secret as key": "{} = 1",
    "a secret in a table": '[deep]\nheader = "Bearer {}"',
    "a secret without quotes": "profile = {}",
    "an endpoint in a project": 'endpoint = "https://alice:{}@evil.example"',
    "a command in a project": 'token_command = "echo {}"',
    "a file in a project": 'token_file = "/tmp/{}"',
}

STORED = {
    "not an INI file": "hf_token = {}",
    "twice": "[ci]\nhf_token = {0}\n[ci]\nhf_token = {0}\n",
    "a line of its own": "[ci]\n{}\n",
    "a continued value": "[ci]\nhf_token = {0}\n  {0}\n",
}

ENDPOINTS = {
    "not a URL": "huggingface dot co",
    "no scheme": "huggingface.co",
    "plain http and remote": "http://hub.example",
    "with a password": "https://alice:{}@hub.example",
    "with a query": "https://hub.example/?token={}",
}

ANSWERS = {
    "HTML": http(200, "<!doctype html><html></html>", Content_Type="text/html"),
    "broken JSON": http(200, '{"name": "ali', Content_Type="application/json"),
    "closes mid-body": http(200, '{"name":', length=5000),
    "closes at once": b"",
    "not HTTP": b"220 mail.example\r\n",
    "500": http(500),
    "429": http(429, Retry_After="7"),
    "401": http(401, '{"error":"Invalid credentials"}'),
    "403": http(403, '{"error":"\\u001b[31mno"}'),
}


def tokens(vault: Vault) -> Iterator[Case]:
    """As arguments and as the only variable."""

    def argument(pattern: str) -> object:
        return hubtoken.whoami(vault.fill(pattern))

    def variable(pattern: str) -> object:
        return vault.ambient(HF_TOKEN=vault.fill(pattern))

    for name, pattern in MALFORMED.items():
        yield f"argument: {name}", partial(argument, pattern)
        if name != "zero byte":  # no variable can hold one
            yield f"variable: {name}", partial(variable, pattern)
    yield "argument: bytes", lambda: hubtoken.resolve_token(vault.new().encode())  # type: ignore[call-overload]
    yield (
        "argument: of another Hub",
        lambda: vault.token().headers(f"https://evil.example/?{vault.new()}"),
    )


def files(vault: Vault) -> Iterator[Case]:
    """The token file, as every kind of file system object."""

    def file(make: Callable[[str], bytes]) -> object:
        return at(vault.plant("file/token", make(vault.new())))

    def at(path: Path | str) -> object:
        return vault.ambient(HF_TOKEN_PATH=str(path))

    for name, make in FILES.items():
        yield f"token file: {name}", partial(file, make)
    yield "token file: a directory", lambda: at(vault.folder)
    yield (
        "token file: below a file",
        lambda: at(vault.plant("plain", vault.new().encode()) / "token"),
    )
    yield "token file: a device", lambda: at(os.devnull)
    yield "token file: a loop", lambda: at(vault.loop())
    yield "token file: a pipe", lambda: at(vault.pipe())


def configurations(vault: Vault) -> Iterator[Case]:
    """Configurations of a project and of the user, and the stored tokens."""
    folder = vault.folder

    def project(pattern: str) -> object:
        vault.plant("project/hubtoken.toml", vault.fill(pattern).encode())
        return vault.ambient(folder=folder / "project")

    def pyproject(pattern: str) -> object:
        table = "[tool.hubtoken]\n" + pattern.replace("[deep]", "[tool.hubtoken.deep]")
        vault.plant("other/pyproject.toml", vault.fill(table).encode())
        return vault.ambient(folder=folder / "other")

    def user(pattern: str) -> object:
        vault.plant("config/hubtoken/config.toml", vault.fill(pattern).encode())
        return vault.ambient(XDG_CONFIG_HOME=str(folder / "config"))

    def stored(pattern: str) -> object:
        vault.plant("stored/stored_tokens", vault.fill(pattern).encode())
        return vault.ambient(profile="ci", HF_TOKEN_PATH=str(folder / "stored" / "token"))

    for name, pattern in CONFIGURATIONS.items():
        yield f"project: {name}", partial(project, pattern)
        yield f"pyproject: {name}", partial(pyproject, pattern)
        if "project" not in name:
            yield f"user: {name}", partial(user, pattern)
    for name, pattern in STORED.items():
        yield f"stored tokens: {name}", partial(stored, pattern)


def endpoints(vault: Vault) -> Iterator[Case]:
    """Invalid endpoints, and servers that are not a Hub."""

    def argument(pattern: str) -> object:
        return hubtoken.whoami(vault.new(), endpoint=vault.fill(pattern))

    def variable(pattern: str) -> object:
        return vault.ambient(HF_ENDPOINT=vault.fill(pattern), HF_TOKEN=vault.new())

    for name, pattern in ENDPOINTS.items():
        yield f"endpoint: {name}", partial(argument, pattern)
        yield f"HF_ENDPOINT: {name}", partial(variable, pattern)

    def answered(answer: bytes) -> object:
        with serving(answer) as server:
            return hubtoken.whoami(vault.token(server.endpoint))

    for name, answer in ANSWERS.items():
        yield f"Hub: {name}", partial(answered, answer)

    def hangs() -> object:
        with hanging() as server:
            return hubtoken.whoami(vault.token(server.endpoint), timeout=0.3)

    def redirects() -> object:
        with serving(identity()) as other, serving(b"") as server:
            server.behavior = lambda _: http(302, Location=f"{other.endpoint}/steal")
            try:
                return hubtoken.whoami(vault.token(server.endpoint))
            finally:
                assert other.connections == 0, "the token traveled"

    def nobody() -> object:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        return hubtoken.require_role("write", vault.token(f"http://127.0.0.1:{port}"), repo="a/b")

    yield "Hub: hangs", hangs
    yield "Hub: redirects to another host", redirects
    yield "Hub: nobody listens", nobody


def hubs(vault: Vault) -> Iterator[Case]:
    """An embedded Hub that cannot start, and one that rejects requests."""
    home = vault.folder.parent

    def made(name: str) -> Path:
        with Hub(home / name) as hub:
            hub.create_user("alice", password=vault.new())
            vault.keep(hub.create_token("alice", name="ci", role="write"))
        return home / name / "hub.sqlite3"

    def corrupt() -> object:
        database = made("corrupt")
        database.write_bytes(b"no database" * 1000)
        try:
            return Hub(database.parent).start()
        finally:
            assert database.read_bytes() == b"no database" * 1000, "the database was changed"

    def locked() -> object:
        database = made("locked")
        program = Path(__file__).with_name("locks.py")
        with subprocess.Popen(
            [sys.executable, str(program), str(database)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == b"locked\n"
            try:
                return Hub(database.parent).start()
            finally:
                other.communicate()

    def taken() -> object:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            return Hub(home / "taken", port=listener.getsockname()[1]).start()

    def refused(name: str, role: Any, repo: str | None) -> object:
        with Hub() as hub:
            hub.create_user("alice")
            hub.create_user("bob")
            hub.create_repository("bob/private", private=True)
            token = vault.keep(hub.create_token("alice", name="ci", role="read"))
            if name == "dead":
                vault.keep(hub.refresh_token("alice", "ci"))
            return hubtoken.require_role(role, token, repo=repo)

    yield "embedded Hub: read-only folder", lambda: Hub("/proc/hubtoken").start()
    yield "embedded Hub: corrupt database", corrupt
    yield "embedded Hub: locked database", locked
    yield "embedded Hub: port taken", taken
    yield "role: too little", partial(refused, "small", "write", None)
    yield "role: somebody else's", partial(refused, "small", "read", "bob/private")
    yield "role: dead token", partial(refused, "dead", "read", None)
