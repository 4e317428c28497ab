"""Every failure to answer is explained in plain words."""

from __future__ import annotations

import pickle

import pytest

from airflow_provider_ryft.ingest.network_errors import NoResponseError
from airflow_provider_ryft.sandbox.faults import Fault
from airflow_provider_ryft.sandbox.server import Sandbox
from support.raw_server import Conversation, RawServer, answer, keep_answering
from support.transports import failure


def test_a_connection_is_refused(token: str, free_port: int) -> None:
    """A refused connection is said to be one."""
    error = failure(f"http://127.0.0.1:{free_port}", token)
    assert (error.kind, str(error)) == ("connection", "the connection failed (Connection refused)")


@pytest.mark.parametrize("reset", ["before", "stored"])
def test_the_connection_is_reset(sandbox: Sandbox, token: str, reset: str) -> None:
    """A reset before an answer is said to be one, and is not tried again."""
    sandbox.faults.set(Fault(reset=reset))
    error = failure(sandbox.url, token)
    assert (error.kind, str(error)) == ("connection", "the connection failed (Connection reset by peer)")
    assert len(sandbox.requests) == 1


def test_the_connection_is_closed_without_an_answer(token: str) -> None:
    """A server that closes the connection properly, without an answer, is said to do so."""

    def talk(conversation: Conversation) -> None:
        conversation.read()

    with RawServer(talk) as server:
        error = failure(server.url, token)
        assert (error.kind, str(error)) == ("connection", "the connection failed (it was closed without an answer)")
        assert server.connections == 1


@pytest.mark.parametrize(
    "garbage", [b"220 mail.example ESMTP\r\n", b"\x15\x03\x01\x00\x02\x02F", b"HTTP/1.1 xyz\r\n\r\n"]
)
def test_the_answer_is_not_http(token: str, garbage: bytes) -> None:
    """A server of another kind, such as one that expects TLS, is said to speak no HTTP."""

    def talk(conversation: Conversation) -> None:
        conversation.read()
        conversation.send(garbage)

    with RawServer(talk) as server:
        error = failure(server.url, token)
    assert (error.kind, str(error)) == ("connection", "the connection failed (what it answered is not HTTP)")


def test_the_name_is_unknown(token: str) -> None:
    """A name that no one has is said not to be found."""
    error = failure("https://nowhere.invalid", token)
    assert (error.kind, str(error)) == ("name", "its name could not be looked up")


@pytest.mark.parametrize(
    "address",
    [
        "http://somebody:hunter2@127.0.0.1:{port}",
        "https://somebody:hunter2@127.0.0.1:{port}",
        "gopher://somebody:hunter2@x",
        "http://",
    ],
)
def test_the_proxy_cannot_be_used(token: str, free_port: int, address: str) -> None:
    """A missing proxy is not mistaken for a missing server, and its password is not shown."""
    error = failure("https://ryft.invalid", token, proxies={"https": address.format(port=free_port)})
    assert (error.kind, str(error)) == ("proxy", "the proxy could not be used")


def test_the_proxy_wants_a_login(token: str) -> None:
    """The proxy's own status is in the message."""
    with RawServer(keep_answering(answer("407 Proxy Authentication Required"))) as proxy:
        address = proxy.url.replace("http://", "http://somebody:hunter2@")
        error = failure("https://ryft.invalid", token, proxies={"https": address})
    assert (error.kind, str(error)) == ("proxy", "the proxy answered 407")


def test_a_failure_survives_pickling() -> None:
    """``NoResponseError`` crosses a process boundary with its kind and its message."""
    again = pickle.loads(pickle.dumps(NoResponseError("tls", "the TLS handshake failed")))
    assert (type(again), again.kind, str(again)) == (NoResponseError, "tls", "the TLS handshake failed")
