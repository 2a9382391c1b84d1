"""A process that looks like a notebook, with a vault whose behavior the test selects.

The request names the service whose modules exist, and the vault's behavior. The last line has the
results of the resolutions, and the requests to the vault.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import types
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

ASKED: list[str] = []
GATE = threading.Event()


class SecretNotFoundError(Exception):
    """As in `google.colab.userdata`."""


class NotebookAccessError(Exception):
    """As in `google.colab.userdata`."""


class CredentialError(Exception):
    """As in `kaggle_secrets`."""


class BackendError(Exception):
    """As in `kaggle_secrets`."""


def vault(behavior: str, value: str) -> Callable[[str], Any]:
    """Answers a request for a secret."""

    def get(label: str) -> Any:
        ASKED.append(f"{label} in {threading.current_thread().name}")
        # Long enough for every thread to send its request as well.
        time.sleep(0.05)
        if behavior == "hang":
            GATE.wait()
        if behavior == "not found":
            raise SecretNotFoundError(f"no secret, but here is another: {value}")
        if behavior == "not granted":
            raise NotebookAccessError(value)
        if behavior == "no user secrets":
            raise BackendError(f"No user secrets exist for kernel id 1 and label {label}. {value}")
        if behavior == "not authorized":
            raise CredentialError(value)
        if behavior == "broken":
            raise BackendError(f"Unexpected response: {value}")
        return {"nothing": None, "number": 3, "blank": "  "}.get(behavior, value)

    return get


def module(name: str, **attributes: Any) -> types.ModuleType:
    """A module that can be imported from now on."""
    made = types.ModuleType(name)
    vars(made).update(attributes)
    sys.modules[name] = made
    return made


def install(service: str, behavior: str, value: str) -> None:
    """Creates a service's modules as in its notebooks."""
    get = vault(behavior, value)
    if "colab" in service:
        userdata = module(
            "google.colab.userdata",
            get=get,
            SecretNotFoundError=SecretNotFoundError,
            NotebookAccessError=NotebookAccessError,
        )
        module("google.colab", userdata=userdata)
        home = "google.colab._shell" if service == "colab" else "ipykernel.zmqshell"
        shell = type("Shell", (), {"__module__": home})()
        module("IPython", get_ipython=lambda: shell)
    if "kaggle" in service:
        client = type("UserSecretsClient", (), {"get_secret": lambda _, label: get(label)})
        module(
            "kaggle_secrets",
            UserSecretsClient=client,
            CredentialError=CredentialError,
            BackendError=BackendError,
        )


def resolve(*, required: bool = True) -> dict[str, Any]:
    """One resolution, and its warnings."""
    import hubtoken

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            token = hubtoken.resolve_token(required=required)
        except hubtoken.HubTokenError as error:
            outcome = {"error": type(error).__name__, "message": str(error)}
        else:
            outcome = (
                {"source": token.source, "value": token.reveal(), "repr": repr(token)}
                if token
                else {}
            )
    trace = hubtoken.explain()
    steps = {step.source: step.answer for step in trace.steps}
    return {**outcome, "warnings": [str(each.message) for each in caught], "steps": steps}


def forked() -> dict[str, Any]:
    """The result in a forked child."""
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        ASKED.clear()
        os.write(send, json.dumps({**resolve(), "asked": ASKED}).encode())
        os._exit(0)
    os.close(send)
    with os.fdopen(receive, "rb") as pipe:
        answer: dict[str, Any] = json.loads(pipe.read())
    os.waitpid(child, 0)
    return answer


def main() -> None:
    """Do what the request says."""
    import hubtoken

    request = json.loads(sys.stdin.read())
    value = request["value"]
    install(request["service"], request["behavior"], value)
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.append(resolve()))
        for _ in range(request.get("threads", 0))
    ]
    if request.get("fork_first"):
        answers.append(forked())
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answers += [resolve() for _ in range(request.get("times", 1))]
    answers += [resolve(required=False) for _ in range(request.get("optional", 0))]
    if request.get("clear_cache"):
        hubtoken.clear_cache()
        answers.append(resolve())
    if request.get("fork"):
        answers.append(forked())
    if request.get("logout"):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            hubtoken.logout()
        answers = [{"warnings": [str(each.message) for each in caught]}]
    if request.get("release"):
        GATE.set()
        # Only a hanging test is ended by this.
        deadline = time.monotonic() + 300
        while "source" not in answers[-1] and time.monotonic() < deadline:
            answers.append(resolve())
    print(json.dumps({"answers": answers, "asked": ASKED}))  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
