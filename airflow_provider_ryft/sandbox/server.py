"""The sandbox's HTTP server: the Ingest API's one address, and what a person needs around it."""

from __future__ import annotations

import hmac
import json
import os
import socket
import struct
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from airflow_provider_ryft.exceptions import ConfigurationError
from airflow_provider_ryft.sandbox import page
from airflow_provider_ryft.sandbox.faults import Fault, Faults
from airflow_provider_ryft.sandbox.schema import problems
from airflow_provider_ryft.sandbox.store import Delivery, Store

PUSH = "/ingest/push/queries"
MAX_BODY = 10 << 20
_ON_PAGE = 100
_PROBLEMS_TOLD = 20


@dataclass(frozen=True)
class Request:
    """A request to the Ingest API that the sandbox answered, or would not answer.

    :param status: of the answer; ``None`` if there was none
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
    :raises OSError: if the port is taken
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
        self._token = token
        self.store = Store(db)
        self.faults = Faults(seed)
        self.max_body = max_body
        self.requests: deque[Request] = deque(maxlen=100_000)
        self.stopping = threading.Event()
        self._on_request = on_request
        self._server = _Server(("127.0.0.1", port), _handler(self))
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

    def is_token(self, token: str | None) -> bool:
        """Tell whether a request with this token is let in."""
        if self._token is None:
            return bool(token)
        return hmac.compare_digest((token or "").encode(), self._token.encode())

    def note(self, request: Request) -> None:
        """Remember a request to the Ingest API."""
        self.requests.append(request)
        if self._on_request is not None:
            self._on_request(request)

    def statuses(self) -> Counter[int | None]:
        """Return how often each status was answered."""
        return Counter(request.status for request in self.requests)


class _Server(ThreadingHTTPServer):
    """Closes its connections when it is closed, as a server that goes down does."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(address, handler)

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
        """Say nothing: a client that went away is what the sandbox is for."""


def _handler(sandbox: Sandbox) -> type[_Handler]:
    return type("Handler", (_Handler,), {"sandbox": sandbox})


