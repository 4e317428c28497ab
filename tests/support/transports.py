"""Transports to servers of tests."""

from __future__ import annotations

import ssl
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_ryft.ingest.endpoint import SecretStr
from airflow_provider_ryft.ingest.network_errors import NoResponseError
from airflow_provider_ryft.ingest.responses import Response
from airflow_provider_ryft.ingest.transport import Transport

if TYPE_CHECKING:
    import trustme

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


def server_side(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    """Make what a server needs to be one of these names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context
