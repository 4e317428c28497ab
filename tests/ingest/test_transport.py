"""One POST: bounded whatever the server does, the token to its server only, and every failure in plain words."""

from __future__ import annotations

import email.utils
import gc
import gzip
import json
import logging
import os
import pickle
import signal
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import trustme
from hypothesis import given, strategies as st

from airflow_provider_ryft import __version__
from airflow_provider_ryft.exceptions import ConfigurationError
from airflow_provider_ryft.ingest.endpoint import SecretStr
from airflow_provider_ryft.ingest.network_errors import NoResponseError
from airflow_provider_ryft.ingest.responses import Response, retry_after
from airflow_provider_ryft.ingest.transport import Transport
from airflow_provider_ryft.sandbox.faults import Fault
from airflow_provider_ryft.sandbox.server import Sandbox
from support.raw_server import Conversation, RawServer, Talk, answer, eventually, keep_answering, within_reason

PATH = "/ingest/push/queries"
BODY = b"[]"  # which the sandbox accepts
LONG = 60.0


def transport_to(url: str, token: str, **options: Any) -> Transport:
    """Make a transport that differs from a plain one in what is given."""
    usual: dict[str, Any] = {"timeout": (5.0, 30.0), "verify": True, "proxies": {}, "allow_http": False}
    return Transport(SecretStr(token), SecretStr.stripped(url), PATH, **{**usual, **options})


def post(url: str, token: str, *, seconds: float = LONG, **options: Any) -> Response:
    """Post once and close."""
    with closing(transport_to(url, token, **options)) as transport:
        return transport.post(BODY, seconds)


def failure(url: str, token: str, **options: Any) -> NoResponseError:
    """Post once, and return why there was no answer."""
    with pytest.raises(NoResponseError) as caught:
        post(url, token, **options)
    assert token not in str(caught.value)
    return caught.value


def is_quiet() -> bool:
    """Tell whether no request is running any more."""
    return not any(thread.name == "ryft-post" for thread in threading.enumerate())


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Make a certificate authority that nobody knows."""
    return trustme.CA()


@pytest.fixture(scope="module")
def bundle(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Write the authority's certificate into a file."""
    path = tmp_path_factory.mktemp("ca") / "bundle.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def server_side(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    """Make what a server needs to be one of these names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    """Make what a server at 127.0.0.1 needs to speak TLS."""
    return server_side(authority, "127.0.0.1")


@pytest.fixture
def free_port() -> int:
    """Find a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Let a test set variables of the environment, without those of this machine."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name in ("NETRC", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            monkeypatch.delenv(name)
    return monkeypatch


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


# --- the bound in time


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
    "says 100 for ever": _drip_interim,
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


# --- the token goes to its server only


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 305, 307, 308])
def test_a_redirect_is_not_followed(sandbox: Sandbox, token: str, status: int) -> None:
    """The server that a redirect points to receives nothing, neither the token nor a request."""
    with RawServer(keep_answering()) as other:
        sandbox.faults.set(Fault(status=status, location=f"{other.url}{PATH}?token=x#y"))
        said = post(sandbox.url, token)
        assert (said.status, said.location) == (status, "http://127.0.0.1")
        assert (other.connections, other.received) == (0, b"")
    assert len(sandbox.requests) == 1


@pytest.mark.parametrize("location", ["/health", "", "https://[", "//", "\x7f\xff", "javascript:x", f"//{'a' * 9999}"])
def test_a_redirect_to_anywhere_is_not_followed(token: str, location: str) -> None:
    """Neither is one within the same server, which would turn the POST into a GET, nor one to no address at all."""
    reply = answer("302 Found", b"moved", f"Location: {location}")
    with RawServer(keep_answering(reply)) as server:
        assert post(server.url, token) == Response(302, "moved")
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "address",
    [
        "http://ingest.ryft.io",
        "HTTP://ingest.ryft.io",
        "http://10.0.0.1:8080",
        "http://0.0.0.0",
        "http://[::2]",
        "http://169.254.169.254",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://127.1",
        "http://2130706433",
    ],
)
def test_plain_http_to_other_machines_is_refused(token: str, address: str) -> None:
    """The token would be readable on the way: that must be asked for."""
    with pytest.raises(ConfigurationError, match="over plain http, where anybody on the way can read it"):
        transport_to(address, token)
    assert transport_to(address, token, allow_http=True).base_url == address.replace("HTTP:", "http:")


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:8000", "http://localhost", "http://127.8.9.1", "http://[::1]:80"]
)
def test_plain_http_to_this_machine_is_allowed(token: str, address: str) -> None:
    """Loopback is no network, unless a proxy is between."""
    assert transport_to(address, token).base_url == address
    with pytest.raises(ConfigurationError, match="over plain http, where the proxy can read it"):
        transport_to(address, token, proxies={"http": "http://proxy.example.com"})


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_a_proxy_of_the_environment_does_not_see_what_goes_to_loopback(
    sandbox: Sandbox, token: str, environment: pytest.MonkeyPatch, name: str
) -> None:
    """Requests to this machine go there directly."""
    with RawServer(keep_answering()) as proxy:
        environment.setenv(name, proxy.url)
        assert post(sandbox.url, token).status == 200
        assert post(sandbox.url.replace("127.0.0.1", "localhost"), token).status == 200
        assert proxy.connections == 0
    assert len(sandbox.requests) == 2


def test_a_proxy_of_the_environment_does_not_stand_before_https_on_loopback(
    token: str, environment: pytest.MonkeyPatch, tls: ssl.SSLContext, bundle: str, free_port: int
) -> None:
    """The same holds for https, and the environment's CA bundle is still used."""
    environment.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_port}")
    environment.setenv("REQUESTS_CA_BUNDLE", bundle)
    with RawServer(keep_answering(), tls) as server:
        assert post(server.url, token).status == 200


