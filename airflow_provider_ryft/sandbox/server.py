"""The sandbox's server: sockets and threads on loopback, in front of a :class:`SandboxState`."""

from __future__ import annotations

import socket
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from airflow_provider_ryft.exceptions import ConfigurationError
from airflow_provider_ryft.sandbox.handler import handler_class
from airflow_provider_ryft.sandbox.state import SandboxState


class Sandbox:
    """A stand-in for the Ingest API on a port of loopback; use it as a context manager.

    :param port: the port, any free one if 0
    :param options: those of :class:`SandboxState`: ``token``, ``db``, ``max_body``, ``seed`` and ``on_request``
    :raises ConfigurationError: if the token is empty, or the port or the file can't be used
    """

    def __init__(self, *, port: int = 0, **options: Any) -> None:
        self.state = SandboxState(**options)
        self.faults, self.store, self.requests = self.state.faults, self.state.store, self.state.requests
        self.records, self.statuses = self.state.records, self.state.statuses
        try:
            self._server = _Server(("127.0.0.1", port), handler_class(self.state))
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
        self.state.stopping.set()
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        self.store.close()


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
        """Ignore a client that went away, which is what the sandbox is for."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)
