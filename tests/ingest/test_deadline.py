"""One POST is bounded in time whatever the server does."""

from __future__ import annotations

import signal
import socket
import threading
from contextlib import closing
from types import FrameType
from typing import Any

import pytest

from airflow_provider_ryft.ingest.network_errors import NoResponseError
from support.raw_server import Conversation, RawServer, Talk, eventually, keep_answering, within_reason
from support.transports import BODY, LONG, failure, post, transport_to


def is_quiet() -> bool:
    """Return whether no request is running any more."""
    return not any(thread.name == "ryft-post" for thread in threading.enumerate())


def _hang(conversation: Conversation) -> None:
    conversation.read()
    conversation.hang()


def _drip_head(conversation: Conversation) -> None:
    conversation.read()
    conversation.drip(b"HTTP/1.1 200 OK\r\nX-Long: aaaa")


def _drip_body(conversation: Conversation) -> None:
    conversation.read()
    conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    conversation.drip(b"a")


def _drip_last_body(conversation: Conversation) -> None:
    conversation.read()
    conversation.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    conversation.drip(b"a")


def _drip_chunks(conversation: Conversation) -> None:
    conversation.read()
    conversation.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    conversation.drip(b"1\r\na\r\n" * 100_000)


def _drip_interim(conversation: Conversation) -> None:
    conversation.read()
    while not conversation.server.is_closing.wait(0.02):
        conversation.send(b"HTTP/1.1 100 Continue\r\n\r\n")


def _never_read(conversation: Conversation) -> None:
    conversation.hang()


UNHURRIED: dict[str, Talk] = {
    "hangs": _hang,
    "drips headers": _drip_head,
    "drips a body": _drip_body,
    "drips a body that ends the connection": _drip_last_body,
    "drips chunks": _drip_chunks,
    "says 100 without end": _drip_interim,
    "never reads": _never_read,
}


@pytest.mark.parametrize("talk", UNHURRIED.values(), ids=UNHURRIED.keys())
def test_a_server_that_takes_its_time_is_given_up(token: str, talk: Talk) -> None:
    """When time is up there is no answer, nothing keeps running behind, and the next request has its own connection."""
    with RawServer(talk) as server, closing(transport_to(server.url, token)) as transport:
        error = within_reason(30, lambda: transport.post(BODY * 500_000, 0.4))
        assert isinstance(error, NoResponseError)
        assert (error.kind, str(error)) == ("timeout", "it did not answer within 0.4 seconds")
        assert eventually(is_quiet), "its thread is still there"
        server.talk = keep_answering()
        assert transport.post(BODY, LONG).status == 200
        assert server.connections == 2


@pytest.mark.parametrize("drips", [True, False])
def test_a_tls_handshake_that_takes_its_time_is_given_up(token: str, *, drips: bool) -> None:
    """Also a handshake is bounded, and ends when it is given up."""

    def talk(conversation: Conversation) -> None:
        if drips:
            conversation.drip(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03" + bytes(16_000))
        conversation.hang()

    with RawServer(talk) as server:
        url = server.url.replace("http:", "https:")
        with closing(transport_to(url, token, timeout=(60, 60))) as transport:
            error = within_reason(30, lambda: transport.post(BODY, 0.4))
            assert (type(error), error.kind) == (NoResponseError, "timeout")
            assert eventually(is_quiet), "its thread is still there"


def test_a_proxy_that_takes_its_time_is_given_up(token: str) -> None:
    """Also a proxy's answer to CONNECT is bounded, and ends when it is given up."""
    with RawServer(_drip_head) as proxy:
        options = {"proxies": {"https": proxy.url}, "timeout": (60, 60)}
        with closing(transport_to("https://ryft.invalid", token, **options)) as transport:
            error = within_reason(30, lambda: transport.post(BODY, 0.4))
            assert (type(error), error.kind) == (NoResponseError, "timeout")
            assert eventually(is_quiet), "its thread is still there"
    assert token.encode() not in proxy.received


def test_a_request_that_was_given_up_is_not_sent_afterwards(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for a name to be looked up cannot be ended at once, but sends nothing any more."""
    goes_on = threading.Event()
    look_up = socket.getaddrinfo

    def slow_look_up(*args: Any, **options: Any) -> Any:
        goes_on.wait(60)
        return look_up(*args, **options)

    with RawServer(keep_answering()) as server, closing(transport_to(server.url, token)) as transport:
        monkeypatch.setattr(socket, "getaddrinfo", slow_look_up)
        assert isinstance(within_reason(30, lambda: transport.post(BODY, 0.3)), NoResponseError)
        goes_on.set()
        assert eventually(is_quiet)
        assert server.received == b""


def test_an_interrupted_wait_leaves_nothing_behind(token: str) -> None:
    """A signal that raises, such as a task's time-out, comes through at once and ends the request."""

    class TimeUp(Exception):
        pass

    def raise_time_up(_number: int, _frame: FrameType | None) -> None:
        raise TimeUp

    before = signal.signal(signal.SIGALRM, raise_time_up)
    try:
        with RawServer(_drip_head) as server, closing(transport_to(server.url, token)) as transport:
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            with pytest.raises(TimeUp):
                transport.post(BODY, LONG)
            assert eventually(is_quiet), "its thread is still there"
            server.talk = keep_answering()
            assert transport.post(BODY, LONG).status == 200
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_read_timeout_ends_a_request_before_its_bound(token: str) -> None:
    """The time-outs for opening and reading hold within the bound, and say which of the two it was."""
    with RawServer(_hang) as server:
        error = within_reason(30, lambda: post(server.url, token, timeout=(5, 0.2), seconds=600))
    assert (error.kind, str(error)) == ("timeout", "it accepted the connection and did not answer in time")


def test_connect_timeout_ends_a_request_before_its_bound(token: str) -> None:
    """A machine that does not take a connection is given up after the time-out for opening one."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(8)]
        try:
            for each in waiting:
                each.setblocking(False)
                each.connect_ex(address)
            error = within_reason(30, lambda: failure(f"http://127.0.0.1:{address[1]}", token, timeout=(0.3, 5)))
        finally:
            for each in waiting:
                each.close()
    assert (error.kind, str(error)) == ("timeout", "it did not accept a connection in time")


def test_an_endless_bound_is_no_error(token: str) -> None:
    """A bound beyond what a thread can wait for is as good as none."""
    with RawServer(keep_answering()) as server:
        assert post(server.url, token, seconds=1e15).status == 200
        assert post(server.url, token, seconds=float("inf")).status == 200
