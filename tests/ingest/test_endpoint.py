"""Addresses and tokens: which can be used, and no error shows a secret."""

from __future__ import annotations

import pytest

from airflow_provider_ryft.exceptions import (
    ConfigurationError,
)
from airflow_provider_ryft.ingest.endpoint import SecretStr
from support.transports import PATH, transport_to


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
