"""One POST to one address: bounded in time whatever the server does, and the token to that address only.

What :mod:`requests` does by default would break both promises: a read timeout starts anew with each byte, its retries
obey a ``Retry-After`` of hours, and it follows a redirect with the token to any host and with the body to none.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import DecodeError, HTTPError, NameResolutionError

from airflow_provider_ryft import __version__
from airflow_provider_ryft.exceptions import ConfigurationError, RyftError

USER_AGENT = f"airflow-provider-ryft/{__version__}"
TOKEN_HEADER = "X-Ryft-Token"  # noqa: S105  # its name, not a token

_MESSAGE_LENGTH = 500
_BODY_LENGTH = 1 << 16


@dataclass(frozen=True)
class Answer:
    """What the server said.

    :param status: the HTTP status
    :param message: the beginning of the body as one line of text, without the token should the server repeat it
    :param retry_after: seconds that the server wants to be left alone for
    :param is_html: whether the body is a page for people, which an API does not send
    :param location: where a redirect points to: scheme and host only
    """

    status: int
    message: str = ""
    retry_after: float | None = None
    is_html: bool = False
    location: str = ""


class NoAnswer(RyftError):  # noqa: N818  # named after what happened
    """The server did not answer.

    :param kind: ``timeout``, ``name``, ``tls``, ``proxy`` or ``connection``
    :param message: what happened, as the middle of a sentence
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind

    def __reduce__(self) -> tuple[type[NoAnswer], tuple[str, str]]:
        """Let the error cross a process boundary, which calls the constructor with ``args`` otherwise."""
        return type(self), (self.kind, str(self))


class _Secret(str):
    """Text that a traceback with local variables, or the ``repr`` of a dict of headers, does not show."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


class Transport:
    """Posts JSON to one address of one server; see :class:`~airflow_provider_ryft.ingest.client.IngestClient`.

    :param token: the ingest token
    :param base_url: the server's address, to which ``path`` is added
    :param path: the API's own path
    :param timeout: seconds for opening a connection, and between two bytes of an answer
    :param verify: whether to check the server's certificate, or the path of a CA bundle
    :param proxies: proxy by scheme; the environment's when not given
    :param allow_http: send the token over plain http to other machines
    :raises ConfigurationError: for a token or an address that cannot be used
    """

    def __init__(
        self,
        token: str,
        base_url: str,
        path: str,
        *,
        timeout: tuple[float, float],
        verify: bool | str,
        proxies: Mapping[str, str] | None,
        allow_http: bool,
    ) -> None:
        self._token = _checked_token(token)
        address = _checked_address(base_url)
        self.base_url = address.geturl().rstrip("/")
        self.url = self.base_url + path
        if isinstance(verify, str) and not os.path.exists(verify):
            raise ConfigurationError(f"verify names a CA bundle that is not there: {verify!r}")
        local = address.scheme == "http" and _is_loopback(address.hostname)
        if address.scheme == "http" and not allow_http and (proxies or not local):
            reader = "the proxy" if local else "anybody on the way"
            raise ConfigurationError(
                f"The token would go to {self.base_url} over plain http, where {reader} can read it. Use https, or say "
                "allow_http if you know what you do."
            )
        self._proxies = dict(proxies or {})
        # A proxy of the environment can't reach this machine's own loopback, but would see the token.
        self._trust_env = not local
        self._timeout = timeout
        self._verify = verify
        self._session: requests.Session | None = None
        self._pid = os.getpid()

    def post(self, body: bytes, seconds: float) -> Answer:
        """Post a JSON body and return the answer.

        The request runs in a thread of its own, because nothing else bounds all of it: looking up a name, a proxy, a
        handshake, and headers that come byte by byte.

        :param body: JSON
        :param seconds: bound of the whole request
        :raises NoAnswer: if there was none
        """
        if self._pid != os.getpid():  # a fork: the connection is the parent's
            self._session, self._pid = None, os.getpid()
        session = self._session = self._session or self._open()
        request = _Request(self, session, body)
        thread = threading.Thread(target=request.run, name="ryft-post", daemon=True)
        thread.start()
        thread.join(seconds)
        if thread.is_alive():
            self._session = None
            request.give_up(seconds)
            _hang_up(session)
        return request.outcome()

    def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def _open(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = self._trust_env
        session.auth = _no_auth
        for scheme in ("http://", "https://"):
            session.mount(scheme, _Adapter(max_retries=0, pool_maxsize=1))
        return session


class _Request:
    """One request in its thread, and what is known of it so far."""

    def __init__(self, transport: Transport, session: requests.Session, body: bytes) -> None:
        self._transport = transport
        self._session = session
        self._body = body
        self._answer: Answer | None = None
        self._error: NoAnswer | None = None
        self._timeout: NoAnswer | None = None

    def run(self) -> None:
        try:
            self._post()
        except NoAnswer as error:
            self._error = error
        except requests.RequestException as error:
            self._error = _no_answer(error)
        except Exception as error:  # a driver's bug is an answer that did not come, not a thread that dies unseen
            self._error = NoAnswer("connection", f"the request failed with {type(error).__name__}")

    def _post(self) -> None:
        transport = self._transport
        headers = {
            TOKEN_HEADER: transport._token,
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": USER_AGENT,
        }
        with self._session.post(
            transport.url,
            data=self._body,
            headers=headers,
            timeout=transport._timeout,
            verify=transport._verify,
            proxies=transport._proxies,
            allow_redirects=False,
            stream=True,
        ) as response:
            self._answer = _read(response, transport._token)

    def give_up(self, seconds: float) -> None:
        """Settle that there is no answer, before hanging up makes the thread say that the connection broke."""
        self._timeout = NoAnswer("timeout", f"it did not answer within {seconds:.3g} seconds")

    def outcome(self) -> Answer:
        """Return the answer, once the thread has ended or was given up."""
        if self._answer is not None:
            return self._answer
        raise self._timeout or self._error or NoAnswer("connection", "the request ended without an outcome")


def _read(response: requests.Response, token: str) -> Answer:
    """Read an answer; a 2xx counts only when it has arrived whole, because a broken one confirms nothing."""
    body = b""
    try:
        body = response.raw.read(_BODY_LENGTH, decode_content=True)
    except DecodeError:
        pass  # it arrived, as garbage
    except (HTTPError, OSError):
        if response.ok:
            raise NoAnswer("connection", "the connection broke in the middle of its answer") from None
    is_html = "html" in response.headers.get("Content-Type", "").lower()
    location = urlsplit(response.headers.get("Location", ""))
    return Answer(
        status=response.status_code,
        message="(an HTML page)" if is_html else _message(body, token),
        retry_after=retry_after(response.headers.get("Retry-After")),
        is_html=is_html,
        location=f"{location.scheme}://{location.hostname}" if location.hostname else "",
    )


def retry_after(value: str | None) -> float | None:
    """Read a ``Retry-After`` header (RFC 9110, 10.2.3): seconds or a date; nonsense is ``None``, the past is 0."""
    if value is None:
        return None
    text = value.strip()
    if re.fullmatch(r"[0-9]{1,12}", text):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
        return max(0.0, (moment - datetime.now(timezone.utc)).total_seconds())
    except (TypeError, ValueError, OverflowError):
        return None


def _checked_token(token: object) -> _Secret:
    """Return the token without the white space that was pasted with it; no error says what it is."""
    if not isinstance(token, str) or not token.strip():
        raise ConfigurationError("The ingest token is empty. Put the token that Ryft gave you there.")
    stripped = token.strip()
    if not re.fullmatch(r"[!-~]+", stripped):
        raise ConfigurationError(
            "The ingest token holds a character that no token has (white space inside, or not ASCII). Copy it anew."
        )
    return _Secret(stripped)


def _checked_address(base_url: object) -> SplitResult:
    """Split the base address; complete it with https where it has no scheme."""
    text = base_url.strip() if isinstance(base_url, str) else ""
    try:
        address = urlsplit(text if "://" in text else f"https://{text}")
        usable = bool(address.hostname) and (address.port is None or address.port > 0)
    except ValueError:  # a port that is no number, an IPv6 address without its bracket
        usable = False
    if not usable or re.search(r"[\s\\]", text) or address.scheme not in ("http", "https"):
        raise ConfigurationError(
            f"{text!r} is not an address. Allowed: https://host, with a port and a path if needed, such as https://ingest.ryft.io"
        )
    if address.username is not None or address.password is not None or address.query or address.fragment:
        raise ConfigurationError(
            "The address may have a scheme, a host, a port and a path only: no user, password, query or fragment."
        )
    return address


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keep requests from adding what a ``.netrc`` says of the host."""
    return request


