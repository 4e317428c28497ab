"""Where queries are sent and with which token: checked before anything is sent, and never shown."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from airflow_provider_ryft.exceptions import ConfigurationError


class SecretStr(str):
    """Text that a traceback with local variables, or the ``repr`` of a dict of headers, does not show."""

    __slots__ = ()

    @classmethod
    def stripped(cls, text: object) -> SecretStr:
        """Take the white space off a secret that was pasted with it; what is not text is empty."""
        return cls(text.strip()) if isinstance(text, str) else cls()

    def __repr__(self) -> str:
        return "'***'"


def checked_token(token: SecretStr) -> SecretStr:
    """Return a token that can be sent; no error says what it is."""
    if not token:
        raise ConfigurationError("The ingest token is empty, or no text. Put the token that Ryft gave you there.")
    if not re.fullmatch(r"[!-~]+", token):
        raise ConfigurationError(
            "The ingest token holds a character that no token has (white space inside, or not ASCII). Copy it again."
        )
    return token


def checked_address(text: SecretStr) -> SplitResult:
    """Split the base address; complete it with https where it has no scheme."""
    if re.search("[@?#]", text):  # there may be a password in it: this error, and its local variables, don't show it
        raise ConfigurationError(
            "The address may have a scheme, a host, a port and a path only: no user, password, query or fragment."
        )
    try:
        address = urlsplit(text if "://" in text else f"https://{text}")
        usable = bool((address.hostname or "").encode("idna")) and (address.port is None or address.port > 0)
    except ValueError:  # a port that is no number, an IPv6 address without its bracket, a name with two dots in a row
        usable = False
    if not usable or re.search(r"[\s\\]", text) or address.scheme not in ("http", "https"):
        raise ConfigurationError(
            f"{str(text)!r} is not an address. Allowed: https://host, with a port and a path if needed, such as "
            "https://ingest.ryft.io"
        )
    return address


def is_loopback(host: str | None) -> bool:
    """Return whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False
