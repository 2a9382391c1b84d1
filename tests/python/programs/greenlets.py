"""Calls hubtoken in one greenlet; only another greenlet makes its Hub answer."""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import sys  # noqa: E402
import urllib.request  # noqa: E402

import gevent  # noqa: E402

import hubtoken  # noqa: E402

request = json.load(sys.stdin)
endpoint = request["endpoint"]
token = request["token"]


def login() -> str:
    """Log in, and look whose token it is."""
    user = hubtoken.login(token, name="ci", endpoint=endpoint).user
    assert user is not None
    return user


CALLS = {
    "identify": lambda: hubtoken.identify(token, endpoint=endpoint).user,
    "whoami": lambda: hubtoken.whoami(token, endpoint=endpoint).user,
    "require_role": lambda: hubtoken.require_role("read", token, endpoint=endpoint).source,
    "require_permission": lambda: (
        hubtoken.require_permission("inference.serverless.write", token, endpoint=endpoint).source
    ),
    "login": login,
    "resolve_token": lambda: hubtoken.resolve_token().source,
    "explain": lambda: hubtoken.explain().source,
}


def release() -> None:
    """Let the Hub answer."""
    urllib.request.urlopen(f"{endpoint}/release").close()  # noqa: S310 - the test's own server


if request["call"] == "timeout":
    try:
        with gevent.Timeout(0.01):
            hubtoken.identify(token, endpoint=endpoint)
    except gevent.Timeout:
        sys.stdout.write(json.dumps("only this greenlet gave up") + "\n")
    sys.stdout.flush()
else:
    waiting = gevent.spawn(CALLS[request["call"]])
    other = gevent.spawn(release)
    gevent.joinall([waiting, other], raise_error=True)
    sys.stdout.write(json.dumps(waiting.value) + "\n")
