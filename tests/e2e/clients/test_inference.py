"""The inference API with real clients: `huggingface_hub`, curl, httpx as `openai` uses it."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from hubtoken.hub import Hub
from tests.e2e.support.matrix import Case, cases
from tests.e2e.support.models import VECTOR, WORDS, ModelServer, serving_models
from tests.e2e.support.served import Served
from tests.e2e.support.world import PRIVATE
from tests.environment import HANG_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from huggingface_hub import InferenceClient

    from tests.e2e.support.runner import Runner
    from tests.e2e.support.world import World

TEXT = "".join(WORDS)
MESSAGES = [{"role": "user", "content": "Hello?"}]
STREAM = {"model": PRIVATE, "messages": MESSAGES, "stream": True}


@pytest.fixture
def gated(world: World) -> Iterator[ModelServer]:
    """The shared Hub's model server, which sends an event only when the test allows it."""
    world.models.gate = threading.Semaphore(0)
    yield world.models
    world.models.gate = None


def inference(world: World, kind: str, path: str) -> InferenceClient:
    """A client of the path, configured as its documentation describes for self-hosted servers."""
    from huggingface_hub import InferenceClient

    # Without a token the library sends none: there is no token in this process's home.
    return InferenceClient(
        base_url=world.endpoint + path, api_key=world.value(kind), timeout=HANG_LIMIT
    )


def observe(world: World, operation: str, kind: str) -> str:
    """The outcome of an operation, in the words of the table."""
    from huggingface_hub.errors import HfHubHTTPError

    model = f"/models/{PRIVATE}"
    try:
        if operation == "chat completion":
            client = inference(world, kind, "/v1")
            answer = client.chat_completion(MESSAGES, model=PRIVATE)
            assert answer.choices[0].message.content == TEXT
        elif operation == "chat stream":
            client = inference(world, kind, model)
            pieces = client.chat_completion(MESSAGES, stream=True)
            assert "".join(piece.choices[0].delta.content or "" for piece in pieces) == TEXT
        elif operation == "embeddings":
            client = inference(world, kind, f"{model}/pipeline/feature-extraction")
            assert client.feature_extraction("Hello?").tolist() == [VECTOR]
        else:
            assert operation == "text generation"
            assert inference(world, kind, model).text_generation("Hello?") == TEXT
    except HfHubHTTPError as error:
        return str(error.response.status_code)
    return "works"


@pytest.mark.parametrize("case", cases("inference"), ids=str)
def test_matrix(world: World, case: Case) -> None:
    assert observe(world, case.operation, case.kind) == case.expected


@pytest.mark.parametrize("scheme", ["bearer", "basic"])
def test_openai_shaped_requests(world: World, scheme: str) -> None:
    import httpx

    value = world.value("read")
    assert value is not None
    auth = httpx.BasicAuth("anyone", value) if scheme == "basic" else None
    headers = {} if auth else {"Authorization": f"Bearer {value}"}
    with httpx.Client(
        base_url=world.endpoint, headers=headers, auth=auth, timeout=HANG_LIMIT
    ) as client:
        chat = client.post("/v1/chat/completions", json={"messages": MESSAGES, "model": PRIVATE})
        assert chat.json()["choices"][0]["message"]["content"] == TEXT
        text = client.post("/v1/completions", json={"prompt": "Hello?", "model": PRIVATE})
        assert text.json()["choices"][0]["text"] == TEXT
        vectors = client.post("/v1/embeddings", json={"input": "Hello?", "model": PRIVATE})
        assert vectors.json()["data"][0]["embedding"] == VECTOR
        assert client.get("/v1/models").json() == {"object": "list", "data": []}
    assert all(value not in str(headers) for headers in world.models.headers)
    assert all("authorization" not in headers for headers in world.models.headers)


def test_an_event_is_there_before_the_next_one_is_sent(world: World, gated: ModelServer) -> None:
    import httpx

    assert gated.gate is not None
    headers = {"Authorization": f"Bearer {world.value('read')}"}
    url = f"{world.endpoint}/v1/chat/completions"
    got = []
    gated.gate.release()
    with httpx.stream("POST", url, json=STREAM, headers=headers, timeout=HANG_LIMIT) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        for line in answer.iter_lines():
            if line.startswith("data: {"):
                got.append(json.loads(line[6:])["choices"][0]["delta"]["content"])
                # Only now may the next one be sent.
                gated.gate.release()
    assert got == list(WORDS)


