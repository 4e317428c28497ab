"""The sandbox: a server on loopback, what it accepted, and how it misbehaves."""

from __future__ import annotations

import hmac
import socket
import socketserver
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from airflow_provider_ryft.exceptions import ConfigurationError
from airflow_provider_ryft.sandbox.faults import Faults
from airflow_provider_ryft.sandbox.handler import Handler
from airflow_provider_ryft.sandbox.store import Store

MAX_BODY = 10 << 20


@dataclass(frozen=True)
class Request:
    """A request to the Ingest API that the sandbox answered, or would not answer.

    :param status: of the answer; ``None`` if there was none, or only the beginning of a 200
    :param length: bytes of the body
    :param queries: how many queries it held
    """

    status: int | None
    length: int
    queries: int


class Sandbox:
    """A stand-in for the Ingest API on a port of loopback; use it as a context manager.

    :param token: the only token that is accepted; any that is not empty if not given
    :param port: the port, any free one if 0
    :param db: file of the SQLite database that keeps what was accepted
    :param max_body: bytes of a request above which the answer is 413
    :param seed: of the chance in faults
    :param on_request: called after each request to the Ingest API
    :raises ConfigurationError: if the token is empty, or the port or the file can't be used
    """

    def __init__(
        self,
        *,
        token: str | None = None,
        port: int = 0,
        db: str = ":memory:",
        max_body: int = MAX_BODY,
        seed: int = 0,
        on_request: Callable[[Request], None] | None = None,
    ) -> None:
        if token is not None and not token.strip():
            raise ConfigurationError("The token is empty. Leave it out to accept any.")
        self._token = token
        self.faults = Faults(seed)
        self.max_body = max_body
        self.requests: deque[Request] = deque(maxlen=100_000)
        self.stopping = threading.Event()
        self._on_request = on_request
        self.store = Store(db)
        try:
            self._server = _Server(("127.0.0.1", port), type("Handler", (Handler,), {"sandbox": self}))
        except (OSError, OverflowError) as error:
            self.store.close()
            reason = getattr(error, "strerror", None) or "it must be from 0 to 65535"
            raise ConfigurationError(
                f"Port {port} can't be used: {reason}. Choose another one, or 0 for any that is free."
            ) from None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The sandbox's address."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Sandbox:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="sandbox", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stopping.set()
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        self.store.close()

    def records(self) -> list[dict[str, Any]]:
        """Return the payloads that were accepted, in the order of their arrival."""
        return [delivery.record for delivery in reversed(self.store.latest())]

    @property
    def takes_any_token(self) -> bool:
        """Whether any token is let in that is not empty."""
        return self._token is None

    def is_token(self, token: str | None) -> bool:
        """Tell whether a request with this token is let in."""
        if self._token is None:
            return bool(token)
        return hmac.compare_digest((token or "").encode(), self._token.encode())

    def note(self, status: int | None, length: int, queries: int) -> None:
        """Remember a request to the Ingest API, see :class:`Request`."""
        request = Request(status, length, queries)
        self.requests.append(request)
        if self._on_request is not None:
            self._on_request(request)

    def statuses(self) -> Counter[int | None]:
        """Return how often each status was answered."""
        return Counter(request.status for request in list(self.requests))


class _Server(ThreadingHTTPServer):
    """Closes its connections when it is closed, as a server that goes down does."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Bind without looking up the machine's name, which takes seconds where there is no name server."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        super().server_close()
        for connection in list(self._open):
            self.shutdown_request(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that went away, which is what the sandbox is for."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)