def _message(body: bytes, token: str) -> str:
    text = " ".join(body.decode("utf-8", "replace").split()).replace(token, "***")
    text = "".join(character for character in text if character.isprintable())
    return text if len(text) <= _MESSAGE_LENGTH else f"{text[:_MESSAGE_LENGTH]}…"


def _no_answer(error: requests.RequestException) -> NoAnswer:
    """Say in our own words what happened: the library's carry addresses of proxies with their passwords."""
    causes = list(_causes(error))
    tls = next((cause for cause in causes if isinstance(cause, ssl.SSLError)), None)
    if isinstance(error, requests.exceptions.ProxyError):
        return NoAnswer("proxy", "the proxy could not be used")
    if tls is not None or isinstance(error, requests.exceptions.SSLError):
        reason = getattr(tls, "verify_message", None) or getattr(tls, "reason", None) or "unknown reason"
        return NoAnswer("tls", f"the TLS handshake failed ({reason})")
    if any(isinstance(cause, (NameResolutionError, socket.gaierror)) for cause in causes):
        return NoAnswer("name", "its name could not be looked up")
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return NoAnswer("timeout", "it did not accept a connection in time")
    if isinstance(error, requests.exceptions.Timeout):
        return NoAnswer("timeout", "it accepted the connection and did not answer in time")
    reason = next((cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror), None)
    return NoAnswer("connection", f"the connection failed ({reason or 'it was closed without an answer'})")


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


class _LastConnection:
    """Mixin of a connection pool: remembers the connection in use, so that another thread can hang up."""

    in_use: Any = None

    def _get_conn(self, timeout: float | None = None) -> Any:
        self.in_use = super()._get_conn(timeout)  # type: ignore[misc]
        return self.in_use


class _HTTPPool(_LastConnection, HTTPConnectionPool):
    pass


class _HTTPSPool(_LastConnection, HTTPSConnectionPool):
    pass


class _Adapter(HTTPAdapter):
    """An adapter that never retries, and whose pools can be hung up."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = self.poolmanager.pool_classes_by_scheme
        return manager


def _hang_up(session: requests.Session) -> None:
    """End a request that is still running in its thread: without this a server that drips keeps the thread for ever."""
    for adapter in session.adapters.values():
        if not isinstance(adapter, _Adapter):
            continue
        for manager in (adapter.poolmanager, *adapter.proxy_manager.values()):
            for key in manager.pools.keys():  # noqa: SIM118  # a container of urllib3's own, not iterable itself
                with suppress(Exception):
                    manager.pools[key].in_use.sock.shutdown(socket.SHUT_RDWR)
    with suppress(Exception):
        session.close()