class _Handler(BaseHTTPRequestHandler):
    """Answers one connection's requests."""

    sandbox: Sandbox
    protocol_version = "HTTP/1.1"
    server_version = "ryft-sandbox"
    sys_version = ""
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        if urlsplit(self.path).path != PUSH:
            self._error(HTTPStatus.NOT_FOUND, f"There is nothing to POST to but {PUSH}.")
            return
        body = self._body()
        if body is None:
            return
        queries, trouble = _queries(body)
        rules, fault = self.sandbox.faults.take(len(body), queries)
        status, answer = self._judge(body, queries, trouble, rules, fault)
        if status == HTTPStatus.OK and fault.reset in (None, "stored") and not fault.hang:
            self.sandbox.store.add(queries)
        unanswered = fault.hang or fault.reset is not None
        self.sandbox.note(Request(None if unanswered else status, len(body), len(queries)))
        self._answer(status, answer, fault)

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        wanted = {name: values[-1] for name, values in parse_qs(address.query).items() if values[-1]}
        if address.path == "/":
            self._page(wanted)
        elif address.path == "/queries":
            deliveries = self._deliveries(wanted, limit=-1)
            if deliveries is not None:
                self._json(HTTPStatus.OK, [delivery.record for delivery in deliveries])
        elif address.path == "/faults":
            self._json(HTTPStatus.OK, [fault.to_mapping() for fault in self.sandbox.faults.waiting()])
        elif address.path == "/health":
            self._json(HTTPStatus.OK, {"queries": self.sandbox.store.count()})
        elif address.path == PUSH:
            self._error(HTTPStatus.METHOD_NOT_ALLOWED, "Queries are pushed with POST.")
        else:
            self._error(HTTPStatus.NOT_FOUND, "See / for a page, /queries and /faults for JSON.")

    def do_PUT(self) -> None:
        body = self._body()
        if body is None:
            return
        if urlsplit(self.path).path != "/faults":
            self._error(HTTPStatus.METHOD_NOT_ALLOWED, "Only /faults can be PUT.")
            return
        try:
            wanted = json.loads(body)
            self.sandbox.faults.set(*map(Fault.from_mapping, wanted if isinstance(wanted, list) else [wanted]))
        except ValueError as error:
            self._error(HTTPStatus.BAD_REQUEST, str(error))
            return
        self._json(HTTPStatus.OK, [fault.to_mapping() for fault in self.sandbox.faults.waiting()])

    def do_DELETE(self) -> None:
        path = urlsplit(self.path).path
        if path == "/queries":
            self.sandbox.store.clear()
        elif path == "/faults":
            self.sandbox.faults.set()
        else:
            self._error(HTTPStatus.METHOD_NOT_ALLOWED, "Only /queries and /faults can be DELETEd.")
            return
        self._json(HTTPStatus.OK, {})

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        """Say nothing: the command line tells of requests in its own words."""

    # --- the push

    def _body(self) -> bytes | None:
        """Read the body; answer and return ``None`` where there is none to read."""
        length = self.headers.get("Content-Length", "")
        self.close_connection = True  # unless the body is read whole, the next request can't be found
        if not (length.isascii() and length.isdigit()):
            self._error(HTTPStatus.LENGTH_REQUIRED, "Content-Length is missing.")
            return None
        if int(length) > self.sandbox.max_body:
            left = min(int(length), 8 * self.sandbox.max_body)
            while left > 0 and (chunk := self.rfile.read(min(left, 1 << 16))):
                left -= len(chunk)
            self.sandbox.note(Request(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, int(length), 0))
            self._error(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"{length} bytes are more than {self.sandbox.max_body} allowed."
            )
            return None
        body = self.rfile.read(int(length))
        self.close_connection = self.headers.get("Connection", "").lower() == "close"
        return body

    def _judge(
        self, body: bytes, queries: list[Any], trouble: str, rules: list[Fault], fault: Fault
    ) -> tuple[int, dict[str, Any]]:
        """Decide on the answer; a request is taken whole or refused whole."""
        if fault.status is not None:
            return fault.status, {"error": f"The sandbox was told to answer {fault.status}."}
        if not self.sandbox.is_token(self.headers.get("X-Ryft-Token")):
            return HTTPStatus.UNAUTHORIZED, {"error": "X-Ryft-Token is missing or wrong."}
        limit = min((rule.max_bytes for rule in rules if rule.max_bytes is not None), default=None)
        if limit is not None:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": f"{len(body)} bytes are more than {limit} allowed."}
        if self.headers.get_content_type() != "application/json":
            return HTTPStatus.UNSUPPORTED_MEDIA_TYPE, {"error": "Content-Type must be application/json."}
        if trouble:
            return HTTPStatus.BAD_REQUEST, {"error": trouble}
        reasons = [
            {"position": position, "queryId": _query_id(query), "problem": problem}
            for position, query in enumerate(queries)
            for problem in _problems(query, rules)
        ]
        if reasons:
            return HTTPStatus.BAD_REQUEST, {"error": f"{len(reasons)} problems", "reasons": reasons[:_PROBLEMS_TOLD]}
        return HTTPStatus.OK, {"accepted": len(queries)}

    def _answer(self, status: int, answer: dict[str, Any], fault: Fault) -> None:
        stopping = self.sandbox.stopping
        if fault.hang:
            stopping.wait()
            self._reset()
            return
        if stopping.wait(fault.delay) or fault.reset in ("before", "stored"):
            self._reset()
            return
        body = json.dumps(answer).encode() if fault.body is None else fault.body.encode()
        if fault.drip:
            head = f"HTTP/1.1 {status} Slow\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            for position in range(len(head + body)):
                if stopping.wait(fault.drip):
                    return
                self.wfile.write((head + body)[position : position + 1])
            return
        self.send_response(status)
        self.send_header("Content-Type", fault.content_type or "application/json")
        self.send_header("Content-Length", str(len(body)))
        if fault.retry_after is not None:
            self.send_header("Retry-After", fault.retry_after)
        if fault.location is not None:
            self.send_header("Location", fault.location)
        self.end_headers()
        if fault.reset == "body":
            self.wfile.write(body[:1])
            self._reset()
            return
        self.wfile.write(body)

    def _reset(self) -> None:
        """End the connection with an RST rather than in good order."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())  # closing the object would wait for the files that were made of it

    # --- for people

    def _deliveries(self, wanted: dict[str, str], limit: int) -> list[Delivery] | None:
        try:
            numbers = {name: int(wanted.get(name, default)) for name, default in (("limit", limit), ("since", 0))}
        except ValueError:
            self._error(HTTPStatus.BAD_REQUEST, "limit and since must be whole numbers.")
            return None
        return self.sandbox.store.latest(**numbers, tag=wanted.get("tag"), state=wanted.get("state"))

    def _page(self, wanted: dict[str, str]) -> None:
        deliveries = self._deliveries(wanted, limit=_ON_PAGE)
        if deliveries is not None:
            total = self.sandbox.store.count()
            html = page.render(
                deliveries, total, tag=wanted.get("tag", ""), state=wanted.get("state", ""), url=self.sandbox.url
            )
            self._send(HTTPStatus.OK, "text/html; charset=utf-8", html.encode())

    def _json(self, status: int, value: object) -> None:
        self._send(status, "application/json", json.dumps(value).encode())

    def _error(self, status: int, message: str) -> None:
        self._json(status, {"error": message})

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'")
        self.send_header("X-Content-Type-Options", "nosniff")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


def _queries(body: bytes) -> tuple[list[Any], str]:
    """Decode a body into queries, or say what is wrong with it."""
    try:
        decoded = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        return [], f"The body is not JSON: {error}"
    return (decoded if isinstance(decoded, list) else [decoded]), ""


def _no_constant(name: str) -> None:
    raise ConfigurationError(f"{name} is no JSON number")


def _query_id(query: Any) -> Any:
    return query.get("queryId") if isinstance(query, dict) else None


def _problems(query: Any, rules: list[Fault]) -> list[str]:
    if any(rule.refuses(query) for rule in rules):
        return ["The sandbox was told to refuse it."]
    return problems(query)
