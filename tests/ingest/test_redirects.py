"""The token goes to its server only: neither where a redirect points to, nor to a proxy, nor into a log."""

from __future__ import annotations

import logging
import ssl
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_ryft.ingest.endpoint import SecretStr
from airflow_provider_ryft.ingest.network_errors import NoResponseError
from airflow_provider_ryft.ingest.responses import Response
from airflow_provider_ryft.sandbox.faults import Fault
from airflow_provider_ryft.sandbox.server import Sandbox
from support.raw_server import Conversation, RawServer, answer, keep_answering
from support.transports import BODY, LONG, PATH, failure, post, server_side, transport_to

if TYPE_CHECKING:
    import trustme


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
    """A proxy is asked for a tunnel to the server, and receives nothing else."""
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
    """No log record, of any logger at any level, has the token."""
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
