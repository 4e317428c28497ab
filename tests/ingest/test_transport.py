"""One POST: its request, its connection, its process."""

from __future__ import annotations

import gc
import json
import os
import socket
import ssl
import threading
import time
import warnings
from contextlib import closing, suppress

import pytest

from airflow_provider_ryft import __version__
from airflow_provider_ryft.ingest.network_errors import NoResponseError
from airflow_provider_ryft.sandbox.faults import Fault
from airflow_provider_ryft.sandbox.server import Sandbox
from support.raw_server import Conversation, RawServer, answer, eventually, keep_answering
from support.transports import BODY, LONG, PATH, post, transport_to

# --- the request


def test_request_is_a_post_of_json_with_the_token(token: str) -> None:
    """The request has the API's path, header and type, says who sends it, and carries the body as it is."""
    with RawServer(keep_answering()) as server:
        assert post(f"{server.url}/base/", token).status == 200
    head, _, body = server.received.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    assert first == f"POST /base{PATH} HTTP/1.1"
    assert headers["x-ryft-token"] == token
    assert headers["content-type"] == "application/json"
    assert headers["user-agent"] == f"airflow-provider-ryft/{__version__}"
    assert body == BODY


def test_one_connection_serves_many_requests(token: str) -> None:
    """The connection is kept open between requests."""
    with RawServer(keep_answering()) as server, closing(transport_to(server.url, token)) as transport:
        for _ in range(5):
            transport.post(BODY, LONG)
        assert (server.connections, len(server.requests)) == (1, 5)


def test_close_ends_the_connection_and_a_later_post_opens_another(token: str) -> None:
    """The server sees the end of the connection; the transport can be used again."""
    ended = threading.Event()

    def talk(conversation: Conversation) -> None:
        keep_answering()(conversation)
        ended.set()

    with RawServer(talk) as server, closing(transport_to(server.url, token)) as transport:
        transport.post(BODY, LONG)
        transport.close()
        assert ended.wait(20)
        transport.post(BODY, LONG)
        assert server.connections == 2
        transport.close()
        transport.close()


@pytest.mark.parametrize("farewell", [(), ("Connection: close",)])
def test_a_connection_that_the_server_closed_is_replaced(token: str, farewell: tuple[str, ...]) -> None:
    """A server that ends each connection, announced or not, costs a new connection and no error."""
    closed = threading.Semaphore(0)

    def talk(conversation: Conversation) -> None:
        conversation.read()
        conversation.send(answer("200 OK", b"{}", *farewell))
        conversation.connection.shutdown(socket.SHUT_RDWR)
        closed.release()

    with RawServer(talk) as server, closing(transport_to(server.url, token)) as transport:
        for _ in range(3):
            assert transport.post(BODY, LONG).status == 200
            assert closed.acquire(timeout=20)
        assert server.connections == 3


# --- no answer


def test_after_a_failure_the_next_request_is_a_fresh_one(sandbox: Sandbox, token: str) -> None:
    """No failure leaves the transport unusable."""
    with closing(transport_to(sandbox.url, token)) as transport:
        for fault in (Fault(reset="before"), Fault(reset="body"), Fault(reset="stored"), Fault(status=500)):
            sandbox.faults.set(Fault(**{**fault.to_mapping(), "times": 1}))
            for _ in range(2):
                try:
                    said = transport.post(b"[]", LONG)
                except NoResponseError:
                    continue
            assert said.status == 200


# --- processes


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_forked_child_opens_its_own_connection(token: str, tls: ssl.SSLContext, bundle: str, scheme: str) -> None:
    """A child neither uses nor ends the connection of its parent."""
    with (
        RawServer(keep_answering(), tls if scheme == "https" else None) as server,
        closing(transport_to(server.url, token, verify=bundle)) as transport,
    ):
        transport.post(BODY, LONG)
        time.sleep(0.1)  # until the server's thread waits: a child inherits the locks that OpenSSL holds for it
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = 0 if transport.post(BODY, LONG).status == 200 else 2
                transport.close()
            finally:
                os._exit(status)
        _, ended = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(ended) == 0
        assert (server.connections, len(server.requests)) == (2, 2)
        transport.post(BODY, LONG)
        assert (server.connections, len(server.requests)) == (2, 3)


def test_no_file_stays_open(token: str) -> None:
    """However requests end, the sockets that they took are given back, and not by the garbage collector."""

    def files() -> int:
        return len(os.listdir("/proc/self/fd"))

    def talk(conversation: Conversation) -> None:
        request = json.loads(conversation.read().partition(b"\r\n\r\n")[2])
        if request["do"] == "answer":
            conversation.send(answer())
            keep_answering()(conversation)
        elif request["do"] == "close":
            conversation.send(answer("200 OK", b"{}", "Connection: close"))
        elif request["do"] == "reset":
            conversation.reset()
        elif request["do"] == "hang":
            conversation.read()

    with RawServer(talk) as server, warnings.catch_warnings(record=True) as left_behind:
        warnings.simplefilter("always", ResourceWarning)
        before = files()
        for _ in range(3):
            with closing(transport_to(server.url, token)) as transport:
                for wish in ("close", "close", "reset", "reset", "hang", "hang", "close", "answer", "answer"):
                    with suppress(NoResponseError):
                        transport.post(json.dumps({"do": wish}).encode(), 0.3 if wish == "hang" else LONG)
        server._open.clear()
        assert eventually(lambda: files() <= before), f"{files() - before} files are still open"
        gc.collect()
        assert [str(each.message) for each in left_behind if str(server.port) in str(each.message)] == []
