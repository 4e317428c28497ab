"""Why a server did not answer, in our own words: messages of libraries hold addresses of proxies with passwords."""

from __future__ import annotations

import re
import socket
import ssl
from http.client import HTTPException, RemoteDisconnected
from typing import Any

from requests import exceptions
from urllib3.exceptions import ProxySchemeUnknown

from airflow_provider_ryft.exceptions import RyftError


class NoResponseError(RyftError):
    """The server did not answer.

    :param kind: ``timeout``, ``name``, ``tls``, ``proxy`` or ``connection``
    :param message: what happened, as the middle of a sentence
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind

    def __reduce__(self) -> tuple[type[NoResponseError], tuple[str, str]]:
        """Let the error cross a process boundary, which calls the constructor with ``args`` otherwise."""
        return type(self), (self.kind, str(self))


def no_response(error: exceptions.RequestException) -> NoResponseError:
    """Return the reason for a request that failed."""
    causes = _causes(error)
    tls = next((cause for cause in causes if isinstance(cause, ssl.SSLError)), None)
    proxy_errors = (exceptions.ProxyError, exceptions.InvalidProxyURL, exceptions.InvalidSchema, ProxySchemeUnknown)
    if any(isinstance(cause, proxy_errors) for cause in causes):
        status = re.search(r"Tunnel connection failed: ([0-9]{3})", " ".join(map(str, causes)))
        return NoResponseError("proxy", f"the proxy answered {status[1]}" if status else "the proxy could not be used")
    if tls is not None or isinstance(error, exceptions.SSLError):
        reason = getattr(tls, "verify_message", None) or getattr(tls, "reason", None) or "unknown reason"
        return NoResponseError("tls", f"the TLS handshake failed ({reason})")
    if isinstance(error, exceptions.InvalidURL) or any(isinstance(cause, socket.gaierror) for cause in causes):
        return NoResponseError("name", "its name could not be looked up")
    if isinstance(error, exceptions.ConnectTimeout):
        return NoResponseError("timeout", "it did not accept a connection in time")
    if isinstance(error, exceptions.Timeout):
        return NoResponseError("timeout", "it accepted the connection and did not answer in time")
    reason = next((cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror), None)
    garbage = (cause for cause in causes if isinstance(cause, HTTPException))
    if reason is None and not all(isinstance(cause, RemoteDisconnected) for cause in garbage):
        reason = "what it answered is not HTTP"
    return NoResponseError("connection", f"the connection failed ({reason or 'it was closed without an answer'})")


def _causes(error: BaseException) -> list[BaseException]:
    """Collect what led to an error: urllib3 keeps it in ``args`` and ``reason``, Python in ``__cause__``."""
    found: list[BaseException] = []
    waiting: list[Any] = [error]
    while waiting and len(found) < 50:
        candidate = waiting.pop(0)
        if isinstance(candidate, BaseException) and candidate not in found:
            found.append(candidate)
            waiting += [*candidate.args, getattr(candidate, "reason", None), candidate.__cause__, candidate.__context__]
    return found
