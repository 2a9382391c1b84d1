"""A relay between a client and a Hub that pauses in the middle of the data."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

PIECE = 65536


class Relay:
    """Forwards data, and holds back what a connection sends beyond some bytes until released."""

    def __init__(self, endpoint: str, after: int) -> None:
        """Set the Hub, and after how many bytes of one connection to stop."""
        address = urlsplit(endpoint)
        self._hub = (str(address.hostname), address.port or 80)
        self._after = after
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = [self._listener]
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        # Set when a connection has got that far.
        self.stopped = threading.Event()
        self.go_on = threading.Event()

    def __enter__(self) -> Self:
        """Begin."""
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let everything through, and end it."""
        self.go_on.set()
        for end in self._open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                hub = socket.create_connection(self._hub)
                self._open += [client, hub]
                for pair in ((client, hub, self._after), (hub, client, None)):
                    threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, after: int | None) -> None:
        sent = 0
        with contextlib.suppress(OSError):
            while piece := source.recv(PIECE):
                if after is not None and sent + len(piece) > after:
                    self.stopped.set()
                    self.go_on.wait()
                sink.sendall(piece)
                sent += len(piece)
            sink.shutdown(socket.SHUT_WR)