def test_curl_sees_each_event_as_it_comes(world: World, gated: ModelServer, runner: Runner) -> None:
    import subprocess

    assert gated.gate is not None
    body = json.dumps(STREAM).replace('"', '\\"')
    config = [
        f'url = "{world.endpoint}/v1/chat/completions"',
        f'header = "Authorization: Bearer {world.value("read")}"',
        f'data = "{body}"',
        "no-buffer",
        "silent",
    ]
    with subprocess.Popen(
        ["curl", "--config", "-"],
        env=runner.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as curl:
        assert curl.stdin is not None
        assert curl.stdout is not None
        curl.stdin.write("\n".join(config))
        curl.stdin.close()
        for word in WORDS:
            gated.gate.release()
            assert json.dumps(word) in curl.stdout.readline()
            assert curl.stdout.readline() == "\n"
        assert curl.stdout.read() == "data: [DONE]\n\n"
    assert curl.returncode == 0


def test_a_private_model_is_not_for_others(world: World) -> None:
    import httpx

    headers = {"Authorization": f"Bearer {world.new_token('carol', 'write').reveal()}"}
    for path, body in [
        ("/v1/chat/completions", {"model": PRIVATE}),
        (f"/models/{PRIVATE}/v1/chat/completions", {}),
    ]:
        answer = httpx.post(world.endpoint + path, json=body, headers=headers, timeout=HANG_LIMIT)
        assert (answer.status_code, answer.headers["x-error-code"]) == (404, "RepoNotFound")
        assert answer.json() == {"error": "Repository not found"}


def test_without_an_upstream_a_client_is_told_so() -> None:
    from huggingface_hub import InferenceClient
    from huggingface_hub.errors import HfHubHTTPError

    with Hub() as hub:
        hub.create_user("alice")
        token = hub.create_token("alice", name="r", role="read").reveal()
        client = InferenceClient(base_url=f"{hub.endpoint}/v1", api_key=token, timeout=HANG_LIMIT)
        with pytest.raises(HfHubHTTPError, match="no server for this model") as refused:
            client.chat_completion(MESSAGES, model="any/model")
        assert refused.value.response.status_code == 503


def test_the_options_of_a_hub() -> None:
    import httpx

    with serving_models() as models:
        options: dict[str, Any] = {"upstreams": {"tiny": models.url}, "inference_limit": 1}
        with Hub(**options) as hub:
            hub.create_user("alice")
            token = hub.create_token("alice", name="r", role="read").reveal()
            headers = {"Authorization": f"Bearer {token}"}
            ask: dict[str, Any] = {
                "json": {"model": "tiny"},
                "headers": headers,
                "timeout": HANG_LIMIT,
            }
            url = f"{hub.endpoint}/v1/embeddings"
            answers = [httpx.post(url, **ask)]
            # One per minute. On a busy machine the minute may be over by now.
            while answers[-1].status_code == 200:
                answers.append(httpx.post(url, **ask))
            *allowed, beyond = answers
            assert (beyond.status_code, "retry-after" in beyond.headers) == (429, True)
            [info] = hub.list_tokens("alice")
            assert info.inference_requests == len(allowed) > 0
    with pytest.raises(ValueError, match="upstream_keys"):
        Hub(upstream_keys={"tiny": "/nowhere"})


@pytest.mark.parametrize("trusted", [True, False])
def test_an_upstream_over_tls_is_one_that_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, trusted: bool
) -> None:
    import httpx

    authority, other = trustme.CA(), trustme.CA()
    (authority if trusted else other).cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with serving_models(authority) as models:
        upstreams = {"tiny": models.url}
        with Hub(upstreams=upstreams) as hub:
            hub.create_user("alice")
            token = hub.create_token("alice", name="r", role="read")
            url = f"{hub.endpoint}/v1/embeddings"
            with httpx.Client(auth=token, trust_env=False, timeout=HANG_LIMIT) as client:
                answer = client.post(url, json={"model": "tiny"})
        assert models.paths == (["/v1/embeddings"] if trusted else [])
    assert answer.status_code == (200 if trusted else 502)
    if not trusted:
        assert answer.json() == {"error": "The server of this model cannot be reached"}


def test_the_command_forwards_with_the_servers_key(home: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("key-FakeFakeFake\n", encoding="utf-8")
    key.chmod(0o600)
    with serving_models() as models:
        upstream = (f"--upstream=alice/tiny={models.url}/v1", f"--upstream-key=alice/tiny={key}")
        with Served(home, tmp_path / "data", *upstream, "--log-level", "info") as served:
            connection = served.connect()
            connection.admin("POST", "users", {"name": "alice"})
            made = connection.admin("POST", "users/alice/tokens", {"name": "r", "role": "read"})
            ask = ("POST", "/v1/embeddings", made["token"])
            status, answer, _ = connection.ask(*ask, {"model": "alice/tiny", "input": "Hello?"})
            assert (status, answer["data"][0]["embedding"]) == (200, VECTOR)
            assert connection.ask(*ask, {"model": "alice/other"})[0] == 503
            [listed] = connection.admin("GET", "users/alice/tokens")
            assert listed["inferenceRequests"] == 1
            served.stop()
        assert models.paths == ["/v1/embeddings"]
        assert models.headers[0]["authorization"] == "Bearer key-FakeFakeFake"
        assert made["token"] not in str(models.headers)
        log = (home / "served.log").read_text(encoding="utf-8")
        assert "/v1/embeddings" in log
        for secret in (made["token"], "key-FakeFakeFake"):
            assert secret not in log


def test_the_command_refuses_what_names_no_upstream(runner: Runner) -> None:
    for option in ("--upstream=tiny", "--upstream=tiny=", "--upstream=tiny=ftp://x"):
        done = runner.run("hubtoken", "hub", "serve", option)
        assert done.returncode == 2, done.stderr
        assert "tiny" in done.stderr