@pytest.mark.parametrize("of_environment", [True, False])
def test_a_proxy_sees_the_name_of_the_server_and_not_the_token(
    token: str, environment: pytest.MonkeyPatch, *, of_environment: bool
) -> None:
    """A proxy is asked for a tunnel to the server, and is told nothing else."""
    with RawServer(keep_answering(answer("502 Bad Gateway"))) as proxy:
        if of_environment:
            environment.setenv("HTTPS_PROXY", proxy.url)
        error = failure("https://ryft.invalid", token, proxies={} if of_environment else {"https": proxy.url})
    assert proxy.received.startswith(b"CONNECT ryft.invalid:443 ")
    assert token.encode() not in proxy.received
    assert (error.kind, str(error)) == ("proxy", "the proxy answered 502")


def test_an_answer_comes_through_a_proxy(token: str, authority: trustme.CA, bundle: str) -> None:
    """Behind a proxy's tunnel the server is spoken to as ever, over one connection."""
    context = server_side(authority, "ryft.example")

    def talk(conversation: Conversation) -> None:
        conversation.read()
        conversation.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        conversation.connection = context.wrap_socket(conversation.connection, server_side=True)
        keep_answering()(conversation)

    with RawServer(talk) as proxy:
        options = {"proxies": {"https": proxy.url}, "verify": bundle}
        with closing(transport_to("https://ryft.example", token, **options)) as transport:
            assert transport.post(BODY, LONG).status == 200
            assert transport.post(BODY, LONG).status == 200
        assert proxy.connections == 1
    assert token.encode() not in proxy.requests[0]
    assert token.encode() in proxy.requests[1]


