"""A minimal model server: it has the API of vLLM and TGI, and knows one sentence."""

from __future__ import annotations

import json
import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from tests.environment import HANG_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    import trustme

WORDS = ("Hello", " there", "!")
VECTOR = [0.25, -0.5, 1.0]
DEADLINE = HANG_LIMIT


class ModelServer(ThreadingHTTPServer):
    """Answers on a free port of this machine, and records the requests."""

    daemon_threads = True

    def __init__(self) -> None:
        """Listen; `serve_forever` answers."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        # With a gate, each event is sent only after the gate is opened once more.
        self.gate: threading.Semaphore | None = None
        self.url = f"http://127.0.0.1:{self.server_port}"

    def secure(self, authority: trustme.CA) -> None:
        """Only answer over TLS, with a certificate of the authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        # The handshake runs in the connection's own thread.
        self.socket = context.wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )
        self.url = f"https://localhost:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log nothing: some tests are about clients that disconnect."""


class _Handler(BaseHTTPRequestHandler):
    server: ModelServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        if "Content-Length" in self.headers:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        else:
            body = b"".join(iter(self._chunk, b""))
        asked = json.loads(body)
        self.server.paths.append(self.path)
        self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
        if asked.get("stream"):
            self._stream(asked.get("model", ""))
        else:
            self._answer(_answer(self.path, asked))

    def _chunk(self) -> bytes:
        size = int(self.rfile.readline(), 16)
        piece = self.rfile.read(size)
        self.rfile.readline()
        return piece

    def _answer(self, answer: object) -> None:
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, model: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for word in WORDS:
            if self.server.gate is not None and not self.server.gate.acquire(timeout=DEADLINE):
                return
            choice = {"index": 0, "delta": {"role": "assistant", "content": word}}
            self._event(json.dumps(_completion(model, "chat.completion.chunk", choice)))
        self._event("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def _event(self, data: str) -> None:
        event = f"data: {data}\n\n".encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Log nothing."""


def _answer(path: str, asked: dict[str, Any]) -> object:
    model, text = asked.get("model", ""), "".join(WORDS)
    if path.endswith("/chat/completions"):
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return _completion(model, "chat.completion", choice)
    if path.endswith("/completions"):
        choice = {"index": 0, "text": text, "finish_reason": "stop"}
        return _completion(model, "text_completion", choice)
    if path.endswith("/v1/embeddings"):
        data = [{"object": "embedding", "index": 0, "embedding": VECTOR}]
        return {"object": "list", "model": model, "data": data}
    if path.endswith("/pipeline/feature-extraction"):
        return [VECTOR]
    return [{"generated_text": text}]


def _completion(model: str, kind: str, choice: dict[str, Any]) -> dict[str, Any]:
    usage = {"prompt_tokens": 1, "completion_tokens": 3, "total_tokens": 4}
    return {
        "id": "1",
        "object": kind,
        "created": 1,
        "model": model,
        "system_fingerprint": "toy",
        "choices": [choice],
        "usage": usage,
    }


@contextmanager
def serving_models(authority: trustme.CA | None = None) -> Iterator[ModelServer]:
    """A running server; over TLS if there is an authority for it."""
    server = ModelServer()
    if authority is not None:
        server.secure(authority)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(DEADLINE)
