"""Answers HTTP requests: the Ingest API's one address, and the page, records and faults around it."""

from __future__ import annotations

import json
import os
import re
import socket
import sqlite3
import struct
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from airflow_provider_ryft.exceptions import ConfigurationError
from airflow_provider_ryft.ingest.query import QueryState
from airflow_provider_ryft.sandbox import page
from airflow_provider_ryft.sandbox.body import parse_body, rejection
from airflow_provider_ryft.sandbox.faults import Fault
from airflow_provider_ryft.sandbox.state import SandboxState
from airflow_provider_ryft.sandbox.store import StoredQuery

PUSH = "/ingest/push/queries"

_METHODS = {PUSH: "POST", "/": "GET", "/queries": "GET, DELETE", "/faults": "GET, PUT, DELETE", "/health": "GET"}
_STATES = [state.value for state in QueryState]
_ON_PAGE = 100
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"


def handler_class(state: SandboxState) -> type[BaseHTTPRequestHandler]:
    """Return a class that answers for a sandbox; ``http.server`` makes the object of each connection by itself."""
    return type("Handler", (_Handler,), {"state": state})


class _Handler(BaseHTTPRequestHandler):
    """Answers one connection's requests."""

    state: ClassVar[SandboxState]
    protocol_version = "HTTP/1.1"
    server_version = "ryft-sandbox"
    sys_version = ""
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Accept queries."""
        body = self._body()
        if body is None:
            return
        path = urlsplit(self.path).path
        if path != PUSH:
            self._not_here(path)
            return
        queries, problem = parse_body(body)
        rules, fault = self.state.faults.take(len(body), queries)
        status, answer = self._judge(body, queries, problem, rules, fault)
        is_accepted = status == HTTPStatus.OK and fault.status is None
        if is_accepted and fault.reset in (None, "stored") and not fault.hang:
            try:
                self.state.store.add(queries)
            except sqlite3.Error as error:
                status, answer = HTTPStatus.INTERNAL_SERVER_ERROR, {"error": f"The queries can't be kept: {error}"}
        unanswered = fault.hang or fault.reset in ("before", "stored") or (fault.reset == "body" and is_accepted)
        self.state.record_request(None if unanswered else status, len(body), len(queries))
        self._answer(status, answer, fault)

    def do_GET(self) -> None:
        """Show what was accepted, and the faults that wait."""
        self._skip_body()
        address = urlsplit(self.path)
        wanted = {name: values[-1] for name, values in parse_qs(address.query).items()}
        if address.path == "/":
            self._page(wanted)
        elif address.path == "/queries":
            queries = self._stored_queries(wanted, limit=-1)
            if queries is not None:
                self._json(HTTPStatus.OK, [query.record for query in queries])
        elif address.path == "/faults":
            self._json(HTTPStatus.OK, [fault.to_mapping() for fault in self.state.faults.waiting()])
        elif address.path == "/health":
            self._json(HTTPStatus.OK, {"queries": self.state.store.count(), "last": self.state.store.last()})
        else:
            self._not_here(address.path)

    def do_PUT(self) -> None:
        """Replace the faults."""
        body = self._body()
        if body is None:
            return
        path = urlsplit(self.path).path
        if path != "/faults":
            self._not_here(path)
            return
        faults, problem = parse_body(body)
        if problem:
            self._error(HTTPStatus.BAD_REQUEST, problem)
            return
        try:
            self.state.faults.set(*map(Fault.from_mapping, faults))
        except ConfigurationError as error:
            self._error(HTTPStatus.BAD_REQUEST, str(error))
            return
        self._json(HTTPStatus.OK, [fault.to_mapping() for fault in self.state.faults.waiting()])

    def do_DELETE(self) -> None:
        """Delete the accepted queries, or the faults."""
        self._skip_body()
        path = urlsplit(self.path).path
        if path == "/queries":
            self.state.store.clear()
        elif path == "/faults":
            self.state.faults.set()
        else:
            self._not_here(path)
            return
        self._json(HTTPStatus.OK, {})

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        """Log nothing: the command line prints each request itself."""

    # --- the push

    def _body(self) -> bytes | None:
        """Read the body; answer and return ``None`` where there is none to read."""
        length = self.headers.get("Content-Length", "")
        closes, self.close_connection = self.close_connection, True  # until it is known where the next request begins
        if not re.fullmatch(r"[0-9]{1,15}", length):
            self._error(HTTPStatus.LENGTH_REQUIRED, "Content-Length is missing, or no number.")
            return None
        if int(length) > self.state.max_body:
            # A client that sends all of it first hears of an answer only then.
            left = min(int(length), 8 * self.state.max_body)
            while left > 0 and (chunk := self.rfile.read(min(left, 1 << 16))):
                left -= len(chunk)
            self.state.record_request(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, int(length), 0)
            self._error(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"{length} bytes are more than {self.state.max_body} allowed."
            )
            return None
        body = self.rfile.read(int(length))
        if len(body) < int(length):  # the client went away
            return None
        self.close_connection = closes
        return body

    def _skip_body(self) -> None:
        """Keep a body that no method here reads from being taken for the next request."""
        if self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers:
            self.close_connection = True

    def _judge(
        self, body: bytes, queries: list[Any], problem: str, rules: list[Fault], fault: Fault
    ) -> tuple[int, dict[str, Any]]:
        """Decide on the answer; a request is taken whole or refused whole."""
        if fault.status is not None:
            return fault.status, {"error": f"The sandbox was told to answer {fault.status}."}
        if not self.state.accepts_token(self.headers.get("X-Ryft-Token")):
            return HTTPStatus.UNAUTHORIZED, {"error": "X-Ryft-Token is missing or wrong."}
        limit = min((rule.max_bytes for rule in rules if rule.max_bytes is not None), default=None)
        if limit is not None:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": f"{len(body)} bytes are more than {limit} allowed."}
        if self.headers.get_content_type() != "application/json":
            return HTTPStatus.UNSUPPORTED_MEDIA_TYPE, {"error": "Content-Type must be application/json."}
        if problem:
            return HTTPStatus.BAD_REQUEST, {"error": problem}
        rejected = rejection(queries, rules)
        if rejected is not None:
            return HTTPStatus.BAD_REQUEST, rejected
        return HTTPStatus.OK, {"accepted": len(queries)}

    def _answer(self, status: int, answer: dict[str, Any], fault: Fault) -> None:
        stopping = self.state.stopping
        if fault.hang:
            stopping.wait()
            self._reset()
            return
        if stopping.wait(fault.delay) or fault.reset in ("before", "stored"):
            self._reset()
            return
        body = json.dumps(answer).encode() if fault.body is None else fault.body.encode()
        if status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
            body = b""  # a client would take it for the next answer
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
        """End the connection with an RST."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())  # closing the object would wait for the files that were made of it

    # --- for people

    def _stored_queries(self, wanted: dict[str, str], limit: int) -> list[StoredQuery] | None:
        """Return what is asked for; answer with the error and return ``None`` where that is not possible."""
        unknown = wanted.keys() - {"tag", "state", "limit", "since"}
        numbers = {"limit": wanted.get("limit", str(limit)), "since": wanted.get("since", "0")}
        if unknown:
            self._error(HTTPStatus.BAD_REQUEST, f"unknown: {min(unknown)}; allowed: tag, state, limit and since.")
        elif not all(re.fullmatch(r"-?[0-9]{1,15}", number) for number in numbers.values()):
            self._error(HTTPStatus.BAD_REQUEST, "limit and since must be whole numbers.")
        elif wanted.get("state") not in (None, *_STATES):
            self._error(HTTPStatus.BAD_REQUEST, f"state must be one of {', '.join(_STATES)}.")
        else:
            return self.state.store.latest(
                limit=int(numbers["limit"]),
                since=int(numbers["since"]),
                tag=wanted.get("tag"),
                state=wanted.get("state"),
            )
        return None

    def _page(self, wanted: dict[str, str]) -> None:
        queries = self._stored_queries(wanted, limit=_ON_PAGE)
        if queries is not None:
            html = page.render(
                queries,
                self.state.store.count(),
                tag=wanted.get("tag", ""),
                state=wanted.get("state", ""),
                url=f"http://127.0.0.1:{self.connection.getsockname()[1]}",
                accepts_any_token=self.state.accepts_any_token,
            )
            self._send(HTTPStatus.OK, "text/html; charset=utf-8", html.encode())

    def _json(self, status: int, value: object, **headers: str) -> None:
        self._send(status, "application/json", json.dumps(value).encode(), **headers)

    def _error(self, status: int, message: str) -> None:
        self._json(status, {"error": message})

    def _not_here(self, path: str) -> None:
        """Answer that there is nothing at this path, or that it takes other methods."""
        methods = _METHODS.get(path)
        if methods is None:
            self._error(HTTPStatus.NOT_FOUND, f"There is nothing here. There are {', '.join(_METHODS)}.")
            return
        message = f"{path} takes {methods}, not {self.command}."
        self._json(HTTPStatus.METHOD_NOT_ALLOWED, {"error": message}, Allow=methods)

    def _send(self, status: int, kind: str, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