def test_netrc_is_not_used(token: str, environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A login that a ``.netrc`` has for the host is not sent along."""
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password hunter2\ndefault login anybody password hunter2\n")
    netrc.chmod(0o600)
    environment.setenv("NETRC", str(netrc))
    environment.setenv("HOME", str(tmp_path))
    with RawServer(keep_answering()) as server:
        post(server.url, token)
    assert b"authorization" not in server.received.lower()


def test_the_token_is_not_logged(sandbox: Sandbox, token: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever logs, at any level, does not tell the token."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="urllib3")  # drivers that use it, too, like to silence it
    with closing(transport_to(sandbox.url, token)) as transport:
        for fault in (Fault(), Fault(status=401), Fault(status=503), Fault(reset="before"), Fault(reset="body")):
            sandbox.faults.set(fault)
            try:
                transport.post(BODY, LONG)
            except NoResponseError as error:
                logging.getLogger(__name__).debug("%r", transport, exc_info=error)
    assert "POST /ingest/push/queries" in caplog.text
    assert token not in caplog.text


def test_the_token_is_in_no_representation(token: str) -> None:
    """Neither the transport nor its attributes show the token."""
    transport = transport_to("https://ryft.example", token, proxies={"https": SecretStr("http://u:hunter2@proxy")})
    shown = repr(transport) + repr(vars(transport))
    assert token not in shown
    assert "hunter2" not in shown


# --- addresses and tokens


@pytest.mark.parametrize(
    ("given_address", "base"),
    [
        ("ingest.ryft.io", "https://ingest.ryft.io"),
        ("https://ingest.ryft.io/", "https://ingest.ryft.io"),
        (" https://ingest.ryft.io\n", "https://ingest.ryft.io"),
        ("https://ingest.ryft.io:8443", "https://ingest.ryft.io:8443"),
        ("ingest.ryft.io:8443/eu/", "https://ingest.ryft.io:8443/eu"),
        ("localhost:8443", "https://localhost:8443"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
        ("https://ingest.ryft.io/ingest/push/queries", "https://ingest.ryft.io"),
        ("https://ingest.ryft.io/eu/ingest/push/queries/", "https://ingest.ryft.io/eu"),
        ("https://bücher.example", "https://bücher.example"),
    ],
)
def test_an_address_is_completed(token: str, given_address: str, base: str) -> None:
    """The scheme may be missing, and the API's own path may be there, as in the API's example."""
    transport = transport_to(given_address, token)
    assert transport.base_url == base
    assert transport.url == base + PATH


@pytest.mark.parametrize(
    "address",
    [
        "",
        " ",
        "https://",
        "https:///path",
        "ftp://ingest.ryft.io",
        "https://ingest.ryft.io:port",
        "https://ingest.ryft.io:0",
        "https://ingest.ryft.io:65536",
        "https://[::1",
        "https://ingest .ryft.io",
        "https://ingest..ryft.io",
        f"https://{'a' * 64}.io",
        "https://ingest.ryft.io\\example.com",
        "file:///etc/passwd",
    ],
)
def test_an_address_that_is_none_is_refused(token: str, address: str) -> None:
    """The error shows the address and what one looks like."""
    with pytest.raises(ConfigurationError, match=r"is not an address. Allowed: https://host"):
        transport_to(address, token)


@pytest.mark.parametrize(
    "address",
    [
        "https://somebody:hunter2@ingest.ryft.io",
        "somebody:hunter2@ingest.ryft.io",
        "https://somebody:hunter2@ingest .ryft.io",
        "https://hunter2@",
        "https://somebody:hunter2@ingest.ryft.io:port",
        "https://ingest.ryft.io?token=hunter2",
        "https://ingest.ryft.io#hunter2",
    ],
)
def test_an_address_with_a_login_is_refused_without_showing_it(token: str, address: str) -> None:
    """What may be a password is not repeated in the error."""
    with pytest.raises(ConfigurationError) as caught:
        transport_to(address, token)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("token_given", ["a space", "a\ttab", "a\nbreak", "nul\x00", "tökén", "🔑", "\x7f"])
def test_a_token_with_a_strange_character_is_refused(token_given: str) -> None:
    """The error says what is wrong with the token, and not the token."""
    with pytest.raises(ConfigurationError, match=r"holds a character that no token has .* Copy it again") as caught:
        transport_to("https://ryft.example", token_given)
    assert token_given not in str(caught.value)


@pytest.mark.parametrize(
    ("given_token", "kept"),
    [(" abc\r\n", "abc"), ("\u2003abc\u00a0", "abc"), ("", ""), (" \n", ""), (None, ""), (b"abc", ""), (7, "")],
)
def test_white_space_around_a_secret_is_taken_off(given_token: object, kept: str) -> None:
    """What was pasted with a line break is the same token; what is not text is none."""
    assert SecretStr.stripped(given_token) == kept


def test_a_secret_does_not_show_itself() -> None:
    """The ``repr`` of a secret, alone or in a container, hides it."""
    assert repr([SecretStr("hunter2"), {"a": SecretStr("hunter2")}]) == "['***', {'a': '***'}]"


# --- answers


def test_a_message_is_one_short_line(sandbox: Sandbox, token: str) -> None:
    """White space is folded, what cannot be printed is left out, and the rest is cut."""
    sandbox.faults.set(Fault(status=400, body="a\r\n\t b\x1b[31m\x00 \u202ec " + "d" * 100_000))
    message = post(sandbox.url, token).message
    assert message.startswith("a b[31m c ddd")
    assert len(message) == 501
    assert message.endswith("…")


def test_a_body_that_is_no_text_is_no_problem(token: str) -> None:
    """Invalid UTF-8 is shown as far as it goes."""
    with RawServer(keep_answering(answer("400 Bad Request", b"\xff\xfeno\x80"))) as server:
        assert post(server.url, token).message == "\ufffd\ufffdno\ufffd"


def test_a_token_that_the_server_repeats_is_masked(token: str) -> None:
    """Neither the body nor the location of an answer tells the token."""
    hidden = "\u200b".join([token[:5], token[5:]])
    body = f"bad token {token}, {token * 30}, {hidden}".encode()
    headers = (f"Location: https://{token}.example/{token}", f"Retry-After: {token}", f"X-Echo: {token}")
    with RawServer(keep_answering(answer("302 Found", body, *headers))) as server:
        said = post(server.url, token)
    assert said.message.startswith("bad token ***, ***")
    assert token[:6] not in repr(said)


@pytest.mark.parametrize(
    ("content_type", "body", "is_html"),
    [
        ("text/html; charset=utf-8", "<!DOCTYPE html><title>Log in</title>", True),
        ("Text/HTML", "\n <h1>Bad gateway</h1>", True),
        ("application/xhtml+xml", "<html></html>", True),
        ("text/html", "OK", False),
        ("text/html", "", False),
        ("application/json", "<html>", False),
        ("application/json", "{}", False),
    ],
)
def test_a_page_for_people_is_recognised(
    sandbox: Sandbox, token: str, content_type: str, body: str, *, is_html: bool
) -> None:
    """A page is told from text that only bears its type, which frameworks give to anything."""
    sandbox.faults.set(Fault(status=200, body=body, content_type=content_type))
    said = post(sandbox.url, token)
    assert said.is_html is is_html
    assert said.message == ("(an HTML page)" if is_html else body)


@pytest.mark.parametrize("status", [200, 204, 400, 401, 413, 429, 500, 503, 599])
def test_any_status_is_an_answer(sandbox: Sandbox, token: str, status: int) -> None:
    """The transport judges nothing."""
    sandbox.faults.set(Fault(status=status, body=""))
    assert post(sandbox.url, token) == Response(status)


def test_a_compressed_answer_is_read(token: str) -> None:
    """A server may compress; what says so and is not compressed is an answer without words."""
    good = answer("400 Bad", gzip.compress(b"no such field"), "Content-Encoding: gzip")
    with RawServer(keep_answering(good)) as server:
        assert post(server.url, token).message == "no such field"
    with RawServer(keep_answering(answer("200 OK", b"no gzip", "Content-Encoding: gzip"))) as server:
        assert post(server.url, token) == Response(200)


def _broken(status: str) -> Talk:
    def talk(conversation: Conversation) -> None:
        conversation.read()
        conversation.send(f"HTTP/1.1 {status}\r\nContent-Length: 100\r\n\r\nbegin".encode())

    return talk


def _broken_chunks(conversation: Conversation) -> None:
    conversation.read()
    conversation.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbeg")


@pytest.mark.parametrize(
    "talk", [_broken("200 OK"), _broken("201 Created"), _broken_chunks], ids=["200", "201", "chunks"]
)
def test_a_success_that_breaks_off_confirms_nothing(token: str, talk: Talk) -> None:
    """A 2xx counts only when it arrived whole."""
    with RawServer(talk) as server:
        error = failure(server.url, token)
    assert (error.kind, str(error)) == ("connection", "the connection broke in the middle of its answer")


def test_a_success_counts_only_with_its_last_byte(token: str) -> None:
    """Wherever a connection ends in good order within an answer, its head or its body, it is no answer."""
    whole = answer("200 OK", b'{"accepted": 1}', "Content-Type: application/json", "Connection: close")

    def talk(conversation: Conversation) -> None:
        conversation.read()
        conversation.send(whole[: conversation.server.connections - 1])

    with RawServer(talk) as server, closing(transport_to(server.url, token)) as transport:
        for cut in range(len(whole)):
            with pytest.raises(NoResponseError):
                pytest.fail(f"{whole[:cut]!r} was taken for {transport.post(BODY, LONG)}")
        assert transport.post(BODY, LONG).status == 200


def test_an_answer_may_end_with_its_connection(token: str) -> None:
    """A server of old does not say how long its answer is."""

    def talk(conversation: Conversation) -> None:
        conversation.read()
        conversation.send(b"HTTP/1.0 200 OK\r\n\r\n" + b"taken" * (conversation.server.connections - 1))

    with RawServer(talk) as server, closing(transport_to(server.url, token)) as transport:
        assert transport.post(BODY, LONG) == Response(200)
        assert transport.post(BODY, LONG) == Response(200, "taken")


@pytest.mark.parametrize("status", [302, 401, 503])
def test_a_refusal_that_breaks_off_is_still_one(token: str, status: int) -> None:
    """The status of any other answer counts, whatever became of its body."""
    with RawServer(_broken(f"{status} Whatever")) as server:
        assert post(server.url, token).status == status


@pytest.mark.parametrize("status", [200, 302, 400])
def test_of_a_long_answer_only_the_beginning_is_read(token: str, status: int) -> None:
    """An endless answer is no reason to read for ever."""

    def talk(conversation: Conversation) -> None:
        conversation.read()
        conversation.send(f"HTTP/1.1 {status} Whatever\r\nLocation: /x".encode())
        conversation.send(b"\r\nContent-Length: 1000000000000\r\n\r\n")
        while not conversation.server.is_closing.is_set():
            conversation.send(b"a" * 100_000)

    with RawServer(talk) as server:
        assert within_reason(30, lambda: post(server.url, token)).status == status


# --- Retry-After


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("86400", 86400.0),
        ("999999999999", 999999999999.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wednesday, 21-Oct-15 07:28:00 GMT", 0.0),
        ("Wed Oct 21 07:28:00 2015", 0.0),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("1e3", None),
        ("soon", None),
        ("Wed, 99 Oct 2015 07:28:00 GMT", None),
        ("Wed, 21 Oct 99999 07:28:00 GMT", None),
        ("\u0661\u0662", None),
        ("9" * 400, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    """Seconds are read, a past date is now, and nonsense is as good as nothing."""
    assert retry_after(value) == seconds


def test_retry_after_of_a_date_is_the_time_until_then() -> None:
    """A date to come is the seconds that are left."""
    seconds = retry_after(email.utils.formatdate(time.time() + 86400, usegmt=True))
    assert seconds is not None
    assert 86400 - 3600 < seconds <= 86400


@given(
    st.text(max_size=40)
    | st.from_regex(r"[A-Z][a-z]{2}, [0-9]{1,3} [A-Z][a-z]{2} [0-9]{1,6} [0-9:]{0,9} ?[-+A-Z0-9]{0,6}")
)
def test_retry_after_never_fails(value: str) -> None:
    """Whatever the header says, the result is seconds, 0 or more, or nothing."""
    seconds = retry_after(value)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize("status", [429, 503, 413, 301])
def test_retry_after_is_told_and_not_obeyed(sandbox: Sandbox, token: str, status: int) -> None:
    """The transport sends once, and leaves it to its caller what to do about it."""
    sandbox.faults.set(Fault(status=status, retry_after="86400"))
    assert within_reason(30, lambda: post(sandbox.url, token)).retry_after == 86400
    assert len(sandbox.requests) == 1


# --- no answer


def test_nobody_listens(token: str, free_port: int) -> None:
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
    """A server that hangs up in good order, and says nothing, is said to do so."""

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


def test_the_certificate_is_of_an_unknown_authority(token: str, tls: ssl.SSLContext) -> None:
    """A certificate that nobody vouches for ends the handshake before the token is sent."""
    with RawServer(keep_answering(), tls) as server:
        error = failure(server.url, token)
        assert error.kind == "tls"
        assert str(error).startswith("the TLS handshake failed (unable to get local issuer certificate")
        assert server.received == b""


def test_the_certificate_is_of_another_host(token: str, authority: trustme.CA, bundle: str) -> None:
    """A certificate of another name ends the handshake before the token is sent."""
    with RawServer(keep_answering(), server_side(authority, "other.example")) as server:
        error = failure(server.url, token, verify=bundle)
        assert error.kind == "tls"
        assert "127.0.0.1" in str(error)
        assert server.received == b""


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@pytest.mark.parametrize("way", ["verify", "environment", "unchecked"])
def test_the_certificate_is_accepted(
    token: str, environment: pytest.MonkeyPatch, tls: ssl.SSLContext, bundle: str, way: str
) -> None:
    """An authority of one's own is named by ``verify`` or by the environment; or the check is turned off."""
    if way == "environment":
        environment.setenv("REQUESTS_CA_BUNDLE", bundle)
    verify = {"verify": bundle, "environment": True, "unchecked": False}[way]
    with (
        RawServer(keep_answering(), tls) as server,
        closing(transport_to(server.url, token, verify=verify)) as transport,
    ):
        assert transport.post(BODY, LONG).status == 200
        assert transport.post(BODY, LONG).status == 200
        assert server.connections == 1


def test_a_check_that_was_asked_for_is_not_undone_by_the_environment(
    token: str, environment: pytest.MonkeyPatch, tls: ssl.SSLContext, bundle: str, tmp_path: Path
) -> None:
    """``verify`` as a path wins over the environment's bundle."""
    environment.setenv("REQUESTS_CA_BUNDLE", bundle)
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    with RawServer(keep_answering(), tls) as server:
        assert failure(server.url, token, verify=str(other)).kind == "tls"


def test_a_bundle_that_is_not_there_is_said_so(
    token: str, environment: pytest.MonkeyPatch, tls: ssl.SSLContext, tmp_path: Path
) -> None:
    """A missing file is an error at once where it was given, and later where the environment names it."""
    missing = str(tmp_path / "missing.pem")
    with pytest.raises(ConfigurationError, match=r"verify names a CA bundle that is not there: '.*missing.pem'"):
        transport_to("https://ryft.example", token, verify=missing)
    environment.setenv("REQUESTS_CA_BUNDLE", missing)
    with RawServer(keep_answering(), tls) as server:
        error = failure(server.url, token)
    assert error.kind == "tls"
    assert "REQUESTS_CA_BUNDLE" in str(error)


def test_a_bundle_that_is_none_is_said_so(token: str, tls: ssl.SSLContext, tmp_path: Path) -> None:
    """A file without a certificate does not let anything through."""
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("no certificate")
    with RawServer(keep_answering(), tls) as server:
        assert failure(server.url, token, verify=str(nonsense)).kind == "tls"
        assert server.received == b""


def test_https_is_spoken_to_a_server_of_plain_http(sandbox: Sandbox, token: str) -> None:
    """The wrong scheme is a failed handshake, and the token stays here."""
    error = failure(sandbox.url.replace("http:", "https:"), token)
    assert error.kind == "tls"
    assert len(sandbox.requests) == 0


def test_plain_http_is_spoken_to_a_server_of_https(token: str, tls: ssl.SSLContext) -> None:
    """The wrong scheme the other way round is a failure too."""
    with RawServer(keep_answering(), tls) as server:
        assert failure(server.url.replace("https:", "http:"), token).kind == "connection"


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
    """A proxy that is not there is told from a server that is not, and its password is not told."""
    error = failure("https://ryft.invalid", token, proxies={"https": address.format(port=free_port)})
    assert (error.kind, str(error)) == ("proxy", "the proxy could not be used")


def test_the_proxy_wants_a_login(token: str) -> None:
    """The proxy's own status is told."""
    with RawServer(keep_answering(answer("407 Proxy Authentication Required"))) as proxy:
        address = proxy.url.replace("http://", "http://somebody:hunter2@")
        error = failure("https://ryft.invalid", token, proxies={"https": address})
    assert (error.kind, str(error)) == ("proxy", "the proxy answered 407")


def test_a_failure_survives_pickling() -> None:
    """``NoAnswer`` crosses a process boundary with its kind and its words."""
    again = pickle.loads(pickle.dumps(NoResponseError("tls", "the TLS handshake failed")))
    assert (type(again), again.kind, str(again)) == (NoResponseError, "tls", "the TLS handshake failed")


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
