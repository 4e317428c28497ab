"""Servers for what no library of servers does: to drip, to hang, to break off, and to see each byte that arrives."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any

Talk = Callable[["Conversation"], None]


def answer(status: str = "200 OK", body: bytes = b"{}", *headers: str) -> bytes:
    """Return the bytes of an HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


class Conversation:
    """One connection, seen from the server.

    :param connection: the socket, after the TLS handshake if there is one
    :param server: the server that accepted it
    """

    def __init__(self, connection: socket.socket, server: RawServer) -> None:
        self.connection = connection
        self.server = server

    def read(self) -> bytes:
        """Read one request, and keep it; nothing if the client went away."""
        request = b""
        while b"\r\n\r\n" not in request:
            piece = self.connection.recv(1 << 16)
            if not piece:
                return b""
            request += piece
        head, _, body = request.partition(b"\r\n\r\n")
        lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
        while lengths and len(body) < int(lengths[0]):
            body += self.connection.recv(1 << 16)
        self.server.requests.append(head + b"\r\n\r\n" + body)
        return self.server.requests[-1]

    def send(self, data: bytes) -> None:
        """Send all of it."""
        self.connection.sendall(data)

    def drip(self, data: bytes, seconds: float = 0.02) -> None:
        """Send the bytes one by one, and when they are out the last one again and again, until the client goes away."""
        position = 0
        while not self.server.is_closing.wait(seconds):
            self.send(data[position : position + 1] or data[-1:])
            position += 1

    def hang(self) -> None:
        """Do nothing until the server is closed."""
        self.server.is_closing.wait()

    def reset(self) -> None:
        """End the connection with an RST."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


class RawServer:
    """A server on loopback that does with each connection what a function says; use it as a context manager.

    :param talk: what to do with a connection
    :param tls: speak TLS with this certificate
    """

    def __init__(self, talk: Talk, tls: ssl.SSLContext | None = None) -> None:
        self.talk = talk
        self.tls = tls
        self.connections = 0
        self.requests: list[bytes] = []
        self.is_closing = threading.Event()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def received(self) -> bytes:
        """All that arrived in requests."""
        return b"".join(self.requests)

    def __enter__(self) -> RawServer:
        threading.Thread(target=self._accept, name="raw-server", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.is_closing.set()
        for each in (self._listener, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._listener.close()  # each connection is closed by its thread, which may be about to read from it

    def _accept(self) -> None:
        while not self.is_closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), name="raw-server", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            with connection:
                self.talk(Conversation(connection, self))


def keep_answering(reply: bytes = answer()) -> Talk:
    """Answer every request of a connection alike."""

    def talk(conversation: Conversation) -> None:
        while conversation.read():
            conversation.send(reply)

    return talk


def eventually(is_so: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Wait until something is so; return whether it came to be."""
    ends = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > ends:
            return False
        time.sleep(0.01)
    return True


def within_reason(seconds: float, work: Callable[[], Any]) -> Any:
    """Do something that must not last without end, in a thread that is given up after so many seconds."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(work())
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert outcome, "it is still at it"
    return outcome[0]
