"""Certificates: which are accepted, and how a failed handshake is explained."""

from __future__ import annotations

import ssl
from contextlib import closing
from pathlib import Path

import pytest
import trustme

from airflow_provider_ryft.exceptions import (
    ConfigurationError,
)
from airflow_provider_ryft.sandbox.server import Sandbox
from support.raw_server import RawServer, keep_answering
from support.transports import BODY, LONG, failure, server_side, transport_to


def test_the_certificate_is_of_an_unknown_authority(token: str, tls: ssl.SSLContext) -> None:
    """A certificate of an unknown authority ends the handshake before the token is sent."""
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
